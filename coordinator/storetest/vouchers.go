package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// selfSigned puts a session into a store whose client signs, and miner 2.
func selfSigned(t testing.TB, s Store, session uint64) {
	t.Helper()
	ok(t, s.PutSession(t.Context(), ledger.Session{ID: session, Client: address(100), Account: market.SessionAccount{Deposit: market.Units(1_000_000)}, Expiry: 1000, DueAt: 1000, FeeBps: feeBps, State: ledger.SessionOpen}))
	ok(t, s.PutMiner(t.Context(), ledger.Miner{Address: address(2), Offers: []byte("[]"), Slots: 1}))
}

func voucher(session, through, cumulative uint64) ledger.Voucher {
	v := ledger.Voucher{Voucher: receipt.Voucher{Session: session, Through: through, Cumulative: market.Units(cumulative)}}
	v.Signature[0], v.Signature[64] = byte(through), 27
	return v
}

// later is when every order has waited long enough for its voucher.
var later = ledger.Gathering{Max: 10, Alone: 100}

func clientsVoucher(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	selfSigned(t, s, 1)
	for n := range 3 {
		j := insert(t, s, 1, market.Units(100))
		if n == 1 {
			_, err := s.End(ctx, ledger.Ending{Job: j.ID, State: market.Failed})
			ok(t, err)
			continue
		}
		charge(t, s, j, 2, market.Units(50))
	}
	open := insert(t, s, 1, market.Units(100))
	for what, v := range map[string]ledger.Voucher{
		"a unit too much": voucher(1, 3, 101), "a unit too little": voucher(1, 3, 99), "an open order": voucher(1, 4, 100), "no such order": voucher(1, 5, 100),
		"less than its orders": voucher(1, 2, 49),
	} {
		bad := (*ledger.VoucherError)(nil)
		if err := s.PutVoucher(ctx, v); !errors.As(err, &bad) || bad.Due != voucher(1, 3, 100).Voucher {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.PutVoucher(ctx, voucher(9, 1, 1)); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("no such session: %v", err)
	}
	none := ledger.Gathering{Max: 10, Alone: -1}
	if b, err := s.BuildBatch(ctx, none, root); b != nil || err != nil {
		t.Fatalf("settled without a voucher: %+v, %v", b, err)
	}
	ok(t, s.PutVoucher(ctx, voucher(1, 2, 50)))
	ok(t, s.PutVoucher(ctx, voucher(1, 3, 100)))
	ok(t, s.PutVoucher(ctx, voucher(1, 3, 100))) // again
	if err := s.PutVoucher(ctx, voucher(1, 2, 50)); err == nil {
		t.Error("a voucher went back")
	}
	last, after, err := s.Vouched(ctx, 1)
	if err != nil || last != voucher(1, 3, 100) || len(after) != 1 || after[0].Number != open.Number || after[0].Payment != market.Reserved {
		t.Fatalf("%+v %+v %v", last, after, err)
	}
	if v, err := s.LastVoucher(ctx, 1); err != nil || v != last {
		t.Fatalf("%+v, %v", v, err)
	}
	if v, err := s.LastVoucher(ctx, 2); err != nil || v != (ledger.Voucher{Voucher: receipt.Voucher{Session: 2}}) {
		t.Fatalf("%+v, %v", v, err)
	}
	b, err := s.BuildBatch(ctx, none, root)
	if err != nil || b == nil || len(b.Plan.Jobs) != 2 || len(b.Plan.Vouchers) != 1 || b.Plan.Vouchers[0] != voucher(1, 3, 100).Voucher || b.Plan.Signatures[0] != voucher(1, 3, 100).Signature || b.Plan.Spenders[0] != 0 {
		t.Fatalf("batch %+v: %v", b, err)
	}
	ok(t, s.BatchMined(ctx, b.ID, common.Hash{1}, 7, ledger.Paid{Sessions: []uint64{1}}, 1))
	if x, err := s.Session(ctx, 1); err != nil || x.Settled != market.Units(100) || x.SettledThrough != 3 || x.Through != 3 || x.Vouched != market.Units(100) {
		t.Fatalf("%+v, %v", x, err)
	}
	balanced(t, s)
}

// A client that goes away after its orders has still paid.
func alone(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	selfSigned(t, s, 1)
	var jobs []*ledger.Job
	for range 3 {
		jobs = append(jobs, charge(t, s, insert(t, s, 1, market.Units(100)), 2, market.Units(50)))
	}
	ok(t, s.PutVoucher(ctx, voucher(1, 1, 50)))
	b, err := s.BuildBatch(ctx, later, root)
	if err != nil || b == nil || len(b.Plan.Jobs) != 3 || len(b.Plan.Vouchers) != 1 || b.Plan.Vouchers[0].Through != 1 || len(b.Plan.Singles) != 2 || b.Plan.Singles[1].Job != jobs[2].ID || b.Plan.Singles[1].Price != market.Units(50) {
		t.Fatalf("batch %+v: %v", b, err)
	}
	// On the chain a voucher below them would pay nothing any more.
	if err := s.PutVoucher(ctx, voucher(1, 2, 100)); err == nil {
		t.Fatal("a voucher was taken below an order that is settled alone")
	}
	// One of the two is refused by the chain.
	ok(t, s.BatchMined(ctx, b.ID, common.Hash{1}, 7, ledger.Paid{Sessions: []uint64{1}, Singles: []common.Hash{jobs[1].ID}}, 1))
	for i, want := range []market.PaymentState{market.Settled, market.Settled, market.Charged} {
		if j, err := s.Job(ctx, jobs[i].ID); err != nil || j.Payment != want {
			t.Errorf("job %d is %s: %v", i, j.Payment, err)
		}
	}
	if x, err := s.Session(ctx, 1); err != nil || x.Settled != market.Units(100) || x.SettledThrough != 1 || x.Alone != 3 || x.Vouched != market.Units(150) {
		t.Fatalf("%+v, %v", x, err)
	}
	ok(t, s.PutVoucher(ctx, voucher(1, 3, 150)))
	if b, err := s.BuildBatch(ctx, later, root); b != nil || err != nil {
		t.Fatalf("batch %+v: %v", b, err)
	}
	// The end of its session hurries an order.
	charge(t, s, insert(t, s, 1, market.Units(100)), 2, market.Units(50))
	if b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 10, Alone: -1, Due: 999}, root); b != nil || err != nil {
		t.Fatalf("batch %+v: %v", b, err)
	}
	if b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 10, Alone: -1, Due: 1000}, root); err != nil || b == nil || len(b.Plan.Singles) != 1 || len(b.Plan.Vouchers) != 0 {
		t.Fatalf("batch %+v: %v", b, err)
	}
	balanced(t, s)
}

