package vault_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/aitbc/aitbc/wallet/vault"
)

// helperDir names the directory in which the test program writes instead of testing.
const helperDir = "AITBC_TEST_VAULT_DIR"

const rounds = 3

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		runtime.LockOSThread() // whoever kills at the nth call counts a thread's calls
		if err := write(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// write replaces the vault in dir several times and says each time that it has.
func write(dir string) (err error) {
	v, err := vault.Open(dir, "00112233445566ff", pass)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	for i := 1; i <= rounds; i++ {
		if err := v.SetState(fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
			return err
		}
		fmt.Println(i)
	}
	return nil
}

// A process that is killed at any system call by which a vault is written
// leaves the old one or the new one, and never less than it acknowledged.
func TestKilledAtAnyWriteAVaultIsOldOrNew(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: nothing can kill at a system call")
	}
	v, template := create(t)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(vault.Path(template, "00112233445566ff"))
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, call := range []string{"write", "fsync", "fchmod", "renameat"} {
		for n := 1; n <= 2*rounds+2; n++ {
			dir := t.TempDir()
			if err := os.WriteFile(vault.Path(dir, "00112233445566ff"), whole, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call,
				"-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n), os.Args[0])
			cmd.Env = append(os.Environ(), helperDir+"="+dir, "GOMAXPROCS=1")
			var out, diag bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &diag
			runErr := cmd.Run()
			if runErr != nil && strings.Contains(diag.String(), "ptrace") {
				t.Skipf("this system lets nobody trace: %s", diag.String())
			}
			acknowledged := 0
			for s := bufio.NewScanner(&out); s.Scan(); {
				if acknowledged, err = strconv.Atoi(s.Text()); err != nil {
					t.Fatal(err)
				}
			}
			after := open(t, dir, pass)
			var state int
			if _, err := fmt.Sscanf(string(after.State()), `{"n":%d}`, &state); err != nil {
				t.Fatal(err)
			}
			if state < acknowledged || state > acknowledged+1 {
				t.Fatalf("killed at %s %d: the vault is at %d, %d was acknowledged", call, n, state, acknowledged)
			}
			if runErr == nil {
				break // it did all its work before that call
			}
			killed++
			if err := vault.Clean(dir); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Fatalf("left behind: %v, %v", left, err)
			}
		}
	}
	if killed < 4*rounds {
		t.Errorf("killed only %d times", killed)
	}
}

// A disk that is full in the middle of a write leaves the old vault, and goes
// on when there is room again.
func TestAFullDiskLeavesTheOldVault(t *testing.T) {
	if os.Getenv("AITBC_TEST_FULL") == "" { // the limit is the whole process's
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAFullDiskLeavesTheOldVault$", "-test.v")
		cmd.Env = append(os.Environ(), "AITBC_TEST_FULL=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	v, dir := create(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	for size := uint64(0); size < 600; size += 100 {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		stateErr := v.SetState([]byte(`{"n":9}`))
		changeErr := v.Change(func(s *vault.Secrets, _ *vault.Header) error { s.TOTP = []byte("x"); return nil })
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
		if stateErr == nil || changeErr == nil {
			t.Fatalf("%d bytes were enough: %v, %v", size, stateErr, changeErr)
		}
		if files, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(files) > 0 {
			t.Errorf("left behind: %v, %v", files, err)
		}
	}
	if string(v.State()) != `{"n":0}` || string(open(t, dir, pass).State()) != `{"n":0}` {
		t.Errorf("the state is %s", v.State())
	}
	if err := v.SetState([]byte(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	if got := string(open(t, dir, pass).State()); got != `{"n":1}` {
		t.Errorf("after that it is %s", got)
	}
}
