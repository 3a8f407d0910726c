package ledger

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Gathering says what goes into a batch.
type Gathering struct {
	Max int // jobs
	// From is the session that comes first; those with lower numbers come last. Who
	// always began with the first might never come to the last.
	From      uint64
	FromBlock uint64 // newest when it is built
	At        int64  // milliseconds since 1970
	// Orders of clients that sign themselves wait for a voucher. Those that ended
	// by Alone, in milliseconds since 1970, or whose session is over by Due, in
	// seconds, are settled without one.
	Alone int64
	Due   uint64
}

// maxSingles bounds the orders that one batch settles alone: each takes a
// thousand bytes of the transaction, and more gas than a voucher.
const maxSingles = 16

// Single is an order that is settled alone, at its price.
type Single struct {
	Job     common.Hash   `json:"job"`
	Session uint64        `json:"session"`
	Price   market.Amount `json:"price"`
}

// Paid is what the chain was seen to pay of a batch.
type Paid struct {
	Sessions []uint64      // whose vouchers
	Singles  []common.Hash // jobs
}

// A settling is a plan while it is made.
type settling struct {
	plan    *Plan
	left    []uint64 // sessions of which something may be left over
	batched map[common.Address]market.Amount
	credits map[common.Address]market.Amount
}

// Settle makes a plan of the charged jobs that were gathered, which come session by
// session, and by number within one. It returns the sessions as they then are.
// sessions and batched are what the jobs' sessions and miners have, and vouchers
// what clients signed that sign themselves, by session and number.
//
// A voucher of the coordinator's reaches up to its session's last job of the
// plan. Jobs of clients that sign themselves are gathered as far as a voucher
// reaches, and beyond the newest one each alone. The plan may lack jobs that were
// offered, and be nil.
func Settle(g Gathering, jobs []*Job, sessions map[uint64]Session, batched map[common.Address]market.Amount, vouchers map[uint64][]Voucher) (*Plan, []Session, error) {
	if len(jobs) == 0 {
		return nil, nil, nil
	}
	cut, first := len(jobs) == g.Max, jobs[0].Session // the last session may have more jobs than these
	s := &settling{plan: &Plan{}, batched: batched, credits: map[common.Address]market.Amount{}}
	var changed []Session
	for len(jobs) > 0 {
		n := len(jobs)
		if i := slices.IndexFunc(jobs, func(j *Job) bool { return j.Session != jobs[0].Session }); i >= 0 {
			n = i
		}
		x, before := sessions[jobs[0].Session], len(s.plan.Jobs)
		var err error
		if x.Self() {
			err = s.signed(&x, jobs[:n], vouchers[x.ID], cut && n == len(jobs))
		} else {
			err = s.delegated(&x, jobs[:n])
		}
		if err != nil {
			return nil, nil, err
		}
		if len(s.plan.Jobs) > before {
			changed = append(changed, x)
		}
		if cut && n == len(jobs) {
			s.left = append(s.left, x.ID)
		}
		jobs = jobs[n:]
	}
	if len(changed) == 0 {
		return nil, nil, nil
	}
	if s.plan.More = len(s.left) > 0; s.plan.More {
		if s.plan.Next = s.left[0]; s.plan.Next == first {
			s.plan.Next++ // it had its turn
		}
	}
	for m, a := range s.credits {
		s.plan.Credits = append(s.plan.Credits, Credit{m, a})
	}
	slices.SortFunc(s.plan.Credits, func(a, b Credit) int { return a.Miner.Cmp(b.Miner) })
	return s.plan, changed, nil
}

// delegated settles jobs of a session for which the coordinator signs.
func (s *settling) delegated(x *Session, jobs []*Job) error {
	for _, j := range jobs {
		if err := s.add(x, j); err != nil {
			return err
		}
		x.Through = max(x.Through, j.Number)
	}
	s.voucher(receipt.Voucher{Session: x.ID, Through: x.Through, Cumulative: x.Vouched}, x.SpenderN, receipt.Signature{})
	return nil
}

