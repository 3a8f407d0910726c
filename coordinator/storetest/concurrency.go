package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// concurrency tests many callers at once: of one store, and of several stores
// on one database where the kind can do that.
func concurrency(t *testing.T, o Options, back New) {
	for name, story := range map[string]func(*testing.T, []Store){
		"ReservationsNeverOverdraw": neverOverdraw, "NumbersAreUniqueAndConsecutive": uniqueNumbers, "OneOfManyWins": oneWins, "EverythingAtOnce": everything,
		"SpenderIsFoundAmongMany": spenders, "OneKeyIsOneJob": oneKey, "BudgetIsNeverExceeded": neverOverBudget, "OneOfManyUses": oneUse, "AuditLogIsOne": oneLog, "OneKeyIsOneBulk": oneBulk,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, []Store{fresh(t, back)})
		})
		if o.Shared {
			t.Run(name+"OnTwoReplicas", func(t *testing.T) {
				t.Parallel()
				open := back(t)
				pair := []Store{open(), open()}
				t.Cleanup(func() { _ = errors.Join(pair[0].Close(), pair[1].Close()) })
				story(t, pair)
			})
		}
	}
}

// many runs fn n times at once, with the stores in turn.
func many(n int, stores []Store, fn func(n int, s Store)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i, stores[i%len(stores)]) })
	}
	wg.Wait()
}

func neverOverdraw(t *testing.T, stores []Store) {
	seed(t, stores[0], 1, 2, market.Units(1000))
	var taken atomic.Int32
	many(64, stores, func(_ int, s Store) {
		if _, err := s.InsertJob(t.Context(), draft(1, market.Units(100)), sign, nil); err == nil {
			taken.Add(1)
		} else if !errors.Is(err, market.ErrInsufficient) {
			t.Error(err)
		}
	})
	if taken.Load() != 10 {
		t.Fatalf("%d of 10 reservations were taken", taken.Load())
	}
	balanced(t, stores[0])
}

func uniqueNumbers(t *testing.T, stores []Store) {
	const n = 200
	seed(t, stores[0], 1, 2, market.Units(n))
	seed(t, stores[0], 2, 2, market.Units(n))
	var mu sync.Mutex
	seen := map[[2]uint64]bool{}
	many(n, stores, func(i int, s Store) {
		j := draft(uint64(1+i%2), market.Units(1))
		if _, err := s.InsertJob(t.Context(), j, sign, nil); err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		seen[[2]uint64{j.Session, j.Number}] = true
	})
	for k := uint64(1); k <= n/2; k++ {
		if !seen[[2]uint64{1, k}] || !seen[[2]uint64{2, k}] {
			t.Fatalf("number %d was not given in both sessions", k)
		}
	}
}

// Of many who lease, complete and end one job, one succeeds.
func oneWins(t *testing.T, stores []Store) {
	seed(t, stores[0], 1, 2, market.Units(1000))
	j := insert(t, stores[0], 1, market.Units(100))
	var leased, paid, refunded atomic.Int32
	many(16, stores, func(i int, s Store) {
		if _, err := s.Assign(t.Context(), j.ID, address(2), fmt.Sprint(i)); err == nil {
			leased.Add(1)
		}
	})
	ok(t, stores[0].PutMeta(t.Context(), "leased", "yes")) // on the disk, and the lease under it
	now, err := stores[0].Job(t.Context(), j.ID)
	ok(t, err)
	many(16, stores, func(i int, s Store) {
		if i%4 < 2 {
			if _, err := s.Complete(t.Context(), completion(j, 2, now.Lease, market.Units(40))); err == nil {
				paid.Add(1)
			}
		} else if got, err := s.End(t.Context(), ledger.Ending{Job: j.ID, Anyhow: true, State: market.Canceled}); err == nil && got.Payment == market.Refunded {
			refunded.Add(1)
		}
	})
	if leased.Load() != 1 || paid.Load() > 1 || (paid.Load() == 1) == (refunded.Load() > 0) {
		t.Fatalf("leased %d times, paid %d, refunded %d", leased.Load(), paid.Load(), refunded.Load())
	}
	balanced(t, stores[0])
}

// everything lets sessions, miners and the settlement get in each other's way.
func everything(t *testing.T, stores []Store) {
	const sessions, miners, jobs = 5, 4, 150
	ctx := t.Context()
	for n := range uint64(sessions) {
		seed(t, stores[0], n+1, byte(1+n%miners), market.Units(1_000_000))
	}
	var ids sync.Map
	many(jobs, stores, func(i int, s Store) {
		j := draft(uint64(1+i%sessions), market.Units(1000))
		if _, err := s.InsertJob(ctx, j, sign, nil); err != nil {
			t.Errorf("insert: %v", err)
			return
		}
		ids.Store(j.ID, true)
		miner := byte(1 + i%miners)
		if _, err := s.Assign(ctx, j.ID, address(miner), "l"); err != nil {
			t.Errorf("assign: %v", err)
			return
		}
		var err error
		switch {
		case i%5 == 0:
			_, err = s.End(ctx, ledger.Ending{Job: j.ID, Lease: "l", State: market.Failed})
		case i%7 == 0:
			_, err = s.BuildBatch(ctx, ledger.Gathering{Max: 20}, root)
			fallthrough
		default:
			if _, e := s.Complete(ctx, completion(j, miner, "l", market.Units(uint64(i)))); err == nil {
				err = e
			}
		}
		if err != nil {
			t.Errorf("finish: %v", err)
		}
	})
	for {
		b, err := stores[0].BuildBatch(ctx, ledger.Gathering{Max: 20}, root)
		ok(t, err)
		if b == nil {
			break
		}
	}
	open, err := stores[0].OpenBatches(ctx)
	ok(t, err)
	batched := map[common.Hash]bool{}
	for _, b := range open {
		for _, id := range b.Plan.Jobs {
			if batched[id] {
				t.Errorf("job %s is in two batches", id)
			}
			batched[id] = true
		}
	}
	for id := range ids.Range {
		j, err := stores[0].Job(ctx, id.(common.Hash))
		ok(t, err)
		if (j.Payment == market.Charged) != batched[j.ID] || j.Payment == market.Reserved {
			t.Errorf("job %s is %s, in a batch: %v", j.ID, j.Payment, batched[j.ID])
		}
	}
	for _, w := range balanced(t, stores[0]).Miners {
		if w.Total != w.Batched {
			t.Errorf("miner %s earned %s, %s are in batches", w.Address, w.Total, w.Batched)
		}
	}
}

