package sched_test

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/coordinator/sched"
	"github.com/aitbc/aitbc/market"
)

var (
	modelA, modelB = common.Hash{1}, common.Hash{2}
	class          = common.Hash{9}
)

func miner(id byte, rate uint64, models ...common.Hash) sched.Miner {
	m := sched.Miner{ID: common.Address{id}, Slots: 1, Offers: map[common.Hash]sched.Offer{}}
	for _, d := range models {
		r := market.Units(rate)
		m.Offers[d] = sched.Offer{Class: class, Rates: market.Rates{Prompt: r, Completion: r}}
	}
	return m
}

func job(id byte, model common.Hash, maxPrice uint64) sched.Job {
	return sched.Job{ID: common.Hash{id}, Terms: sched.Terms{Model: model}, Bound: market.Usage{PromptTokens: 1_000_000, CompletionTokens: 1_000_000}, MaxPrice: market.Units(maxPrice)}
}

func TestNeverAnotherModel(t *testing.T) {
	t.Parallel()
	s := sched.New()
	s.PutMiner(miner(1, 1, modelB))
	s.Enqueue(job(1, modelA, 100))
	if j, ok := s.Claim(common.Address{1}); ok {
		t.Fatalf("a miner without the model got %v", j)
	}
	if r := s.Explain(common.Hash{1})[common.Address{1}]; r != sched.NoModel {
		t.Fatalf("reason %q", r)
	}
}

func TestOldestFirstAndLostLeaseKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s := sched.New()
	s.PutMiner(miner(1, 1, modelA))
	for i := range byte(3) {
		s.Enqueue(job(i+1, modelA, 100))
	}
	j, ok := s.Claim(common.Address{1})
	if !ok || j.ID != (common.Hash{1}) {
		t.Fatalf("first claim %v", j)
	}
	if _, ok := s.Claim(common.Address{1}); ok {
		t.Fatal("one slot ran two jobs")
	}
	s.Release(j.ID, false)
	if j, _ = s.Claim(common.Address{1}); j.ID != (common.Hash{1}) {
		t.Fatalf("after the lease was lost: %v", j)
	}
}

func TestExcludedMinerDoesNotGetTheJobAgain(t *testing.T) {
	t.Parallel()
	s := sched.New()
	s.PutMiner(miner(1, 1, modelA))
	s.PutMiner(miner(2, 1, modelA))
	s.Enqueue(job(1, modelA, 100))
	if _, ok := s.Claim(common.Address{1}); !ok {
		t.Fatal("no claim")
	}
	if _, ok := s.Claim(common.Address{2}); ok {
		t.Fatal("claimed twice")
	}
	wake, ok := s.Release(common.Hash{1}, true)
	if !ok || wake != (common.Address{2}) {
		t.Fatalf("woke %v", wake)
	}
	if _, ok := s.Claim(common.Address{1}); ok {
		t.Fatal("the miner that failed got it again")
	}
	if _, ok := s.Claim(common.Address{2}); !ok {
		t.Fatal("the other did not get it")
	}
}

func TestPriceAndCandidatesNarrow(t *testing.T) {
	t.Parallel()
	s := sched.New()
	s.PutMiner(miner(1, 60, modelA)) // a job of 2·10^6 tokens costs 120
	s.PutMiner(miner(2, 40, modelA)) // 80
	s.Enqueue(job(1, modelA, 100))
	only := job(2, modelA, 1000)
	only.Terms.Miners = []common.Address{{1}}
	s.Enqueue(only)
	if j, ok := s.Claim(common.Address{1}); !ok || j.ID != (common.Hash{2}) {
		t.Fatalf("miner 1 got %v", j)
	}
	if j, ok := s.Claim(common.Address{2}); !ok || j.ID != (common.Hash{1}) {
		t.Fatalf("miner 2 got %v", j)
	}
}

