package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// sessions and miners that [sequences] has. The last session's client signs itself.
const sessions = 2

// pair is a store and what it must equal.
type pair struct {
	rt    *rapid.T
	t     testing.TB
	store Store
	model *Memory
	jobs  []*ledger.Job
}

// sequences does use cases in any order to a store and to the model: both answer
// the same, and after each step no money was made, lost, overdrawn or paid twice.
func sequences(t *testing.T, back New) {
	rapid.Check(t, func(rt *rapid.T) {
		open := back(t)
		p := &pair{rt: rt, t: t, store: open(), model: NewMemory()}
		defer func() { _ = p.store.Close() }()
		for session := uint64(1); session <= sessions; session++ {
			x := ledger.Session{ID: session, Client: address(100), SpenderN: 3 - session, Account: market.SessionAccount{Deposit: market.Units(10_000)}, Expiry: 1000, DueAt: 1000, FeeBps: feeBps, State: ledger.SessionOpen}
			w := ledger.Miner{Address: address(byte(session)), Offers: []byte("[]"), Slots: 1}
			if err := errors.Join(p.store.PutSession(p.ctx(), x), p.model.PutSession(p.ctx(), x), p.store.PutMiner(p.ctx(), w), p.model.PutMiner(p.ctx(), w)); err != nil {
				rt.Fatal(err)
			}
		}
		key := ledger.Key{Scope: ledger.ScopeClient, Account: address(100), Budget: ledger.Budget{Total: market.Units(9000), Day: market.Units(5000), Month: market.Units(7000)}}
		if err := errors.Join(p.store.PutKey(p.ctx(), common.Hash{8}, key, 1, ledger.Event{}), p.model.PutKey(p.ctx(), common.Hash{8}, key, 1, ledger.Event{})); err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			p.step(open)
			p.same()
		}
	})
}

func (p *pair) ctx() context.Context { return context.WithoutCancel(p.t.Context()) }

// step does one thing to both.
func (p *pair) step(open func() Store) {
	rt := p.rt
	op := rapid.IntRange(0, 11).Draw(rt, "op")
	if len(p.jobs) == 0 {
		op = 0
	}
	units := func(most int, name string) market.Amount {
		return market.Units(uint64(rapid.IntRange(0, most).Draw(rt, name)))
	}
	switch op {
	case 0, 1:
		p.insert(units(4000, "max"))
	case 2:
		id, miner, lease := p.pick(), p.miner(), p.lease("")
		a, errA := p.store.Assign(p.ctx(), id, miner, lease)
		b, errB := p.model.Assign(p.ctx(), id, miner, lease)
		p.agree("assign", a, b, errA, errB)
		p.onDisk()
	case 3, 4:
		c := p.completion(units(4500, "price"))
		a, errA := p.store.Complete(p.ctx(), c)
		b, errB := p.model.Complete(p.ctx(), c)
		p.agree("complete", a, b, errA, errB)
	case 5:
		id := p.pick()
		e := ledger.Ending{Job: id, Lease: p.lease(p.now(id).Lease), Anyhow: rapid.Bool().Draw(rt, "anyhow"), State: rapid.SampledFrom([]market.JobState{market.Failed, market.Canceled, market.Expired}).Draw(rt, "end"), Code: "x", At: 1}
		a, errA := p.store.End(p.ctx(), e)
		b, errB := p.model.End(p.ctx(), e)
		p.agree("end", a, b, errA, errB)
	case 6:
		id := p.pick()
		lease := p.lease(p.now(id).Lease)
		unheard := rapid.Bool().Draw(rt, "unheard")
		p.agree("requeue", nil, nil, p.store.Requeue(p.ctx(), id, lease, unheard), p.model.Requeue(p.ctx(), id, lease, unheard))
	case 7:
		p.settle(rapid.IntRange(1, 5).Draw(rt, "batch"))
	case 8:
		id := p.pick()
		p.agree("cancel", nil, nil, p.store.RequestCancel(p.ctx(), id), p.model.RequestCancel(p.ctx(), id))
	case 9, 10:
		p.vouch(units(3, "by"))
	case 11:
		if err := p.store.Close(); err != nil {
			rt.Fatal(err)
		}
		p.store = open()
	}
}

// onDisk waits for a lease: reads see it for certain once a later write is on
// the disk, for then it is under it.
func (p *pair) onDisk() {
	if err := p.store.PutMeta(p.ctx(), "leased", "yes"); err != nil {
		p.rt.Fatal(err)
	}
}

func (p *pair) pick() common.Hash {
	return p.jobs[rapid.IntRange(0, len(p.jobs)-1).Draw(p.rt, "job")].ID
}

func (p *pair) miner() common.Address {
	return address(byte(rapid.IntRange(1, sessions).Draw(p.rt, "miner")))
}

