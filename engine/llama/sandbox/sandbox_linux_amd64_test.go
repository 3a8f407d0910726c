package sandbox_test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// refusals are what the kernel says.
var refusals = []string{"permission denied", "operation not permitted", "function not implemented", "cannot allocate memory", "no such host", "bad system call"}

func TestNothingIsInReach(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"", "cuda"} {
		t.Run(more, func(t *testing.T) {
			t.Parallel()
			nothingIsInReach(t, more)
		})
	}
}

func nothingIsInReach(t *testing.T, more string) {
	t.Helper()
	dir := t.TempDir()
	probe := filepath.Join(dir, "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", probe, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	open, closed := filepath.Join(dir, "open"), filepath.Join(dir, "closed")
	for _, d := range []string{open, closed} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{filepath.Join(open, "file"): "inside", filepath.Join(closed, "secret"): "outside", filepath.Join(closed, "model"): "model"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{filepath.Join(closed, "socket"), "@aitbc"} {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", address)
		if err != nil {
			t.Logf("%s: %v", address, err) // another test may listen there
			continue
		}
		defer func() { _ = ln.Close() }()
	}
	model, err := os.Open(filepath.Join(closed, "model"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = model.Close() }()

	run := exec.CommandContext(t.Context(), probe, "enter", open, closed, strconv.Itoa(os.Getpid()), more)
	run.ExtraFiles = []*os.File{model}
	var problems strings.Builder
	run.Stderr = &problems
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	var said map[string]string
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatal(err)
	}
	if len(said) < 40 {
		t.Fatalf("only %d attempts", len(said))
	}
	for name, came := range said {
		if strings.HasPrefix(name, "ok: ") {
			if came != "done" {
				t.Errorf("%s: %s", name, came)
			}
			continue
		}
		refused := false
		// What CUDA's driver takes for an answer.
		if more == "cuda" && (name == "remove a file" || strings.HasPrefix(name, "connect to ")) {
			refused = strings.HasSuffix(came, "no such file or directory")
		}
		// Landlock refuses it too, but not before its version 3: it is the filter's to do.
		if strings.HasPrefix(name, "empty the model") && !strings.HasSuffix(came, "operation not permitted") {
			t.Errorf("%s: the filter let it pass: %s", name, came)
		}
		for _, r := range refusals {
			refused = refused || strings.HasSuffix(came, r)
		}
		if !refused {
			t.Errorf("%s: %s", name, came)
		}
	}
	for path, want := range map[string]string{filepath.Join(open, "file"): "inside", filepath.Join(closed, "secret"): "outside", filepath.Join(closed, "model"): "model"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", path, got, err)
		}
	}
}
