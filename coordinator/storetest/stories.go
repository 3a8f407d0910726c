package storetest

import (
	"errors"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// huge does not fit 64 bits, nor a float's mantissa.
func huge(t testing.TB) market.Amount {
	t.Helper()
	a, err := market.ParseAmount("340282366920938463463374607431768211454")
	ok(t, err)
	return a
}

// stories tests what a store does, one thing after another.
func stories(t *testing.T, back New) {
	for name, story := range map[string]func(*testing.T, New){
		"VoucherStopsBelowTheOldestOpenJob": voucherStops, "ClosedStoreRefuses": closedRefuses, "OlderWordOfTheChainChangesNothing": olderWord,
		"AmountsAreExact": amountsAreExact, "JobKeepsEverything": jobKeeps, "IdempotencyKeyBelongsToItsSession": idempotency, "NumbersFollowOneAnother": numbers,
		"SignerThatFailsChangesNothing": signerFails, "BatchGoesItsWay": batchWay, "WhatTheChainDidNotPayStaysCharged": unpaid, "RecordsAreFoundAgain": records,
		"EndingKnowsTheLease": endings, "LastCommitOutlivesTheProcess": outlives, "UnknownIsNotFound": unknown, "ClientsVoucherMustBeRight": clientsVoucher, "OrdersWithoutVoucherAreSettledAlone": alone, "VoucherIsNotCutByABatch": voucherWhole, "SessionsTakeTurnsInBatches": turns, "AlteredBooksAreNoticed": altered,
		"KeysAreFoundAndForgotten": keys, "BudgetIsHard": budget, "BudgetWindowsBegin": windows, "WhatIsUsedIsUsed": usedOnce, "AuditLogIsAChain": auditLog,
		"FilesAreKeptForATime": files, "BulksGoTheirWay": bulks, "ContentIsDropped": contentDropped,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); story(t, back) })
	}
}

func voucherStops(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	var open *ledger.Job
	for n := range 3 {
		j := insert(t, s, 1, market.Units(100))
		if n == 1 {
			open = j
			continue
		}
		charge(t, s, j, 2, market.Units(50))
	}
	b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 10}, root)
	if err != nil || b == nil || len(b.Plan.Jobs) != 1 || b.Plan.Vouchers[0].Through != 1 || b.Plan.Vouchers[0].Cumulative != market.Units(50) {
		t.Fatalf("batch %+v: %v", b, err)
	}
	if b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 10}, root); b != nil || err != nil {
		t.Fatalf("batch %+v: %v", b, err)
	}
	_, err = s.End(ctx, ledger.Ending{Job: open.ID, State: market.Failed})
	ok(t, err)
	b, err = s.BuildBatch(ctx, ledger.Gathering{Max: 10}, root)
	if err != nil || b == nil || b.Plan.Vouchers[0].Through != 3 || b.Plan.Vouchers[0].Cumulative != market.Units(100) {
		t.Fatalf("batch %+v: %v", b, err)
	}
	balanced(t, s)
}

func closedRefuses(t *testing.T, back New) {
	s := back(t)()
	ok(t, s.Close())
	if err := s.PutMeta(t.Context(), "a", "b"); !errors.Is(err, ledger.ErrClosed) {
		t.Fatalf("write on a closed store: %v", err)
	}
}

// Two askers of the chain may come back in the wrong order: what is older must
// not open a closing session again, or take a deposit back.
func olderWord(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	older := ledger.Session{ID: 1, Client: address(100), Account: market.SessionAccount{Deposit: market.Units(5)}, DueAt: 900, Expiry: 900, State: ledger.SessionOpen}
	newer := older
	newer.Account.Deposit, newer.Debited, newer.DueAt, newer.State = market.Units(9), market.Units(3), 500, ledger.SessionClosing
	for _, x := range []ledger.Session{older, newer, older} {
		ok(t, s.PutSession(ctx, x))
	}
	if got, err := s.Session(ctx, 1); err != nil || got != newer {
		t.Fatalf("%+v, %v", got, err)
	}
	newer.State = ledger.SessionClosed
	ok(t, s.PutSession(ctx, newer))
	if all, err := s.Sessions(ctx); err != nil || len(all) != 0 {
		t.Fatalf("a closed session is listed: %+v, %v", all, err)
	}
}