// lease returns the right lease, mostly.
func (p *pair) lease(right string) string {
	if right != "" && rapid.IntRange(0, 3).Draw(p.rt, "right") > 0 {
		return right
	}
	return rapid.StringMatching("[a-z]{1,2}").Draw(p.rt, "lease")
}

// now returns a job as the model has it.
func (p *pair) now(id common.Hash) *ledger.Job {
	j, err := p.model.Job(p.ctx(), id)
	if err != nil {
		p.rt.Fatal(err)
	}
	return j
}

func (p *pair) insert(most market.Amount) {
	j := draft(uint64(rapid.IntRange(1, sessions).Draw(p.rt, "session")), most)
	if key := rapid.IntRange(0, 4).Draw(p.rt, "key"); key > 0 {
		j.IdemKey, j.IdemHash = string(rune('a'+key)), []byte{byte(rapid.IntRange(0, 1).Draw(p.rt, "hash"))}
	}
	if rapid.Bool().Draw(p.rt, "budget") {
		j.Key = common.Hash{8}
		j.Created = int64(rapid.IntRange(0, 40).Draw(p.rt, "day")) * (24 * time.Hour).Milliseconds()
	}
	twin := *j
	a, errA := p.store.InsertJob(p.ctx(), j, sign, nil)
	b, errB := p.model.InsertJob(p.ctx(), &twin, sign, nil)
	p.agree("insert", a, b, errA, errB)
	if errA == nil && a == nil {
		if j.ID != twin.ID {
			p.rt.Fatalf("number %d, want %d", j.Number, twin.Number)
		}
		p.jobs = append(p.jobs, j)
	}
}

func (p *pair) completion(price market.Amount) ledger.Completion {
	j := p.now(p.pick())
	c := completion(j, 1, p.lease(j.Lease), price)
	if c.Miner = j.Miner; rapid.IntRange(0, 5).Draw(p.rt, "thief") == 0 {
		c.Miner = p.miner()
	}
	return c
}

// settle builds a batch and has the chain pay all or some of it.
func (p *pair) settle(most int) {
	// Jobs end at 0 here: before Alone, or not.
	g := ledger.Gathering{Max: most, FromBlock: 1, At: 1, Alone: int64(rapid.IntRange(-1, 0).Draw(p.rt, "alone"))}
	a, errA := p.store.BuildBatch(p.ctx(), g, root)
	b, errB := p.model.BuildBatch(p.ctx(), g, root)
	if errA != nil || errB != nil || (a == nil) != (b == nil) {
		p.rt.Fatalf("batch: %+v, %v, want %+v, %v", a, errA, b, errB)
	}
	if a == nil {
		return
	}
	if !reflect.DeepEqual(a.Plan, b.Plan) || a.Root != b.Root {
		p.rt.Fatalf("batch %+v, want %+v", a, b)
	}
	var paid ledger.Paid
	for _, v := range a.Plan.Vouchers {
		if rapid.IntRange(0, 4).Draw(p.rt, "paid") > 0 {
			paid.Sessions = append(paid.Sessions, v.Session)
		}
	}
	for _, o := range a.Plan.Singles {
		if rapid.IntRange(0, 4).Draw(p.rt, "paid alone") > 0 {
			paid.Singles = append(paid.Singles, o.Job)
		}
	}
	if rapid.Bool().Draw(p.rt, "mined") {
		p.agree("mined", nil, nil, p.store.BatchMined(p.ctx(), a.ID, common.Hash{1}, 7, paid, 9), p.model.BatchMined(p.ctx(), b.ID, common.Hash{1}, 7, paid, 9))
	}
}

// vouch signs what the session's client owes, or something near it.
func (p *pair) vouch(by market.Amount) {
	x, err := p.model.Session(p.ctx(), sessions)
	if err != nil {
		p.rt.Fatal(err)
	}
	last, after, err := p.model.Vouched(p.ctx(), sessions)
	if err != nil {
		p.rt.Fatal(err)
	}
	lastA, afterA, err := p.store.Vouched(p.ctx(), sessions)
	if err != nil || lastA != last || !slices.Equal(afterA, after) {
		p.rt.Fatalf("vouched %+v %+v, want %+v %+v: %v", lastA, afterA, last, after, err)
	}
	v := ledger.Voucher{}
	if v.Voucher, err = ledger.Due(x, last, after); err != nil {
		p.rt.Fatal(err)
	}
	if rapid.IntRange(0, 4).Draw(p.rt, "wrong") == 0 {
		if v.Cumulative, err = v.Cumulative.Add(by); err != nil {
			p.rt.Fatal(err)
		}
		v.Through += uint64(rapid.IntRange(0, 1).Draw(p.rt, "beyond"))
	}
	v.Signature[64] = 27
	p.agree("vouch", nil, nil, p.store.PutVoucher(p.ctx(), v), p.model.PutVoucher(p.ctx(), v))
}

