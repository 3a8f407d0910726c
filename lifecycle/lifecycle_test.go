package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aitbc/aitbc/lifecycle"
)

// recorder notes what happened, in order.
type recorder struct {
	mu  sync.Mutex
	log []string
}

func (r *recorder) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, s)
}

func (r *recorder) part(name string) lifecycle.Part {
	return lifecycle.Part{Name: name, Run: func(ctx context.Context, ready func()) error {
		r.add("+" + name)
		ready()
		<-ctx.Done()
		r.add("-" + name)
		return ctx.Err()
	}}
}

func TestPartsStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var r recorder
		if err := lifecycle.Run(ctx, time.Second, r.part("db"), r.part("http")); err != nil {
			t.Fatal(err)
		}
		if want := []string{"+db", "+http", "-http", "-db"}; !slices.Equal(r.log, want) {
			t.Fatalf("log = %v, want %v", r.log, want)
		}
	})
}

func TestFailureStopsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		boom := errors.New("boom")
		bad := lifecycle.Part{Name: "bad", Run: func(_ context.Context, ready func()) error {
			ready()
			<-time.After(time.Minute)
			return boom
		}}
		err := lifecycle.Run(t.Context(), time.Second, r.part("db"), bad)
		if !errors.Is(err, boom) || !strings.Contains(err.Error(), "bad: ") {
			t.Fatalf("err = %v, want boom of part bad", err)
		}
		if want := []string{"+db", "-db"}; !slices.Equal(r.log, want) {
			t.Fatalf("log = %v, want %v", r.log, want)
		}
	})
}

func TestFailureBeforeReadyStartsNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		bad := lifecycle.Part{Name: "bad", Run: func(context.Context, func()) error { return errors.New("port taken") }}
		err := lifecycle.Run(t.Context(), time.Second, r.part("db"), bad, r.part("http"))
		if err == nil || slices.Contains(r.log, "+http") {
			t.Fatalf("err = %v, log = %v", err, r.log)
		}
	})
}

func TestReturningEarlyIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quit := lifecycle.Part{Name: "quit", Run: func(_ context.Context, ready func()) error { ready(); return nil }}
		if err := lifecycle.Run(t.Context(), time.Second, quit); err == nil || !strings.Contains(err.Error(), "quit: exited early") {
			t.Fatalf("err = %v", err)
		}
	})
}

func TestFailureWhileStoppingIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		flush := errors.New("flush")
		db := lifecycle.Part{Name: "db", Run: func(ctx context.Context, ready func()) error {
			ready()
			<-ctx.Done()
			return flush
		}}
		if err := lifecycle.Run(ctx, time.Second, db); !errors.Is(err, flush) {
			t.Fatalf("err = %v, want flush", err)
		}
	})
}

func TestStuckPartIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		stuck := lifecycle.Part{Name: "stuck", Run: func(_ context.Context, ready func()) error {
			ready()
			<-release
			return nil
		}}
		time.AfterFunc(time.Second, cancel)
		err := lifecycle.Run(ctx, 5*time.Second, stuck)
		close(release)
		if err == nil || !strings.Contains(err.Error(), "stuck: did not stop") {
			t.Fatalf("err = %v", err)
		}
	})
}