// The largest amounts go in and out to the unit.
func amountsAreExact(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	deposit := huge(t)
	seed(t, s, 1, 2, deposit)
	j := insert(t, s, 1, deposit)
	if _, err := s.InsertJob(ctx, draft(1, market.Units(1)), sign, nil); !errors.Is(err, market.ErrInsufficient) {
		t.Fatalf("one unit too much was reserved: %v", err)
	}
	price, err := deposit.Sub(market.Units(3))
	ok(t, err)
	done := charge(t, s, j, 2, price)
	want, err := market.Divide(market.Amount{}, price, feeBps, marginBps)
	ok(t, err)
	if done.Fee != want.Fee || done.Earned != want.Miner {
		t.Fatalf("fee %s, earned %s, want %+v", done.Fee, done.Earned, want)
	}
	insert(t, s, 1, market.Units(3))
	if _, err := s.InsertJob(ctx, draft(1, market.Units(1)), sign, nil); !errors.Is(err, market.ErrInsufficient) {
		t.Fatalf("more than the deposit was reserved: %v", err)
	}
	a := balanced(t, s)
	if a.Journal.Fees != want.Fee || a.Journal.Margin != want.Margin || a.Journal.Earned[address(2)] != want.Miner {
		t.Fatalf("journal %+v, want %+v", a.Journal, want)
	}
}

func jobKeeps(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	j := draft(1, market.Units(100))
	j.IdemKey, j.IdemHash, j.Created, j.Request = "k", []byte{1, 2}, 5, []byte("{\"prompt\":\"a\x00b\"}")
	_, err := s.InsertJob(ctx, j, sign, nil)
	ok(t, err)
	got, err := s.Job(ctx, j.ID)
	ok(t, err)
	if !reflect.DeepEqual(got, j) {
		t.Fatalf("read\n%+v, wrote\n%+v", got, j)
	}
	ok(t, s.RequestCancel(ctx, j.ID))
	leased, err := s.Assign(ctx, j.ID, address(2), "lease")
	if err != nil || !leased.Cancel || leased.Attempts != 1 || leased.Miner != address(2) || leased.Lease != "lease" || leased.State != market.Assigned {
		t.Fatalf("%+v, %v", leased, err)
	}
	c := completion(j, 2, "lease", market.Units(50))
	c.At, c.FirstToken, c.Output = 9, 8, "zero \x00 and \xff are bytes of an answer, too"
	done, err := s.Complete(ctx, c)
	ok(t, err)
	if got, err = s.Job(ctx, j.ID); err != nil || !reflect.DeepEqual(got, done) {
		t.Fatalf("read\n%+v, completed\n%+v: %v", got, done, err)
	}
	if done.Payment != market.Charged || done.Output != c.Output || done.Signed.MinerTotal != done.Earned || done.Finished != 9 || done.FirstToken != 8 || done.Usage.CompletionTokens != 2 {
		t.Fatalf("%+v", done)
	}
	if id, err := s.JobByReceipt(ctx, c.ReceiptID); err != nil || id != j.ID {
		t.Fatalf("by receipt: %s, %v", id, err)
	}
	_, err = s.End(ctx, ledger.Ending{Job: j.ID, Anyhow: true, State: market.Expired})
	ok(t, err)
	if _, err := s.Complete(ctx, c); err == nil {
		t.Fatal("a job was completed twice")
	}
	if again, err := s.Job(ctx, j.ID); err != nil || !reflect.DeepEqual(again, done) {
		t.Fatalf("a finished job changed to %+v: %v", again, err)
	}
	balanced(t, s)
}

