package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/internal/home"
)

// readme is README, as seen from docs.
const readme = "../README.md"

// The commands of the guides work as they are printed, one after another, in a shell that stops at the first that fails.
func TestCommandsOfTheGuidesWork(t *testing.T) {
	t.Parallel()
	root, err := network.Repository()
	if err != nil {
		t.Fatal(err)
	}
	for page, least := range map[string]int{"CLIENT.md": 10, "TROUBLESHOOTING.md": 5, "WALLET.md": 4, "MINER.md": 4, "VALIDATORS.md": 4, "OPERATOR.md": 6, "DEVELOPER.md": 3, readme: 1} {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			commands, err := network.Blocks(filepath.Join("docs", page))
			if err != nil {
				t.Fatal(err)
			}
			if page == readme { // whose first two start and test all, see below; the next are for another terminal
				commands = append([]string{"aitbc up --detach"}, commands[1:]...)
			}
			if len(commands) < least {
				t.Fatalf("%d blocks of commands, want %d", len(commands), least)
			}
			offset, err := home.FreeOffset(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.Symlink(network.Binaries(t), filepath.Join(dir, "bin")); err != nil {
				t.Fatal(err)
			}
			env := append(os.Environ(), "PATH="+network.Binaries(t)+":"+os.Getenv("PATH"), "HOME="+dir, "AITBC_HOME="+filepath.Join(dir, "network"), "AITBC_PORT_OFFSET="+strconv.Itoa(offset))
			t.Cleanup(func() { // whatever failed
				down := exec.Command("bash", "-c", "aitbc down")
				down.Dir, down.Env = dir, env
				_ = down.Run() // it may be down already
			})
			ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, errors.New("the page takes too long"))
			defer cancel()
			cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", strings.Join(commands, "\n"))
			cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, 10*time.Second
			if page == "DEVELOPER.md" { // it makes no files
				cmd.Dir = root
				cmd.Env = append(env, "HOME="+os.Getenv("HOME")) // Go's caches
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v %v\n%s", err, context.Cause(ctx), out.String())
			}
			if (page == "CLIENT.md" || page == readme) && !strings.Contains(out.String(), "all holds") {
				t.Errorf("no receipt was verified:\n%s", out.String())
			}
		})
	}
}

// README's first two commands are those that are tested: the gate calls one, and TestDemo runs what the other is.
func TestReadmeBeginsWithWhatTheGateRuns(t *testing.T) {
	t.Parallel()
	root, err := network.Repository()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	first, err := network.Blocks("README.md")
	if err != nil || len(first) == 0 {
		t.Fatal("README has no commands", err)
	}
	var commands []string
	for line := range strings.Lines(first[0]) {
		command, _, _ := strings.Cut(line, "#")
		commands = append(commands, strings.TrimSpace(command))
	}
	if want := []string{"make demo", "make test"}; !slices.Equal(commands, want) {
		t.Fatalf("README begins with %q, want %q", commands, want)
	}
	for name, want := range map[string]string{".ci/run": "\nmake test\n", "Makefile": "\ndemo: build ## run a job on a new network, pay for it, prove it, stop\n\tbin/aitbc demo\n"} {
		if !strings.Contains(read(name), want) {
			t.Errorf("%s has no %q", name, want)
		}
	}
}