func TestCheapestWaiterIsWoken(t *testing.T) {
	t.Parallel()
	s := sched.New()
	for i, rate := range []uint64{30, 10, 20} {
		s.PutMiner(miner(byte(i+1), rate, modelA))
		s.Claim(common.Address{byte(i + 1)})
	}
	if wake, ok := s.Enqueue(job(1, modelA, 100)); !ok || wake != (common.Address{2}) {
		t.Fatalf("woke %v", wake)
	}
}

// Whatever happens, no job is on two miners, none is lost, and no miner runs
// more than its slots or what it does not offer.
func TestEveryJobIsInOnePlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := sched.New()
		at := map[common.Hash]common.Address{} // zero: queued
		models := map[common.Hash]common.Hash{}
		offers := map[common.Address]common.Hash{}
		n := byte(0)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			id := common.Address{rapid.ByteRange(1, 4).Draw(t, "miner")}
			switch rapid.IntRange(0, 5).Draw(t, "event") {
			case 0:
				m := miner(id[0], 1, rapid.SampledFrom([]common.Hash{modelA, modelB}).Draw(t, "model"))
				for d := range m.Offers {
					offers[id] = d
				}
				s.PutMiner(m)
			case 1, 2:
				n++
				j := job(n, rapid.SampledFrom([]common.Hash{modelA, modelB}).Draw(t, "model"), 100)
				s.Enqueue(j)
				at[j.ID], models[j.ID] = common.Address{}, j.Terms.Model
			case 3, 4:
				if j, ok := s.Claim(id); ok {
					if at[j.ID] != (common.Address{}) {
						t.Fatalf("%v claimed by %v is already on %v", j.ID, id, at[j.ID])
					}
					if offers[id] != models[j.ID] {
						t.Fatalf("wrong model for %v", id)
					}
					at[j.ID] = id
				}
			case 5:
				for j, m := range at {
					if m == id {
						if rapid.Bool().Draw(t, "done") {
							s.Remove(j)
							delete(at, j)
						} else {
							s.Release(j, false)
							at[j] = common.Address{}
						}
						break
					}
				}
			}
		}
		queued := 0
		for _, m := range at {
			if m == (common.Address{}) {
				queued++
			}
		}
		if s.Queued() != queued {
			t.Fatalf("%d queued, want %d", s.Queued(), queued)
		}
	})
}

func BenchmarkClaim(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := sched.New()
			s.PutMiner(miner(1, 1, modelA))
			for i := range n {
				s.Enqueue(sched.Job{ID: common.Hash{byte(i), byte(i >> 8), byte(i >> 16), 1}, Client: common.Address{byte(i % 50)}, Terms: sched.Terms{Model: modelA}, MaxPrice: market.Units(1)})
			}
			for b.Loop() {
				j, ok := s.Claim(common.Address{1})
				if !ok {
					b.Fatal("nothing to claim")
				}
				s.Release(j.ID, false)
			}
		})
	}
}

// An order that bounds no seconds is not given to a miner with a price by the second, whose work it could not pay: it
// waits for another.
func TestAPriceByTheSecondNeedsABoundOfSeconds(t *testing.T) {
	t.Parallel()
	s := sched.New()
	timed := miner(1, 1, modelA)
	o := timed.Offers[modelA]
	o.Rates.Second = market.Units(1)
	timed.Offers[modelA] = o
	s.PutMiner(timed)
	j := job(1, modelA, 1_000_000)
	s.Enqueue(j)
	if got, ok := s.Claim(timed.ID); ok {
		t.Fatalf("claimed %+v without a bound of seconds", got)
	}
	bounded := job(2, modelA, 1_000_000)
	bounded.Bound.ComputeMillis = 1000
	s.Enqueue(bounded)
	if got, ok := s.Claim(timed.ID); !ok || got.ID != bounded.ID {
		t.Fatalf("claimed %v, %v, want the job with a bound", got, ok)
	}
}
