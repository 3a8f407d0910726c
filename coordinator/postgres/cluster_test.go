package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/postgres"
	"github.com/aitbc/aitbc/internal/pgtest"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// joined opens a replica and has it say that it lives.
func joined(t *testing.T, url string) (*postgres.Store, ledger.View) {
	t.Helper()
	s := open(t, url)
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, beat(t, s)
}

func beat(t *testing.T, s *postgres.Store) ledger.View {
	t.Helper()
	v, err := s.Beat(t.Context(), []byte("[]"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// until asks again and again, for some seconds.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("there never was %s", what)
		}
	}
}

// One replica leads; when it is silent another does, and the first may neither
// build a batch nor send one. A batch keeps its nonce until that was used.
func TestLeaderIsFenced(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.Start(t).URL()
	a, va := joined(t, url)
	b, vb := joined(t, url)
	if !va.Leader || vb.Leader || len(vb.Peers) != 1 || vb.Peers[0].ID != va.Me {
		t.Fatalf("%+v and %+v", va, vb)
	}
	seedCharged(t, a)
	root := func(*ledger.Plan) common.Hash { return common.Hash{1} }
	if _, err := b.BuildBatch(ctx, ledger.Gathering{Max: 10}, root); !errors.Is(err, ledger.ErrNotLeader) {
		t.Fatalf("the other built a batch: %v", err)
	}
	batch, err := a.BuildBatch(ctx, ledger.Gathering{Max: 10}, root)
	if err != nil || batch == nil {
		t.Fatalf("%+v, %v", batch, err)
	}
	pin := func(s *postgres.Store, next, want uint64, wantSame bool) {
		t.Helper()
		if n, same, err := s.PinNonce(ctx, batch.ID, next); err != nil || n != want || same != wantSame {
			t.Fatalf("nonce %d, %v, %v; want %d, %v", n, same, err, want, wantSame)
		}
	}
	pin(a, 7, 7, true)
	pin(a, 7, 7, true)
	until(t, "another leader", func() bool { return beat(t, b).Leader })
	if _, _, err := a.PinNonce(ctx, batch.ID, 7); !errors.Is(err, ledger.ErrNotLeader) {
		t.Fatalf("the old leader sends: %v", err)
	}
	if _, err := a.BuildBatch(ctx, ledger.Gathering{Max: 10}, root); err != nil && !errors.Is(err, ledger.ErrNotLeader) {
		t.Fatalf("the old leader settles: %v", err)
	}
	pin(b, 7, 7, true)  // the same, as nothing used it
	pin(b, 9, 9, false) // what used it has to be looked at
	pin(b, 9, 9, true)
	if err := b.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Beat(ctx, []byte("[]")); err != nil { // nobody took over: it is not forgotten
		t.Fatal(err)
	}
	if v := beat(t, a); !v.Leader {
		t.Fatalf("nobody leads after the leader left: %+v", v)
	}
}

// A lease is minded by one replica: another's requeue changes nothing, until the
// first is gone or the miner talks to the other.
func TestLeaseHasOneOwner(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.Start(t).URL()
	a, va := joined(t, url)
	b, vb := joined(t, url)
	notes := make(chan ledger.Note, 100)
	listening, stop := context.WithCancel(ctx)
	defer stop()
	heard := make(chan error, 1)
	var life sync.WaitGroup
	defer life.Wait()
	defer stop()
	life.Go(func() { heard <- b.Listen(listening, func(n ledger.Note) { notes <- n }) })
	if n := <-notes; n.Kind != ledger.NoteLost {
		t.Fatalf("%+v", n)
	}
	id := seedLeased(t, a)
	if n := <-notes; n.Kind != ledger.NoteJobs || n.From != va.Me || n.Jobs[0] != id {
		t.Fatalf("%+v", n)
	}
	if err := b.Requeue(ctx, id, "lease", false); !errors.Is(err, ledger.ErrNotAssigned) {
		t.Fatalf("requeued by the other: %v", err)
	}
	if _, err := b.End(ctx, ledger.Ending{Job: id, Lease: "lease", State: market.Failed}); !errors.Is(err, ledger.ErrNotAssigned) {
		t.Fatalf("ended by the other: %v", err)
	}
	if _, err := b.Adopt(ctx, id, common.Address{9}, "lease"); !errors.Is(err, ledger.ErrNotAssigned) {
		t.Fatalf("adopted for a stranger: %v", err)
	}
	if taken, err := b.TakeOver(ctx); err != nil || len(taken) != 0 {
		t.Fatalf("taken from the living: %+v, %v", taken, err)
	}
	j, err := b.Adopt(ctx, id, common.Address{2}, "")
	if err != nil || j.Owner != vb.Me {
		t.Fatalf("%+v, %v", j, err)
	}
	if err := a.Requeue(ctx, id, "lease", false); !errors.Is(err, ledger.ErrNotAssigned) {
		t.Fatalf("requeued by the old owner: %v", err)
	}
	if _, err := a.Adopt(ctx, id, common.Address{2}, "lease"); err != nil {
		t.Fatal(err)
	}
	// The first says nothing any more.
	until(t, "a takeover", func() bool {
		beat(t, b)
		taken, err := b.TakeOver(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return len(taken) == 1 && taken[0].ID == id && taken[0].Owner == vb.Me
	})
	if _, err := a.Beat(ctx, []byte("[]")); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("the dead replica was not told: %v", err)
	}
	if err := b.Requeue(ctx, id, "lease", false); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-heard; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func seedLeased(t *testing.T, s *postgres.Store) common.Hash {
	t.Helper()
	ctx := t.Context()
	j := &ledger.Job{Session: 1, Client: common.Address{1}, MaxPrice: market.Units(10), Request: []byte("{}")}
	err := errors.Join(
		s.PutSession(ctx, ledger.Session{ID: 1, Client: common.Address{1}, SpenderN: 1, Account: market.SessionAccount{Deposit: market.Units(100)}, FeeBps: 250, State: ledger.SessionOpen}),
		s.PutMiner(ctx, ledger.Miner{Address: common.Address{2}, Offers: []byte("[]")}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.InsertJob(ctx, j, func(j *ledger.Job) error { j.ID = common.Hash{3, byte(j.Number)}; return nil }, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Assign(ctx, j.ID, common.Address{2}, "lease"); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

func seedCharged(t *testing.T, s *postgres.Store) {
	t.Helper()
	id := seedLeased(t, s)
	c := ledger.Completion{Job: id, Miner: common.Address{2}, Lease: "lease", State: market.Completed, ReceiptID: id}
	c.Receipt.Version, c.Receipt.Price = 1, market.Units(5)
	c.Countersign = func(market.Amount) (receipt.Signature, error) { return receipt.Signature{}, nil }
	if _, err := s.Complete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}
