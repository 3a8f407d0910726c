package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/coordinator/sqlite"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

var (
	client = common.Address{1}
	miner  = common.Address{2}
)

const feeBps, marginBps = 250, 100

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seed(t testing.TB, s *sqlite.Store, deposit market.Amount) {
	t.Helper()
	err := errors.Join(
		s.PutSession(t.Context(), sqlite.Session{ID: 1, Client: client, Account: market.SessionAccount{Deposit: deposit}, FeeBps: feeBps, State: sqlite.SessionOpen}),
		s.PutMiner(t.Context(), sqlite.Miner{Address: miner, Offers: []byte("[]"), Slots: 1}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func newJob(n uint64, maxPrice market.Amount) *sqlite.Job {
	return &sqlite.Job{
		ID: common.Hash{30: byte(n >> 8), 31: byte(n), 0: 1}, Session: 1, Number: n, Client: client, Model: "m", State: market.Queued, Payment: market.Reserved,
		MaxPrice: maxPrice, Spec: sqlite.Spec{Salt: make([]byte, 32)}, Request: []byte("{}"),
	}
}

func completion(j *sqlite.Job, lease string, price market.Amount) sqlite.Completion {
	return sqlite.Completion{
		Job: j.ID, Miner: miner, Lease: lease, State: market.Completed, Receipt: receipt.Receipt{Version: 1, Order: j.ID, Price: price}, ReceiptID: common.Hash{5: 1, 30: j.ID[30], 31: j.ID[31]},
		MarginBps: marginBps, Countersign: func(market.Amount) (receipt.Signature, error) { return receipt.Signature{64: 27}, nil },
	}
}

// Whatever is done in whatever order: reserved and charged are what the open and
// the paid jobs say, the deposit is never overdrawn, fee, margin and miner's part
// add up to the price, and no job is paid twice or lost by a restart.
func TestMoneyAddsUpInAnySequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.WithoutCancel(t.Context())
		path := filepath.Join(t.TempDir(), "c.db")
		s := open(t, path)
		defer func() { _ = s.Close() }()
		deposit := market.Units(10_000)
		seed(t, s, deposit)
		type known struct {
			job   *sqlite.Job
			lease string
			state market.JobState
			price market.Amount
		}
		var jobs []*known
		pick := func() *known { return jobs[rapid.IntRange(0, len(jobs)-1).Draw(rt, "job")] }
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			op := rapid.IntRange(0, 6).Draw(rt, "op")
			if len(jobs) == 0 {
				op = 0
			}
			switch op {
			case 0, 1:
				j := newJob(uint64(len(jobs)+1), market.Units(uint64(rapid.IntRange(0, 4000).Draw(rt, "max"))))
				if _, err := s.InsertJob(ctx, j); err == nil {
					jobs = append(jobs, &known{job: j, state: market.Queued})
				} else if !errors.Is(err, market.ErrInsufficient) {
					rt.Fatal(err)
				}
			case 2:
				k := pick()
				lease := rapid.StringMatching("[a-z]{4}").Draw(rt, "lease")
				_, err := s.Assign(ctx, k.job.ID, miner, lease)
				if (err == nil) != (k.state == market.Queued) {
					rt.Fatalf("assign in state %s: %v", k.state, err)
				}
				if err == nil {
					k.state, k.lease = market.Assigned, lease
				}
				// A later write that is on the disk has the lease under it.
				if err := s.PutMeta(ctx, "leased", lease); err != nil {
					rt.Fatal(err)
				}
			case 3:
				k := pick()
				price := market.Units(uint64(rapid.IntRange(0, 4500).Draw(rt, "price")))
				lease := k.lease
				if rapid.Bool().Draw(rt, "wrong lease") {
					lease = "stolen"
				}
				_, err := s.Complete(ctx, completion(k.job, lease, price))
				if want := k.state == market.Assigned && lease == k.lease && price.Cmp(k.job.MaxPrice) <= 0; (err == nil) != want {
					rt.Fatalf("complete in state %s at %s of %s: %v", k.state, price, k.job.MaxPrice, err)
				}
				if err == nil {
					k.state, k.price = market.Completed, price
				}
			case 4:
				k := pick()
				j, err := s.End(ctx, k.job.ID, market.Failed, "x", "", 1)
				if err != nil {
					rt.Fatal(err)
				}
				if !k.state.Terminal() {
					k.state = market.Failed
				}
				if j.State != k.state {
					rt.Fatalf("end: %s, want %s", j.State, k.state)
				}
			case 5:
				k := pick()
				if err := s.Requeue(ctx, k.job.ID, k.lease); (err == nil) != (k.state == market.Assigned) {
					rt.Fatalf("requeue in state %s: %v", k.state, err)
				} else if err == nil {
					k.state, k.lease = market.Queued, ""
				}
			case 6:
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = open(t, path)
			}
			var want market.SessionAccount
			want.Deposit = deposit
			var earned market.Amount
			for _, k := range jobs {
				j, err := s.Job(ctx, k.job.ID)
				if err != nil || j.State != k.state || j.Price != k.price {
					rt.Fatalf("job is %+v, want %s at %s: %v", j, k.state, k.price, err)
				}
				if !k.state.Terminal() {
					want.Reserved = add(rt, want.Reserved, k.job.MaxPrice)
				}
				want.Charged = add(rt, want.Charged, k.price)
				earned = add(rt, earned, j.Earned)
			}
			x, err := s.Session(ctx, 1)
			if err != nil || x.Account != want {
				rt.Fatalf("account %+v, want %+v: %v", x.Account, want, err)
			}
			if used := add(rt, want.Reserved, want.Charged); used.Cmp(deposit) > 0 {
				rt.Fatalf("overdrawn: %s", used)
			}
			m, err := s.Miner(ctx, miner)
			if err != nil || m.Total != earned {
				rt.Fatalf("miner has %s, jobs earned %s: %v", m.Total, earned, err)
			}
			if bad, err := s.Imbalance(ctx); bad != 0 || err != nil {
				rt.Fatalf("session %d differs from its journal: %v", bad, err)
			}
		}
	})
}

