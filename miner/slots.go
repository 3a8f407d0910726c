package miner

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Slots are the jobs that a machine runs at a time, for all its coordinators together: in all, and on each GPU. A job takes a
// slot of the machine and one of each GPU that its model runs on.
type Slots struct {
	perGPU int     // jobs at a time on each GPU; zero: as many as there are slots
	models [][]int // the GPUs of each model on offer

	mu      sync.Mutex // guards the fields below
	free    int
	running map[int]int    // jobs by GPU
	held    map[int]string // why a GPU gets no more work
	changed chan struct{}  // closed at each change, then replaced
	waiting map[int]context.CancelFunc
	next    int // key of waiting
}

// newSlots returns the slots of a machine, all free.
func newSlots(cfg Config) *Slots {
	s := &Slots{
		perGPU: cfg.GPUSlots, free: cfg.Slots, running: map[int]int{}, held: map[int]string{},
		changed: make(chan struct{}), waiting: map[int]context.CancelFunc{},
	}
	for _, o := range cfg.Offerings {
		s.models = append(s.models, o.GPUs)
	}
	return s
}

// changedLocked tells whoever waits for a change, and those that hope for a job if none can be taken any more.
func (s *Slots) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
	if !s.openLocked() {
		for _, cancel := range s.waiting {
			cancel()
		}
	}
}

// takesLocked says whether a job of a model that runs on these GPUs may begin.
func (s *Slots) takesLocked(gpus []int) bool {
	return s.free > 0 && !s.shutLocked(gpus)
}

// shutLocked says whether one of these GPUs is full or held.
func (s *Slots) shutLocked(gpus []int) bool {
	return slices.ContainsFunc(gpus, func(g int) bool {
		return s.held[g] != "" || s.perGPU > 0 && s.running[g] >= s.perGPU
	})
}

// openLocked says whether a job of any model may begin.
func (s *Slots) openLocked() bool { return slices.ContainsFunc(s.models, s.takesLocked) }

// wait returns once a job may begin, or ctx's error.
func (s *Slots) wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		open, changed := s.openLocked(), s.changed
		s.mu.Unlock()
		if open {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// change returns what is closed at the next change.
func (s *Slots) change() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// whileOpen returns a context that ends when no job may begin any more.
func (s *Slots) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.openLocked() {
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

// available returns how many of the machine's are free.
func (s *Slots) available() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

// shut returns the models, by their place on offer, whose GPUs are full or held, and whether a job of any model may begin.
func (s *Slots) shut() (models []int, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, gpus := range s.models {
		if s.shutLocked(gpus) {
			models = append(models, i)
		}
	}
	return models, s.openLocked()
}

// take takes the slots of a job on these GPUs if it may begin.
func (s *Slots) take(gpus []int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.takesLocked(gpus) {
		return false
	}
	s.free--
	for _, g := range gpus {
		s.running[g]++
	}
	s.changedLocked()
	return true
}

// give gives the slots of a job back.
func (s *Slots) give(gpus []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	for _, g := range gpus {
		s.running[g]--
	}
	s.changedLocked()
}

// hold keeps jobs from a GPU for a reason, or lets them onto it again.
func (s *Slots) hold(gpu int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reason == "" {
		delete(s.held, gpu)
	} else {
		s.held[gpu] = reason
	}
	s.changedLocked()
}

// obstacle returns why no model takes a job, whatever slots are free: each runs on a GPU that is held. It returns "" if one
// does.
func (s *Slots) obstacle() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	why := map[int]string{}
	for _, gpus := range s.models {
		at := slices.IndexFunc(gpus, func(g int) bool { return s.held[g] != "" })
		if at < 0 {
			return ""
		}
		why[gpus[at]] = s.held[gpus[at]]
	}
	var reasons []string
	for _, g := range slices.Sorted(maps.Keys(why)) {
		reasons = append(reasons, why[g])
	}
	return strings.Join(reasons, "; ")
}

// GPU is one that models on offer run on.
type GPU struct {
	Index   int    `json:"index"`
	Running int    `json:"running"`         // jobs
	Slots   int    `json:"slots,omitempty"` // jobs that it runs at a time; zero: as many as the machine
	Held    string `json:"held,omitempty"`  // why it gets no more work
}

// gpus returns those that models on offer run on.
func (s *Slots) gpus() []GPU {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []GPU
	for _, g := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.models...)))) {
		out = append(out, GPU{g, s.running[g], s.perGPU, s.held[g]})
	}
	return out
}