func idempotency(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	seed(t, s, 2, 2, market.Units(1000))
	keyed := func(session uint64, hash byte) (*ledger.Job, *ledger.Job, error) {
		j := draft(session, market.Units(10))
		j.IdemKey, j.IdemHash = "key", []byte{hash}
		old, err := s.InsertJob(ctx, j, sign, nil)
		return j, old, err
	}
	first, old, err := keyed(1, 1)
	if err != nil || old != nil {
		t.Fatalf("%+v, %v", old, err)
	}
	if _, old, err := keyed(1, 1); err != nil || old == nil || old.ID != first.ID {
		t.Fatalf("again: %+v, %v", old, err)
	}
	if _, _, err := keyed(1, 2); !errors.Is(err, ledger.ErrIdempotency) {
		t.Fatalf("with another request: %v", err)
	}
	if _, old, err := keyed(2, 2); err != nil || old != nil {
		t.Fatalf("in another session: %+v, %v", old, err)
	}
	if x, err := s.Session(ctx, 1); err != nil || x.Account.Reserved != market.Units(10) || x.Number != 1 {
		t.Fatalf("%+v, %v", x, err)
	}
	balanced(t, s)
}

// What is refused takes no number.
func numbers(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(35))
	for want := uint64(1); want <= 3; want++ {
		if j := insert(t, s, 1, market.Units(10)); j.Number != want {
			t.Fatalf("number %d, want %d", j.Number, want)
		}
		if _, err := s.InsertJob(ctx, draft(1, market.Units(36)), sign, nil); !errors.Is(err, market.ErrInsufficient) {
			t.Fatalf("overdrawn: %v", err)
		}
	}
}

func signerFails(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	broken := errors.New("no key")
	if _, err := s.InsertJob(ctx, draft(1, market.Units(10)), func(*ledger.Job) error { return broken }, nil); !errors.Is(err, broken) {
		t.Fatalf("%v", err)
	}
	j := insert(t, s, 1, market.Units(10))
	_, err := s.Assign(ctx, j.ID, address(2), "lease")
	ok(t, err)
	c := completion(j, 2, "lease", market.Units(5))
	sound := c.Countersign
	c.Countersign = func(market.Amount) (receipt.Signature, error) { return receipt.Signature{}, broken }
	if _, err := s.Complete(ctx, c); !errors.Is(err, broken) {
		t.Fatalf("%v", err)
	}
	if x, err := s.Session(ctx, 1); err != nil || x.Number != 1 || !x.Account.Charged.IsZero() || x.Account.Reserved != market.Units(10) {
		t.Fatalf("%+v, %v", x, err)
	}
	c.Countersign = sound
	_, err = s.Complete(ctx, c)
	ok(t, err)
	balanced(t, s)
}

