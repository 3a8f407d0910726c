// Package supervise keeps child processes running: it starts them, waits until
// they answer, restarts those that die and stops them in time.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/aitbc/aitbc/lifecycle"
)

// Child is a program to keep running.
type Child struct {
	Name  string
	Path  string   // of the binary
	Args  []string // without the name of the program
	Env   []string // the whole environment, as in [os.Environ]
	Log   string   // file that gets what the program prints, appended
	Ready func(ctx context.Context) error
}

// Policy says how patient the supervisor is. Zero fields take the defaults of
// [DefaultPolicy].
type Policy struct {
	ReadyWithin time.Duration // from the start of a process to its first answer
	Probe       time.Duration // between two questions whether it answers
	Grace       time.Duration // from SIGTERM to SIGKILL
	FirstDelay  time.Duration // before the first restart; it doubles with each
	MaxDelay    time.Duration // bound of the delay; a process that lived longer starts afresh
	Attempts    int           // starts that may fail before the child has ever answered
}

// DefaultPolicy is used for the fields of a [Policy] that are zero.
var DefaultPolicy = Policy{
	ReadyWithin: 30 * time.Second,
	Probe:       40 * time.Millisecond,
	Grace:       20 * time.Second,
	FirstDelay:  250 * time.Millisecond,
	MaxDelay:    10 * time.Second,
	Attempts:    3,
}

// ErrNotReady reports a process that did not answer in time.
var ErrNotReady = errors.New("does not answer")

// ErrKilled reports a process that had to be killed because it did not stop.
var ErrKilled = errors.New("did not stop in time and was killed")

// A Kind says what an [Event] is about.
type Kind string

// What happens to a child.
const (
	Started Kind = "started"
	Ready   Kind = "ready"
	Died    Kind = "died"    // it will be started again after Delay
	Stopped Kind = "stopped" // on request
)

// Event is news about a child.
type Event struct {
	Child string
	Kind  Kind
	PID   int
	Err   error         // why it died
	Delay time.Duration // until the restart
	Tail  []string      // the last lines of its log, when it died
}

// tailLines is how much of a log is shown when a child dies.
const tailLines = 8

// A StartError reports a child that died or stayed silent each time it was
// started, before it had answered once.
type StartError struct {
	Child string
	Log   string
	Tail  []string // the last lines of the log
	Err   error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("%s does not start: %v", e.Child, e.Err)
}

// Unwrap returns what the last process died of.
func (e *StartError) Unwrap() error { return e.Err }

// Part returns the child as a part of a process's life. It is ready once the
// child answers; from then on a child that dies is started again, for ever,
// with a growing delay. The part fails with a *[StartError] if the child never
// answered, and with [ErrKilled] if it had to be killed at the end. notify is
// called from one goroutine and must not block.
//
// A child is also told to stop when this process dies, where the system can.
func Part(c Child, p Policy, notify func(Event)) lifecycle.Part {
	s := &supervisor{child: c, policy: p.orDefault(), notify: notify}
	return lifecycle.Part{Name: c.Name, Run: s.run}
}

func (p Policy) orDefault() Policy {
	d := DefaultPolicy
	for _, f := range []struct {
		dst *time.Duration
		v   time.Duration
	}{{&d.ReadyWithin, p.ReadyWithin}, {&d.Probe, p.Probe}, {&d.Grace, p.Grace}, {&d.FirstDelay, p.FirstDelay}, {&d.MaxDelay, p.MaxDelay}} {
		if f.v > 0 {
			*f.dst = f.v
		}
	}
	if p.Attempts > 0 {
		d.Attempts = p.Attempts
	}
	return d
}

type supervisor struct {
	child  Child
	policy Policy
	notify func(Event)
}

func (s *supervisor) run(ctx context.Context, ready func()) error {
	// The signal that a child gets when its parent dies is tied to the thread
	// that started it, so this thread must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	answered, failures, delay := false, 0, s.policy.FirstDelay
	for {
		began := time.Now()
		pid, err := s.once(ctx, func() { answered = true; ready() })
		if ctx.Err() != nil {
			s.notify(Event{Child: s.child.Name, Kind: Stopped, PID: pid})
			return err
		}
		tail := Tail(s.child.Log, tailLines)
		if !answered {
			if failures++; failures >= s.policy.Attempts {
				return &StartError{Child: s.child.Name, Log: s.child.Log, Tail: tail, Err: err}
			}
		}
		if time.Since(began) > s.policy.MaxDelay {
			delay = s.policy.FirstDelay
		}
		s.notify(Event{Child: s.child.Name, Kind: Died, PID: pid, Err: err, Delay: delay, Tail: tail})
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		delay = min(2*delay, s.policy.MaxDelay)
	}
}

// once runs one process to its end. The error says what it died of; after ctx
// is done, it is nil or [ErrKilled].
func (s *supervisor) once(ctx context.Context, ready func()) (pid int, err error) {
	log, err := openLog(s.child.Log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	pctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(pctx, s.child.Path, s.child.Args...) //nolint:gosec // the programs of our own installation
	cmd.Env, cmd.Stdout, cmd.Stderr = s.child.Env, log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = s.policy.Grace
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	pid = cmd.Process.Pid
	s.notify(Event{Child: s.child.Name, Kind: Started, PID: pid})

	probing, stop := context.WithCancel(pctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.probe(probing); err == nil {
			ready()
			s.notify(Event{Child: s.child.Name, Kind: Ready, PID: pid})
		} else if probing.Err() == nil {
			cancel(fmt.Errorf("%w within %s: %w", ErrNotReady, s.policy.ReadyWithin, err))
		}
	})
	err = cmd.Wait()
	stop()
	wg.Wait()
	switch cause := context.Cause(pctx); {
	case ctx.Err() != nil && cmd.ProcessState != nil && killed(cmd.ProcessState):
		return pid, ErrKilled
	case ctx.Err() != nil:
		return pid, nil
	case cause != nil:
		return pid, cause
	case err == nil:
		return pid, errors.New("exited without being asked")
	}
	return pid, err
}

// probe asks until the child answers, time is up or ctx is done.
func (s *supervisor) probe(ctx context.Context) error {
	if s.child.Ready == nil {
		return nil
	}
	limit := time.NewTimer(s.policy.ReadyWithin)
	defer limit.Stop()
	tick := time.NewTicker(s.policy.Probe)
	defer tick.Stop()
	for {
		err := s.child.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-limit.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
