package miner

import (
	"context"
	"sync"
)

// Slots are the jobs that a machine runs at a time, for all its coordinators
// together.
type Slots struct {
	mu      sync.Mutex // guards the fields below
	free    int
	changed chan struct{} // closed at each change, then replaced
	waiting map[int]context.CancelFunc
	next    int // key of waiting
}

// NewSlots returns n free slots.
func NewSlots(n int) *Slots {
	return &Slots{free: n, changed: make(chan struct{}), waiting: map[int]context.CancelFunc{}}
}

func (s *Slots) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait returns once a slot is free, or ctx's error.
func (s *Slots) wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		free, changed := s.free, s.changed
		s.mu.Unlock()
		if free > 0 {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// whileFree returns a context that ends when no slot is free any more.
func (s *Slots) whileFree(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		cancel()
		return ctx, cancel
	}
	key := s.next
	s.next++
	s.waiting[key] = cancel
	return ctx, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, key)
	}
}

// available returns how many are free.
func (s *Slots) available() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

// take takes a slot if one is free.
func (s *Slots) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return false
	}
	if s.free--; s.free == 0 {
		for _, cancel := range s.waiting {
			cancel()
		}
	}
	return true
}

// give gives a slot back.
func (s *Slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	s.changedLocked()
}