func batchWay(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	seed(t, s, 2, 3, market.Units(1000))
	if b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 10}, root); b != nil || err != nil {
		t.Fatalf("a batch of nothing: %+v, %v", b, err)
	}
	var jobs []*ledger.Job
	for n := range 4 {
		jobs = append(jobs, charge(t, s, insert(t, s, uint64(1+n%2), market.Units(100)), byte(2+n%2), market.Units(40)))
	}
	b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 3, FromBlock: 77}, root)
	if err != nil || b == nil || len(b.Plan.Jobs) != 3 || len(b.Plan.Leaves) != 3 || len(b.Plan.Vouchers) != 2 || len(b.Plan.Credits) != 2 || len(b.Plan.Signers) != 2 || b.FromBlock != 77 {
		t.Fatalf("batch %+v: %v", b, err)
	}
	rest, err := s.BuildBatch(ctx, ledger.Gathering{Max: 3, FromBlock: 78}, root)
	if err != nil || rest == nil || len(rest.Plan.Jobs) != 1 || rest.Plan.Vouchers[0].Cumulative != market.Units(80) {
		t.Fatalf("rest %+v: %v", rest, err)
	}
	stored, err := s.Batch(ctx, b.ID)
	ok(t, err)
	b.Plan.Receipts, b.Plan.More, b.Plan.Next = nil, false, 0 // of the gathering alone
	if !reflect.DeepEqual(stored, b) {
		t.Fatalf("stored %+v, built %+v", stored, b)
	}
	ok(t, s.BatchMined(ctx, b.ID, common.Hash{9}, 80, ledger.Paid{Sessions: []uint64{1, 2}}, 700))
	ok(t, s.BatchMined(ctx, b.ID, common.Hash{8}, 81, ledger.Paid{Sessions: []uint64{1, 2}}, 701)) // changes nothing
	ok(t, s.BatchProved(ctx, b.ID, "proof"))
	if open, err := s.OpenBatches(ctx); err != nil || len(open) != 1 || open[0].ID != rest.ID {
		t.Fatalf("open %+v: %v", open, err)
	}
	j, err := s.Job(ctx, jobs[0].ID)
	if err != nil || j.Payment != market.Settled || j.Block != 80 || j.Tx != (common.Hash{9}) || j.Batch != b.ID || j.SettledAt != 700 {
		t.Fatalf("%+v, %v", j, err)
	}
	if got, err := s.Batch(ctx, b.ID); err != nil || got.State != ledger.BatchProved || got.Proof != "proof" || got.Block != 80 {
		t.Fatalf("%+v, %v", got, err)
	}
	x, err := s.Session(ctx, 1)
	if err != nil || x.Settled != market.Units(80) || x.SettledThrough != 2 || x.Vouched != market.Units(80) {
		t.Fatalf("%+v, %v", x, err)
	}
	if w, err := s.Miner(ctx, address(2)); err != nil || w.Settled != b.Plan.Credits[0].Total || w.Settled != w.Total {
		t.Fatalf("%+v, %v", w, err)
	}
	if a := balanced(t, s); len(a.Open) != 1 || a.Jobs[1].Settled != market.Units(80) || a.Jobs[2].Charged != market.Units(40) {
		t.Fatalf("%+v", a)
	}
}

func unpaid(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	seed(t, s, 2, 2, market.Units(1000))
	one, two := charge(t, s, insert(t, s, 1, market.Units(100)), 2, market.Units(40)), charge(t, s, insert(t, s, 2, market.Units(100)), 2, market.Units(40))
	b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 10}, root)
	ok(t, err)
	ok(t, s.BatchMined(ctx, b.ID, common.Hash{9}, 80, ledger.Paid{Sessions: []uint64{2}}, 1))
	for id, want := range map[common.Hash]market.PaymentState{one.ID: market.Charged, two.ID: market.Settled} {
		if j, err := s.Job(ctx, id); err != nil || j.Payment != want {
			t.Fatalf("%+v, want %s: %v", j, want, err)
		}
	}
	if x, err := s.Session(ctx, 1); err != nil || !x.Settled.IsZero() {
		t.Fatalf("%+v, %v", x, err)
	}
	for batch, want := range map[uint64]uint64{0: 1, b.ID: 1, b.ID + 1: 0} {
		if n, err := s.SettledJobs(ctx, batch); err != nil || n[address(2)] != want || len(n) > 1 {
			t.Fatalf("batch %d: %v jobs settled, want %d: %v", batch, n, want, err)
		}
	}
	balanced(t, s)
}