// A session with more than a batch has room for lets the others come to their turn,
// also one whose voucher needs nearly all of a batch.
func turns(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	selfSigned(t, s, 2)
	seed(t, s, 3, 2, market.Units(1000))
	do := func(session uint64, n int) {
		t.Helper()
		for range n {
			charge(t, s, insert(t, s, session, market.Units(100)), 2, market.Units(50))
		}
	}
	do(1, 2)
	do(2, 3)
	do(3, 1)
	ok(t, s.PutVoucher(ctx, voucher(2, 3, 150)))
	from := uint64(0)
	for i, want := range []struct {
		jobs     int
		sessions []uint64
		more     bool
		next     uint64
	}{
		{2, []uint64{1}, true, 2},    // two of the next session's three, which one voucher pays for
		{3, []uint64{2}, true, 3},    // and another two of the first session have come
		{3, []uint64{1, 3}, true, 1}, // begins with the last, wraps to the first
		{2, []uint64{1}, false, 0},
	} {
		b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 4 - min(i, 1), From: from, Alone: 100}, root)
		if err != nil || b == nil || len(b.Plan.Jobs) != want.jobs || !slices.Equal(b.Plan.Sessions(), want.sessions) || b.Plan.More != want.more || b.Plan.Next != want.next {
			t.Fatalf("batch %d: %+v, %v", i, b, err)
		}
		if from = b.Plan.Next; i < 2 {
			do(1, 2)
		}
	}
	balanced(t, s)
}

// A voucher pays for all its orders at once: a batch that has no room for them
// takes an older voucher, or waits.
func voucherWhole(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	selfSigned(t, s, 2)
	charge(t, s, insert(t, s, 1, market.Units(100)), 2, market.Units(50))
	for range 4 {
		charge(t, s, insert(t, s, 2, market.Units(100)), 2, market.Units(50))
	}
	ok(t, s.PutVoucher(ctx, voucher(2, 2, 100)))
	ok(t, s.PutVoucher(ctx, voucher(2, 4, 200)))
	for i, want := range []struct{ jobs, vouchers, through int }{{1, 1, 1}, {3, 1, 4}} {
		b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 2 + i, Alone: 100}, root)
		if i == 1 { // with room for three, the older voucher first
			if err != nil || b == nil || len(b.Plan.Jobs) != 2 || b.Plan.Vouchers[0].Through != 2 || len(b.Plan.Singles) != 0 {
				t.Fatalf("batch %+v: %v", b, err)
			}
			b, err = s.BuildBatch(ctx, ledger.Gathering{Max: 3, Alone: 100}, root)
			want.jobs = 2
		}
		if err != nil || b == nil || len(b.Plan.Jobs) != want.jobs || len(b.Plan.Vouchers) != want.vouchers || int(b.Plan.Vouchers[0].Through) != want.through {
			t.Fatalf("%d: batch %+v: %v", i, b, err)
		}
	}
	balanced(t, s)
}