func add(t *rapid.T, a, b market.Amount) market.Amount {
	c, err := a.Add(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConcurrentReservationsNeverOverdraw(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "c.db"))
	defer func() { _ = s.Close() }()
	seed(t, s, market.Units(1000))
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for n := range 64 {
		wg.Go(func() {
			_, err := s.InsertJob(t.Context(), newJob(uint64(n+1), market.Units(100)))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				taken++
			} else if !errors.Is(err, market.ErrInsufficient) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken != 10 {
		t.Fatalf("%d of 10 reservations were taken", taken)
	}
}

func TestVoucherStopsBelowTheOldestOpenJob(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, filepath.Join(t.TempDir(), "c.db"))
	defer func() { _ = s.Close() }()
	seed(t, s, market.Units(1000))
	for n := range uint64(3) {
		j := newJob(n+1, market.Units(100))
		if _, err := s.InsertJob(ctx, j); err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			continue // stays open
		}
		if _, err := s.Assign(ctx, j.ID, miner, "l"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Complete(ctx, completion(j, "l", market.Units(50))); err != nil {
			t.Fatal(err)
		}
	}
	root := func(p *sqlite.Plan) common.Hash { return common.Hash{byte(len(p.Receipts))} }
	b, err := s.BuildBatch(ctx, 10, 0, 0, root)
	if err != nil || b == nil || len(b.Plan.Jobs) != 1 || b.Plan.Vouchers[0].Through != 1 || b.Plan.Vouchers[0].Cumulative != market.Units(50) {
		t.Fatalf("batch %+v: %v", b, err)
	}
	if b, err := s.BuildBatch(ctx, 10, 0, 0, root); b != nil || err != nil {
		t.Fatalf("batch %+v: %v", b, err)
	}
	if _, err := s.End(ctx, newJob(2, market.Amount{}).ID, market.Failed, "", "", 0); err != nil {
		t.Fatal(err)
	}
	b, err = s.BuildBatch(ctx, 10, 0, 0, root)
	if err != nil || b == nil || b.Plan.Vouchers[0].Through != 3 || b.Plan.Vouchers[0].Cumulative != market.Units(100) {
		t.Fatalf("batch %+v: %v", b, err)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "c.db"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.PutMeta(t.Context(), "a", "b"); !errors.Is(err, sqlite.ErrClosed) {
		t.Fatalf("write on a closed store: %v", err)
	}
}

// Two askers of the chain may come back in the wrong order: what is older must
// not open a closing session again, or take a deposit back.
func TestOlderWordOfTheChainChangesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, filepath.Join(t.TempDir(), "c.db"))
	defer func() { _ = s.Close() }()
	older := sqlite.Session{ID: 1, Client: client, Account: market.SessionAccount{Deposit: market.Units(5)}, DueAt: 900, Expiry: 900, State: sqlite.SessionOpen}
	newer := older
	newer.Account.Deposit, newer.Debited, newer.DueAt, newer.State = market.Units(9), market.Units(3), 500, sqlite.SessionClosing
	for _, x := range []sqlite.Session{older, newer, older} {
		if err := s.PutSession(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Session(ctx, 1)
	if err != nil || got.State != sqlite.SessionClosing || got.DueAt != 500 || got.Account.Deposit != market.Units(9) || got.Debited != market.Units(3) {
		t.Fatalf("%+v, %v", got, err)
	}
}

// Anybody may have keys made in a client's name; the client's own is still found.
func TestSpenderIsFoundAmongMany(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, filepath.Join(t.TempDir(), "c.db"))
	defer func() { _ = s.Close() }()
	address := func(n uint64) (common.Address, error) { return common.Address{1, byte(n >> 8), byte(n)}, nil }
	first, err := s.NewSpender(ctx, client, 0, address)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 1500 {
		wg.Go(func() {
			if _, err := s.NewSpender(ctx, client, 0, address); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := s.Spender(ctx, client, first); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := s.Spender(ctx, miner, first); !errors.Is(err, sqlite.ErrNotFound) {
		t.Fatalf("another client's key: %v", err)
	}
}
