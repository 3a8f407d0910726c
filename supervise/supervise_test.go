package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aitbc/aitbc/lifecycle"
	"github.com/aitbc/aitbc/supervise"
)

// The test binary is its own child: SUPERVISE_CHILD says how it behaves.
func TestMain(m *testing.M) {
	switch os.Getenv("SUPERVISE_CHILD") {
	case "":
		os.Exit(m.Run())
	case "serve": // says so in a file, ends on SIGTERM
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("serving")
		if err := os.WriteFile(os.Getenv("SUPERVISE_FLAG"), nil, 0o600); err != nil {
			panic(err)
		}
		<-c
		os.Exit(0)
	case "broken":
		fmt.Println("cannot find the thing")
		os.Exit(3)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		if err := os.WriteFile(os.Getenv("SUPERVISE_FLAG"), nil, 0o600); err != nil {
			panic(err)
		}
		<-time.After(time.Hour) // not select{}: the runtime would call that a deadlock
	}
}

type fixture struct {
	child  supervise.Child
	events chan supervise.Event
	flag   string
}

func child(t *testing.T, behaviour string) fixture {
	t.Helper()
	dir := t.TempDir()
	flag := filepath.Join(dir, "flag")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fixture{
		child: supervise.Child{
			Name: behaviour, Path: exe, Log: filepath.Join(dir, "logs", "child.log"),
			Env: append(os.Environ(), "SUPERVISE_CHILD="+behaviour, "SUPERVISE_FLAG="+flag),
			Ready: func(context.Context) error {
				_, err := os.Stat(flag)
				return err
			},
		},
		events: make(chan supervise.Event, 100), flag: flag,
	}
}

func (f fixture) next(t *testing.T, kind supervise.Kind) supervise.Event {
	t.Helper()
	for {
		select {
		case e := <-f.events:
			if e.Kind == kind {
				return e
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no event %s", kind)
		}
	}
}

// run starts the child and returns a function that stops it.
func (f fixture) run(t *testing.T, p supervise.Policy) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	part := supervise.Part(f.child, p, func(e supervise.Event) { f.events <- e })
	go func() { done <- lifecycle.Run(ctx, time.Minute, part) }()
	t.Cleanup(cancel)
	return func() error { cancel(); return <-done }
}

var quick = supervise.Policy{FirstDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond, Probe: 5 * time.Millisecond, ReadyWithin: 10 * time.Second}

func TestStopsOnRequest(t *testing.T) {
	t.Parallel()
	f := child(t, "serve")
	stop := f.run(t, quick)
	pid := f.next(t, supervise.Ready).PID
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("process %d is still there: %v", pid, err)
	}
	if tail := supervise.Tail(f.child.Log, 5); !slices.Equal(tail, []string{"serving"}) {
		t.Fatalf("log = %q", tail)
	}
}

func TestKilledChildIsStartedAgain(t *testing.T) {
	t.Parallel()
	f := child(t, "serve")
	stop := f.run(t, quick)
	for range 3 {
		e := f.next(t, supervise.Ready)
		if err := os.Remove(f.flag); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(e.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		d := f.next(t, supervise.Died)
		if d.PID != e.PID || d.Err == nil || !strings.Contains(d.Err.Error(), "killed") {
			t.Fatalf("event %+v", d)
		}
		if len(d.Tail) == 0 || d.Tail[len(d.Tail)-1] != "serving" {
			t.Fatalf("tail = %q", d.Tail)
		}
	}
	f.next(t, supervise.Ready)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestChildThatNeverStartsIsGivenUpWithItsLog(t *testing.T) {
	t.Parallel()
	f := child(t, "broken")
	err := lifecycle.Run(t.Context(), time.Second, supervise.Part(f.child, quick, func(supervise.Event) {}))
	e, ok := errors.AsType[*supervise.StartError](err)
	if !ok || !slices.Contains(e.Tail, "cannot find the thing") || !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("err = %v", err)
	}
	if want := supervise.DefaultPolicy.Attempts; len(supervise.Tail(f.child.Log, 100)) != want {
		t.Fatalf("was not started %d times", want)
	}
}

func TestMissingBinaryIsNamed(t *testing.T) {
	t.Parallel()
	f := child(t, "serve")
	f.child.Path = filepath.Join(t.TempDir(), "nowhere")
	err := lifecycle.Run(t.Context(), time.Second, supervise.Part(f.child, quick, func(supervise.Event) {}))
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Fatalf("err = %v", err)
	}
}

func TestSilentChildIsNotReady(t *testing.T) {
	t.Parallel()
	f := child(t, "serve")
	f.child.Ready = func(context.Context) error { return errors.New("connection refused") }
	p := quick
	p.ReadyWithin, p.Attempts = 50*time.Millisecond, 2
	err := lifecycle.Run(t.Context(), time.Second, supervise.Part(f.child, p, func(supervise.Event) {}))
	if !errors.Is(err, supervise.ErrNotReady) || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("err = %v", err)
	}
}

func TestStubbornChildIsKilledAndReported(t *testing.T) {
	t.Parallel()
	f := child(t, "stubborn")
	p := quick
	p.Grace = 50 * time.Millisecond
	stop := f.run(t, p)
	pid := f.next(t, supervise.Ready).PID
	if err := stop(); !errors.Is(err, supervise.ErrKilled) {
		t.Fatalf("err = %v", err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("process %d is still there: %v", pid, err)
	}
}

func TestTailCutsAndCounts(t *testing.T) {
	t.Parallel()
	p := filepath.Join(t.TempDir(), "log")
	if supervise.Tail(p, 3) != nil {
		t.Error("a missing file has lines")
	}
	text := strings.Repeat("x", 40_000) + "\none\ntwo\n" + strings.Repeat("y", 1000) + "\n"
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := supervise.Tail(p, 3)
	if len(got) != 3 || got[0] != "one" || got[1] != "two" || len(got[2]) > 310 {
		t.Fatalf("tail = %q", got)
	}
}