func records(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	w := ledger.Miner{Address: address(2), Signer: address(9), Offers: []byte(`[{"model":"m"}]`), Slots: 3, Seen: 7}
	charge(t, s, insert(t, s, 1, market.Units(100)), 2, market.Units(40))
	ok(t, s.PutMiner(ctx, w))
	ok(t, s.SetCredited(ctx, w.Address, market.Units(5)))
	got, err := s.Miner(ctx, w.Address)
	if err != nil || got.Signer != w.Signer || string(got.Offers) != string(w.Offers) || got.Slots != 3 || got.Seen != 7 || got.Completed != 1 || got.Total.IsZero() || got.Credited != market.Units(5) {
		t.Fatalf("%+v, %v", got, err)
	}
	if all, err := s.Miners(ctx); err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], got) {
		t.Fatalf("%+v, %v", all, err)
	}
	ok(t, s.PutMeta(ctx, "a", "1"))
	ok(t, s.PutMeta(ctx, "a", "2"))
	if v, err := s.Meta(ctx, "a"); err != nil || v != "2" {
		t.Fatalf("%q, %v", v, err)
	}
	if v, err := s.Meta(ctx, "b"); err != nil || v != "" {
		t.Fatalf("%q, %v", v, err)
	}
	for n := range 3 {
		j := draft(1, market.Units(1))
		j.Created = int64(n)
		_, err := s.InsertJob(ctx, j, sign, nil)
		ok(t, err)
	}
	mine, err := s.Jobs(ctx, address(100), 1, 2)
	if err != nil || len(mine) != 2 || mine[0].Number != 4 || mine[1].Number != 3 {
		t.Fatalf("%+v, %v", mine, err)
	}
	for _, x := range []struct {
		account common.Address
		session uint64
		want    int
	}{{address(100), 1, 1}, {address(2), 0, 1}, {address(3), 0, 0}, {address(100), 2, 0}} {
		if list, err := s.ReceiptJobs(ctx, x.account, x.session, 9); err != nil || len(list) != x.want {
			t.Errorf("receipts of %+v: %d, %v", x, len(list), err)
		}
	}
	if open, err := s.OpenJobs(ctx); err != nil || len(open) != 3 || open[0].Number != 2 || open[2].Number != 4 {
		t.Fatalf("%+v, %v", open, err)
	}
}

func endings(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	j := insert(t, s, 1, market.Units(10))
	_, err := s.Assign(ctx, j.ID, address(2), "one")
	ok(t, err)
	for _, lease := range []string{"", "two"} {
		if _, err := s.End(ctx, ledger.Ending{Job: j.ID, Lease: lease, State: market.Canceled}); !errors.Is(err, ledger.ErrNotAssigned) {
			t.Fatalf("ended under lease %q: %v", lease, err)
		}
		if err := s.Requeue(ctx, j.ID, lease, false); !errors.Is(err, ledger.ErrNotAssigned) {
			t.Fatalf("requeued under lease %q: %v", lease, err)
		}
		if _, err := s.Complete(ctx, completion(j, 2, lease, market.Units(1))); !errors.Is(err, ledger.ErrNotAssigned) {
			t.Fatalf("completed under lease %q: %v", lease, err)
		}
	}
	if _, err := s.Complete(ctx, completion(j, 3, "one", market.Units(1))); err == nil {
		t.Fatal("a stranger completed it")
	}
	if _, err := s.Complete(ctx, completion(j, 2, "one", market.Units(11))); err == nil {
		t.Fatal("more than the reservation was charged")
	}
	ok(t, s.Requeue(ctx, j.ID, "one", false))
	_, err = s.Assign(ctx, j.ID, address(2), "unheard")
	ok(t, err)
	ok(t, s.Requeue(ctx, j.ID, "unheard", true))
	te := (*market.TransitionError)(nil)
	if _, err := s.Complete(ctx, completion(j, 2, "one", market.Units(1))); !errors.Is(err, ledger.ErrNotAssigned) {
		t.Fatalf("completed out of the queue: %v", err)
	}
	_, err = s.Assign(ctx, j.ID, address(2), "two")
	ok(t, err)
	if _, err := s.Assign(ctx, j.ID, address(2), "three"); !errors.As(err, &te) {
		t.Fatalf("leased twice: %v", err)
	}
	got, err := s.End(ctx, ledger.Ending{Job: j.ID, Lease: "two", State: market.Failed, Code: "x", Message: "y", At: 3})
	if err != nil || got.Payment != market.Refunded || got.ErrorCode != "x" || got.ErrorMessage != "y" || got.Finished != 3 || got.Attempts != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if x, err := s.Session(ctx, 1); err != nil || !x.Account.Reserved.IsZero() {
		t.Fatalf("%+v, %v", x, err)
	}
	late := insert(t, s, 1, market.Units(10))
	_, err = s.Assign(ctx, late.ID, address(2), "one")
	ok(t, err)
	if got, err := s.End(ctx, ledger.Ending{Job: late.ID, Anyhow: true, State: market.Expired}); err != nil || got.State != market.Expired {
		t.Fatalf("%+v, %v", got, err)
	}
	balanced(t, s)
}

