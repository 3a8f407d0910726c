package miner_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/miner"
)

// card counts the jobs that run on it.
type card struct {
	mu   sync.Mutex // guards the fields below
	jobs int
	most int // at a time
}

func (c *card) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs += n
	c.most = max(c.most, c.jobs)
}

// bird is a parrot of another name, on cards.
type bird struct {
	parrot
	name  string
	cards []*card
}

func (b *bird) digest() common.Hash { return common.BytesToHash([]byte(b.name)) }

func (b *bird) Info() engine.Info {
	i := b.parrot.Info()
	i.Name, i.Digest = b.name, b.digest()
	return i
}

func (b *bird) Generate(ctx context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	for _, c := range b.cards {
		c.add(1)
		defer c.add(-1)
	}
	return b.parrot.Generate(ctx, req, yield)
}

func newBird(name string, cards ...*card) *bird {
	return &bird{parrot: parrot{words: []string{"one", " two", " three"}}, name: name, cards: cards}
}

func (b *bird) offering(gpus ...int) miner.Offering {
	return miner.Offering{Model: b, Rates: rates, MaxTokens: 100, GPUs: gpus}
}

// order makes an assignment of the bird.
func (b *bird) order(t *testing.T, number uint64) api.Assignment {
	t.Helper()
	return order(t, number, func(a *api.Assignment, q *api.Request) { a.Order.Model, q.Model = b.digest(), b.name })
}

// done waits until a job has its result.
func (r *rig) done(t *testing.T, a api.Assignment) {
	t.Helper()
	eventually(t, "the result of "+a.JobID.Hex(), func() bool { return r.resultOf(a).Receipt.Order == a.JobID })
}

// A job whose GPU is full is left to others, while jobs of other models go on; when the GPU is free again it is done.
func TestNoMoreJobsOnAGPUThanItsSlots(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one := &card{}
	gpu, cpu := newBird("gpu", one), newBird("cpu")
	gpu.gate = make(chan struct{}, 100)
	r.perGPU, r.others = 1, []miner.Offering{gpu.offering(0), cpu.offering()}
	r.start(t)
	first, second, beside := gpu.order(t, 1), gpu.order(t, 2), cpu.order(t, 3)
	r.give(first)
	eventually(t, "the first begins", func() bool { return len(gpu.called()) == 1 })
	r.give(second)
	r.give(beside)
	r.done(t, beside)
	r.set(func() {
		if len(r.queue) != 1 || len(r.failures) != 0 || !slices.Contains(r.shut, gpu.digest()) {
			t.Errorf("while the GPU is full: %d jobs wait, failures %v, unavailable %v", len(r.queue), r.failures, r.shut)
		}
	})
	if st := r.svc.Status(); !slices.Equal(st.GPUs, []miner.GPU{{Index: 0, Running: 1, Slots: 1}}) || st.Health().Status != "ok" {
		t.Errorf("status %+v", st)
	}
	for range 6 {
		gpu.gate <- struct{}{}
	}
	r.done(t, first)
	r.done(t, second)
	eventually(t, "all models take jobs", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.shut) == 0 })
	if one.most != 1 || len(r.failures) != 0 {
		t.Errorf("%d jobs at a time, failures %v", one.most, r.failures)
	}
}

// Only what runs on a GPU that is held stops for it.
func TestAHeldGPUHoldsItsModelsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b, both := newBird("a"), newBird("b"), newBird("both")
	r.gpus, r.others = []int{0}, []miner.Offering{a.offering(0), b.offering(1), both.offering(0, 1)}
	r.start(t)
	eventually(t, "it works", func() bool { return r.svc.Status().Phase == miner.Working })
	r.svc.Hold(0, "GPU 0 is too hot")
	eventually(t, "the coordinator knows", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.shut) == 3 })
	if st := r.svc.Status(); st.Reason != "" || st.Health().Status != "ok" || !slices.Equal(st.GPUs, []miner.GPU{{Index: 0, Held: "GPU 0 is too hot"}, {Index: 1}}) {
		t.Errorf("status %+v", st)
	}
	waits, goes, also := a.order(t, 1), b.order(t, 2), both.order(t, 3)
	r.give(waits)
	r.give(also)
	r.give(goes)
	r.done(t, goes)
	r.svc.Hold(1, "GPU 1 is gone")
	eventually(t, "all are held", func() bool {
		st := r.svc.Status()
		return st.Reason == "GPU 0 is too hot; GPU 1 is gone" && st.Health().Status == "waiting"
	})
	r.set(func() {
		if len(r.queue) != 2 || len(r.failures) != 0 {
			t.Errorf("%d jobs wait, failures %v", len(r.queue), r.failures)
		}
	})
	r.svc.Hold(0, "")
	r.done(t, waits)
	r.svc.Hold(1, "")
	r.done(t, also)
}

// A coordinator that was started again is told anew which models take no jobs.
func TestACoordinatorThatForgotIsToldAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := newBird("a"), newBird("b")
	r.gpus, r.others = []int{0}, []miner.Offering{a.offering(0), b.offering()}
	r.start(t)
	r.svc.Hold(0, "GPU 0 is too hot")
	known := func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.shut) == 2 }
	eventually(t, "the coordinator knows", known)
	r.set(func() { r.shut = nil })
	r.restart()
	eventually(t, "the coordinator knows again", known)
}

// Two coordinators that give as much as they can never have more on a GPU than its slots, and no job is forgotten.
func TestSlotsOfGPUsAreSharedByAllCoordinators(t *testing.T) {
	t.Parallel()
	x := newFleet(t)
	cards := []*card{{}, {}}
	birds := []*bird{newBird("a", cards[0]), newBird("b", cards[1]), newBird("both", cards...), newBird("cpu")}
	gate := make(chan struct{})
	for _, b := range birds {
		b.gate = gate
	}
	x.cfg = miner.Config{Slots: 6, GPUSlots: 2, Offerings: []miner.Offering{birds[0].offering(0), birds[1].offering(1), birds[2].offering(0, 1), birds[3].offering()}}
	x.start(t)
	x.linked(t)
	const each = 40
	var jobs [2][]api.Assignment
	for i, c := range []*coordinator{x.one, x.two} {
		for n := range uint64(each) {
			jobs[i] = append(jobs[i], birds[int(n)%len(birds)].order(t, n+1))
		}
		c.set(func() { c.queue = append(c.queue, jobs[i]...) })
	}
	eventually(t, "both GPUs are full", func() bool {
		return !slices.ContainsFunc(x.f.Status().GPUs, func(g miner.GPU) bool { return g.Running != 2 })
	})
	close(gate)
	busy := 0
	for i, c := range []*coordinator{x.one, x.two} {
		for _, a := range jobs[i] {
			eventually(t, "an end of each job", func() bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				_, done := c.results[a.JobID]
				f, failed := c.failures[a.JobID]
				if failed && (f.Code != "busy" || !f.Retryable) {
					t.Fatalf("failure %+v", f)
				}
				if failed {
					busy++
				}
				return done || failed
			})
		}
	}
	for i, c := range cards {
		if c.most > 2 || c.jobs != 0 {
			t.Errorf("GPU %d ran %d jobs at a time, at most 2 may", i, c.most)
		}
	}
	eventually(t, "all slots are free", func() bool {
		return slices.Equal(x.f.Status().GPUs, []miner.GPU{{Index: 0, Slots: 2}, {Index: 1, Slots: 2}})
	})
	t.Logf("%d of %d jobs were given back", busy, 2*each)
}
