package pidlock_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/internal/pidlock"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("PIDLOCK_HOLD"); path != "" {
		if _, err := pidlock.Acquire(path); err != nil {
			panic(err)
		}
		fmt.Println("held")
		<-time.After(time.Hour) // not select{}: the runtime would call that a deadlock
	}
	os.Exit(m.Run())
}

func TestHolderIsKnownUntilItDies(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	if pid, err := pidlock.Holder(path); pid != 0 || err != nil {
		t.Fatalf("no file: %d, %v", pid, err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "PIDLOCK_HOLD="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	if pid, err := pidlock.Holder(path); pid != cmd.Process.Pid || err != nil {
		t.Fatalf("holder %d, %v, want %d", pid, err, cmd.Process.Pid)
	}
	_, err = pidlock.Acquire(path)
	if !errors.Is(err, pidlock.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) {
		t.Fatalf("err = %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	l, err := pidlock.Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
}