// agree fails unless both did the same for the same reason.
func (p *pair) agree(what string, a, b *ledger.Job, errA, errB error) {
	p.rt.Helper()
	kind := func(err error) string {
		te := (*market.TransitionError)(nil)
		for _, known := range []error{ledger.ErrNotFound, ledger.ErrNotAssigned, ledger.ErrIdempotency, market.ErrInsufficient, market.ErrAmount} {
			if errors.Is(err, known) {
				return known.Error()
			}
		}
		if errors.As(err, &te) {
			return te.Error()
		}
		if err != nil {
			return err.Error()
		}
		return ""
	}
	if kind(errA) != kind(errB) {
		p.rt.Fatalf("%s: %v, want %v", what, errA, errB)
	}
	if errA == nil && !p.equal(a, b) {
		p.rt.Fatalf("%s:\n%+v, want\n%+v", what, a, b)
	}
}

// equal compares jobs; batches may be numbered differently.
func (p *pair) equal(a, b *ledger.Job) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	if (x.Batch == 0) != (y.Batch == 0) {
		return false
	}
	x.Batch, y.Batch = 0, 0
	return reflect.DeepEqual(x, y)
}

// same compares everything, and checks what must hold whatever was done.
func (p *pair) same() {
	rt := p.rt
	for _, j := range p.jobs {
		a, err := p.store.Job(p.ctx(), j.ID)
		if err != nil || !p.equal(a, p.now(j.ID)) {
			rt.Fatalf("job\n%+v, want\n%+v: %v", a, p.now(j.ID), err)
		}
	}
	a, err := p.store.Audit(p.ctx())
	if err != nil {
		rt.Fatal(err)
	}
	b, err := p.model.Audit(p.ctx())
	if err != nil {
		rt.Fatal(err)
	}
	if !reflect.DeepEqual(a.Sessions, b.Sessions) || !reflect.DeepEqual(a.Miners, b.Miners) || !reflect.DeepEqual(a.Journal, b.Journal) || len(a.Open) != len(b.Open) || !reflect.DeepEqual(a.Keys, b.Keys) || !reflect.DeepEqual(a.KeyJobs, b.KeyJobs) {
		rt.Fatalf("books\n%+v, want\n%+v", a, b)
	}
	if bad := a.Check(); len(bad) > 0 {
		unsettled := bad[:0]
		for _, d := range bad {
			// A voucher pays for all before it: jobs of a batch that the chain
			// refused are paid by the next voucher, and stay marked as charged.
			if d.What != "settled" || d.Want.Cmp(d.Have) < 0 {
				unsettled = append(unsettled, d)
			}
		}
		if len(unsettled) > 0 {
			rt.Fatalf("the books do not balance: %+v", unsettled)
		}
	}
	for _, k := range a.Keys {
		if k.Spent.Total.Cmp(k.Budget.Total) > 0 || k.Spent.Day.Amount.Cmp(k.Budget.Day) > 0 || k.Spent.Month.Amount.Cmp(k.Budget.Month) > 0 {
			rt.Fatalf("a key is beyond its budget: %+v", k)
		}
	}
	p.conserved(a)
}

// conserved checks the sums of double entry: what left the sessions is what
// miners, fees and margin have, and no deposit is overdrawn.
func (p *pair) conserved(a *ledger.Audit) {
	var charged, held market.Amount
	add := func(to *market.Amount, v market.Amount) {
		var err error
		if *to, err = to.Add(v); err != nil {
			p.rt.Fatal(err)
		}
	}
	for _, x := range a.Sessions {
		add(&charged, x.Account.Charged)
		used := x.Account.Reserved
		add(&used, x.Account.Charged)
		if used.Cmp(x.Account.Deposit) > 0 {
			p.rt.Fatalf("session %d is overdrawn: %+v", x.ID, x.Account)
		}
		if x.Vouched.Cmp(x.Account.Charged) > 0 || x.Settled.Cmp(x.Vouched) > 0 {
			p.rt.Fatalf("session %d pays more than it was charged: %+v", x.ID, x)
		}
	}
	add(&held, a.Journal.Fees)
	add(&held, a.Journal.Margin)
	for _, w := range a.Miners {
		add(&held, w.Total)
		if w.Batched.Cmp(w.Total) > 0 {
			p.rt.Fatalf("miner %s is paid more than it earned: %+v", w.Address, w)
		}
	}
	if charged != held {
		p.rt.Fatalf("%s left the sessions, %s arrived", charged, held)
	}
}