// Anybody may have keys made in a client's name; the client's own is still found.
func spenders(t *testing.T, stores []Store) {
	ctx := t.Context()
	derive := func(n uint64) (common.Address, error) { return common.Address{1, byte(n >> 8), byte(n)}, nil }
	first, err := stores[0].NewSpender(ctx, address(100), 0, derive)
	ok(t, err)
	many(300, stores, func(_ int, s Store) {
		if _, err := s.NewSpender(ctx, address(100), 0, derive); err != nil {
			t.Error(err)
		}
	})
	n, err := stores[0].Spender(ctx, address(100), first)
	if want, _ := derive(n); err != nil || want != first {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := stores[0].Spender(ctx, address(2), first); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("another client's key: %v", err)
	}
}

func oneKey(t *testing.T, stores []Store) {
	seed(t, stores[0], 1, 2, market.Units(1000))
	var made atomic.Int32
	many(40, stores, func(_ int, s Store) {
		j := draft(1, market.Units(1))
		j.IdemKey, j.IdemHash = "key", []byte{1}
		old, err := s.InsertJob(t.Context(), j, sign, nil)
		if err != nil {
			t.Error(err)
		} else if old == nil {
			made.Add(1)
		}
	})
	if made.Load() != 1 {
		t.Fatalf("%d jobs under one key", made.Load())
	}
	balanced(t, stores[0])
}

// Whatever is retried, ended and completed at once, the key never has more spent and reserved than its budget.
func neverOverBudget(t *testing.T, stores []Store) {
	ctx := t.Context()
	seed(t, stores[0], 1, 2, market.Units(1_000_000))
	key := ledger.Key{Scope: ledger.ScopeClient, Account: address(100), Session: 1, Budget: ledger.Budget{Total: market.Units(1000), Day: market.Units(700)}}
	ok(t, stores[0].PutKey(ctx, common.Hash{1}, key, 1, ledger.Event{}))
	var taken atomic.Int32
	many(96, stores, func(i int, s Store) {
		j := draft(1, market.Units(100))
		j.Key, j.IdemKey, j.IdemHash = common.Hash{1}, fmt.Sprint(i/2), []byte{1} // each is sent twice
		old, err := s.InsertJob(ctx, j, sign, nil)
		refused := (*ledger.BudgetError)(nil)
		switch {
		case errors.As(err, &refused):
			return
		case err != nil:
			t.Error(err)
			return
		case old != nil:
			return
		}
		taken.Add(1)
		switch i % 3 {
		case 0:
			_, err = s.End(ctx, ledger.Ending{Job: j.ID, Anyhow: true, State: market.Canceled})
		case 1:
			if _, err = s.Assign(ctx, j.ID, address(2), "l"); err == nil {
				_, err = s.Complete(ctx, completion(j, 2, "l", market.Units(100)))
			}
		case 2: // that another may not revoke it changes nothing
			if err = s.RemoveKey(ctx, address(101), j.Key, ledger.Event{}); errors.Is(err, ledger.ErrNotFound) {
				err = nil
			}
		}
		if err != nil {
			t.Error(err)
		}
		rows, err := s.Keys(ctx, ledger.KeyQuery{Account: address(100), Limit: 9})
		if err != nil || len(rows) != 1 || rows[0].Spent.Total.Cmp(market.Units(700)) > 0 {
			t.Errorf("%+v, %v", rows, err)
		}
	})
	if taken.Load() < 7 {
		t.Fatalf("%d jobs were taken", taken.Load())
	}
	balanced(t, stores[0])
}

func oneUse(t *testing.T, stores []Store) {
	var won atomic.Int32
	many(32, stores, func(_ int, s Store) {
		if err := s.Use(t.Context(), common.Hash{5}, 9); err == nil {
			won.Add(1)
		} else if !errors.Is(err, ledger.ErrUsed) {
			t.Error(err)
		}
	})
	if won.Load() != 1 {
		t.Fatalf("used %d times", won.Load())
	}
}

func oneLog(t *testing.T, stores []Store) {
	many(50, stores, func(i int, s Store) {
		if err := s.Log(t.Context(), ledger.Event{At: int64(i), Account: address(byte(i)), Action: "x"}); err != nil {
			t.Error(err)
		}
	})
	all, err := stores[0].Records(t.Context(), common.Address{}, 0, 100)
	ok(t, err)
	if n, err := ledger.CheckChain(recordsOf(all)); err != nil || n != 50 {
		t.Fatalf("%d records: %v", n, err)
	}
}
