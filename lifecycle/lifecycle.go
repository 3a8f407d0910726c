// Package lifecycle starts the long-lived parts of a process in order and stops
// them in reverse.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Part is a long-lived piece of a process. Run calls ready once it can serve,
// then blocks until ctx is done or it fails. Calling ready again does nothing.
type Part struct {
	Name string
	Run  func(ctx context.Context, ready func()) error
}

// ErrStopped is the cancellation cause of every part after an orderly stop.
var ErrStopped = errors.New("stopped")

// errExited reports a part that returned without being asked to.
var errExited = errors.New("exited early")

// running is a part that was started. err is valid once done is closed.
type running struct {
	name   string
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
}

// start runs p and signals failed when it ends with a failure.
func start(ctx context.Context, p Part, failed chan<- struct{}) (r *running, ready <-chan struct{}) {
	// A part outlives the caller's context until its turn to stop has come.
	pctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r = &running{name: p.Name, cancel: cancel, done: make(chan struct{})}
	up := make(chan struct{})
	go func() {
		defer close(r.done)
		err := p.Run(pctx, sync.OnceFunc(func() { close(up) }))
		asked := context.Cause(pctx) != nil
		if err == nil && !asked {
			err = errExited
		}
		if asked && (errors.Is(err, context.Canceled) || errors.Is(err, ErrStopped)) {
			err = nil
		}
		if err != nil {
			r.err = fmt.Errorf("%s: %w", p.Name, err)
			failed <- struct{}{}
		}
	}()
	return r, up
}

// Run starts parts one after another, each after the one before is ready, and
// blocks until ctx is done or a part fails. It then stops them last to first,
// each within grace, and returns what failed, in the order of stopping, or nil
// after an orderly stop. A part that does not stop in time is named in the
// error and left behind.
func Run(ctx context.Context, grace time.Duration, parts ...Part) error {
	var up []*running
	failed := make(chan struct{}, len(parts))
	for _, p := range parts {
		r, ready := start(ctx, p, failed)
		up = append(up, r)
		select {
		case <-ready:
			continue
		case <-failed:
			return stop(up, grace)
		case <-ctx.Done():
			return stop(up, grace)
		}
	}
	select {
	case <-failed:
	case <-ctx.Done():
	}
	return stop(up, grace)
}

func stop(up []*running, grace time.Duration) error {
	var errs []error
	for _, r := range slices.Backward(up) {
		r.cancel(ErrStopped)
		late := time.NewTimer(grace)
		select {
		case <-r.done:
			errs = append(errs, r.err)
		case <-late.C:
			errs = append(errs, fmt.Errorf("%s: did not stop within %s", r.name, grace))
		}
		late.Stop()
	}
	return errors.Join(errs...)
}