func outlives(t *testing.T, back New) {
	ctx, open := t.Context(), back(t)
	s := open()
	seed(t, s, 1, 2, market.Units(1000))
	j := charge(t, s, insert(t, s, 1, market.Units(10)), 2, market.Units(4))
	b, err := s.BuildBatch(ctx, ledger.Gathering{Max: 9}, root)
	ok(t, err)
	ok(t, s.Close())
	s = open()
	t.Cleanup(func() { _ = s.Close() })
	if got, err := s.Job(ctx, j.ID); err != nil || got.Price != j.Price || got.Batch != b.ID {
		t.Fatalf("%+v, %v", got, err)
	}
	if next := insert(t, s, 1, market.Units(1)); next.Number != 2 {
		t.Fatalf("number %d", next.Number)
	}
	balanced(t, s)
}

func unknown(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	_, job := s.Job(ctx, common.Hash{1})
	_, session := s.Session(ctx, 9)
	_, miner := s.Miner(ctx, address(9))
	_, key := s.Key(ctx, common.Hash{1})
	_, batch := s.Batch(ctx, 9)
	_, byReceipt := s.JobByReceipt(ctx, common.Hash{1})
	_, insert := s.InsertJob(ctx, draft(9, market.Units(1)), sign, nil)
	_, assign := s.Assign(ctx, common.Hash{1}, address(2), "l")
	_, end := s.End(ctx, ledger.Ending{Job: common.Hash{1}, State: market.Failed})
	_, spender := s.Spender(ctx, address(100), address(9))
	for name, err := range map[string]error{
		"job": job, "session": session, "miner": miner, "key": key, "batch": batch, "receipt": byReceipt, "insert": insert, "assign": assign, "end": end, "spender": spender,
		"requeue": s.Requeue(ctx, common.Hash{1}, "l", true), "mined": s.BatchMined(ctx, 9, common.Hash{}, 1, ledger.Paid{}, 1),
		"hold": s.HoldMiner(ctx, address(9), ledger.HoldBlock, ledger.Event{}), "remove": s.RemoveKey(ctx, address(1), common.Hash{1}, ledger.Event{}),
	} {
		if !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A session of which somebody changed one unit does not pass the check.
func altered(t *testing.T, back New) {
	s := fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	charge(t, s, insert(t, s, 1, market.Units(10)), 2, market.Units(4))
	insert(t, s, 1, market.Units(10))
	a := balanced(t, s)
	for what, change := range map[string]*market.Amount{"reserved": &a.Sessions[0].Account.Reserved, "charged": &a.Sessions[0].Account.Charged, "settled": &a.Sessions[0].Settled, "earned": &a.Miners[0].Total} {
		was := *change
		var err error
		*change, err = was.Add(market.Units(1))
		ok(t, err)
		bad := a.Check()
		if len(bad) == 0 || bad[0].What != what || bad[0].By != market.Units(1) {
			t.Errorf("%s: %+v", what, bad)
		}
		*change = was
	}
}