// signed settles jobs of a session whose client signs.
func (s *settling) signed(x *Session, jobs []*Job, vouchers []Voucher, cut bool) error {
	var use, newest Voucher
	for _, v := range vouchers {
		newest = v
		if !cut || v.Through <= jobs[len(jobs)-1].Number {
			use = v
		}
	}
	n := 0
	for n < len(jobs) && jobs[n].Number <= use.Through {
		if err := s.add(x, jobs[n]); err != nil {
			return err
		}
		n++
	}
	if n > 0 {
		x.Through = use.Through
		s.voucher(use.Voucher, 0, use.Signature)
	}
	if newest.Through > use.Through {
		return nil // the rest goes by that voucher
	}
	for _, j := range jobs[n:] {
		if len(s.plan.Singles) >= maxSingles {
			s.left = append(s.left, x.ID)
			break
		}
		if err := s.add(x, j); err != nil {
			return err
		}
		x.Alone = max(x.Alone, j.Number)
		s.plan.Singles = append(s.plan.Singles, Single{Job: j.ID, Session: j.Session, Price: j.Price})
	}
	return nil
}

func (s *settling) voucher(v receipt.Voucher, spender uint64, sig receipt.Signature) {
	p := s.plan
	p.Vouchers, p.Spenders, p.Signatures = append(p.Vouchers, v), append(p.Spenders, spender), append(p.Signatures, sig)
}

// add puts a job into the plan.
func (s *settling) add(x *Session, j *Job) error {
	if j.Signed == nil {
		return fmt.Errorf("job %s: charged without a receipt", j.ID)
	}
	var err error
	if x.Vouched, err = x.Vouched.Add(j.Price); err != nil {
		return fmt.Errorf("session %d: %w", x.ID, err)
	}
	if _, ok := s.credits[j.Miner]; !ok {
		s.credits[j.Miner] = s.batched[j.Miner]
	}
	if s.credits[j.Miner], err = s.credits[j.Miner].Add(j.Earned); err != nil {
		return fmt.Errorf("miner %s: %w", j.Miner, err)
	}
	p := s.plan
	p.Jobs, p.Receipts = append(p.Jobs, j.ID), append(p.Receipts, &j.Signed.Receipt)
	for _, k := range []common.Address{j.Signed.MinerSigner, j.Signed.CoordinatorSigner} {
		if !slices.Contains(p.Signers, k) {
			p.Signers = append(p.Signers, k)
		}
	}
	return nil
}

// Sessions returns the sessions that the plan settles, each once.
func (p *Plan) Sessions() []uint64 {
	var out []uint64
	for _, v := range p.Vouchers {
		out = append(out, v.Session)
	}
	for _, s := range p.Singles {
		out = append(out, s.Session)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Paid returns what of the batch's vouchers and singles was paid.
func (b *Batch) Paid(p Paid) ([]receipt.Voucher, []Single) {
	return slices.DeleteFunc(slices.Clone(b.Plan.Vouchers), func(v receipt.Voucher) bool { return !slices.Contains(p.Sessions, v.Session) }),
		slices.DeleteFunc(slices.Clone(b.Plan.Singles), func(s Single) bool { return !slices.Contains(p.Singles, s.Job) })
}

// Pay returns a session after a batch that was paid so.
func (x Session) Pay(vouchers []receipt.Voucher, singles []Single) (Session, error) {
	for _, v := range vouchers {
		if v.Session == x.ID {
			x.Settled, x.SettledThrough = v.Cumulative, v.Through
		}
	}
	for _, s := range singles {
		if s.Session != x.ID {
			continue
		}
		var err error
		if x.Settled, err = x.Settled.Add(s.Price); err != nil {
			return x, fmt.Errorf("session %d: %w", x.ID, err)
		}
	}
	return x, nil
}
