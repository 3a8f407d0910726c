package miner

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff spaces out attempts: 50 ms at first, twice as long each time up to
// five seconds, each shortened by chance so that miners do not come in step.
type backoff struct{ next time.Duration }

const (
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 5 * time.Second
)

func newBackoff() *backoff { return &backoff{backoffFirst} }

func (b *backoff) reset() { b.next = backoffFirst }

// wait returns nil after a while, or why ctx is done.
func (b *backoff) wait(ctx context.Context) error {
	d := b.next/2 + rand.N(b.next/2) //nolint:gosec // spreads load, guards nothing
	b.next = min(2*b.next, backoffMost)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
