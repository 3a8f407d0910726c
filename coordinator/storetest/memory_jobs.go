package storetest

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Assign implements coordinator.Store.
func (m *Memory) Assign(ctx context.Context, id common.Hash, miner common.Address, lease string) (*ledger.Job, error) {
	return m.assign(ctx, 0, id, miner, lease)
}

// assign leases a job in the name of a replica, 0 where there is only one coordinator.
func (m *Memory) assign(ctx context.Context, owner uint64, id common.Hash, miner common.Address, lease string) (out *ledger.Job, err error) {
	err = m.in(ctx, func() error {
		j, err := get(m.jobs, id)
		if err != nil {
			return err
		}
		if j, err = ledger.Lease(j, miner, lease); err != nil {
			return err
		}
		j.Owner = owner
		m.jobs[id] = j
		out = m.view(j)
		return nil
	})
	return out, err
}

// Requeue implements coordinator.Store.
func (m *Memory) Requeue(ctx context.Context, id common.Hash, lease string, unheard bool) error {
	return m.requeue(ctx, 0, id, lease, unheard)
}

func (m *Memory) requeue(ctx context.Context, owner uint64, id common.Hash, lease string, unheard bool) error {
	return m.in(ctx, func() error {
		j, err := get(m.jobs, id)
		if err != nil {
			return err
		}
		if j, err = ledger.Requeue(j, lease, unheard); err != nil {
			return err
		}
		if j.Owner != owner {
			return ledger.ErrNotAssigned
		}
		j.Owner = 0
		m.jobs[id] = j
		return nil
	})
}

// RequestCancel implements coordinator.Store.
func (m *Memory) RequestCancel(ctx context.Context, id common.Hash) error {
	return m.in(ctx, func() error {
		if j, ok := m.jobs[id]; ok && j.Payment == market.Reserved {
			j.Cancel = true
			m.jobs[id] = j
		}
		return nil
	})
}

// End implements coordinator.Store.
func (m *Memory) End(ctx context.Context, e ledger.Ending) (*ledger.Job, error) {
	return m.end(ctx, 0, e)
}

func (m *Memory) end(ctx context.Context, owner uint64, e ledger.Ending) (out *ledger.Job, err error) {
	err = m.in(ctx, func() error {
		j, err := get(m.jobs, e.Job)
		if err != nil {
			return err
		}
		if out = m.view(j); j.State.Terminal() {
			return nil
		}
		if !e.Anyhow && e.Lease != "" && j.Owner != owner {
			return ledger.ErrNotAssigned
		}
		x, err := get(m.sessions, j.Session)
		if err != nil {
			return err
		}
		x, j, entries, err := ledger.Release(x, j, e)
		if err != nil {
			return err
		}
		if err := m.giveLocked(&j); err != nil {
			return err
		}
		m.sessions[x.ID], m.jobs[j.ID] = x, j
		m.journal = append(m.journal, entries...)
		out = m.view(j)
		return nil
	})
	return out, err
}

// Complete implements coordinator.Store.
func (m *Memory) Complete(ctx context.Context, c ledger.Completion) (out *ledger.Job, err error) {
	err = m.in(ctx, func() error {
		j, err := get(m.jobs, c.Job)
		if err != nil {
			return err
		}
		x, err := get(m.sessions, j.Session)
		if err != nil {
			return err
		}
		w, err := get(m.miners, c.Miner)
		if err != nil {
			return err
		}
		x, j, entries, err := ledger.Charge(x, j, w.Total, c)
		if err != nil {
			return err
		}
		if err := m.giveLocked(&j); err != nil {
			return err
		}
		w.Total, w.Completed = j.Signed.MinerTotal, w.Completed+1
		m.sessions[x.ID], m.jobs[j.ID], m.miners[w.Address] = x, j, w
		m.journal = append(m.journal, entries...)
		out = m.view(j)
		return nil
	})
	return out, err
}

// BuildBatch implements coordinator.Store.
func (m *Memory) BuildBatch(ctx context.Context, g ledger.Gathering, finish func(*ledger.Plan) common.Hash) (*ledger.Batch, error) {
	return m.build(ctx, g, finish, func() error { return nil })
}

// build builds a batch if whoever asks may, which is decided in the same moment.
func (m *Memory) build(ctx context.Context, g ledger.Gathering, finish func(*ledger.Plan) common.Hash, may func() error) (out *ledger.Batch, err error) {
	err = m.in(ctx, func() error {
		if err := may(); err != nil {
			return err
		}
		open := map[uint64]uint64{} // oldest open order, by session
		var jobs []*ledger.Job
		for _, j := range m.jobs {
			if j.Payment == market.Reserved {
				open[j.Session] = min(cmp.Or(open[j.Session], math.MaxUint64), j.Number)
			}
			if j.Payment == market.Charged && j.Batch == 0 && m.ripeLocked(j, g) {
				jobs = append(jobs, &j)
			}
		}
		jobs = slices.DeleteFunc(jobs, func(j *ledger.Job) bool { return j.Number > cmp.Or(open[j.Session], math.MaxUint64) })
		slices.SortFunc(jobs, func(a, b *ledger.Job) int {
			// What is below From wraps around to the end.
			return cmp.Or(cmp.Compare(a.Session-g.From, b.Session-g.From), cmp.Compare(a.Number, b.Number))
		})
		jobs = jobs[:min(g.Max, len(jobs))]
		if len(jobs) == 0 {
			return nil
		}
		batched := map[common.Address]market.Amount{}
		for a, w := range m.miners {
			batched[a] = w.Batched
		}
		vouchers := map[uint64][]ledger.Voucher{}
		for id, x := range m.sessions {
			vouchers[id] = slices.DeleteFunc(slices.Clone(m.vouchers[id]), func(v ledger.Voucher) bool { return v.Through <= x.Through })
		}
		p, changed, err := ledger.Settle(g, jobs, m.sessions, batched, vouchers)
		if err != nil || p == nil {
			return err
		}
		b := ledger.Batch{ID: uint64(len(m.batches) + 1), Root: finish(p), Plan: *p, State: ledger.BatchBuilt, FromBlock: g.FromBlock}
		kept := b
		kept.Plan.More, kept.Plan.Next = false, 0 // of the gathering alone
		m.batches = append(m.batches, kept)
		for _, x := range changed {
			m.sessions[x.ID] = x
		}
		for _, c := range p.Credits {
			w := m.miners[c.Miner]
			w.Batched = c.Total
			m.miners[c.Miner] = w
		}
		for _, id := range p.Jobs {
			j := m.jobs[id]
			j.Batch = b.ID
			m.jobs[id] = j
		}
		out = &b
		return nil
	})
	return out, err
}

// OpenBatches implements coordinator.Store.
func (m *Memory) OpenBatches(ctx context.Context) (out []*ledger.Batch, err error) {
	err = m.in(ctx, func() error {
		for _, b := range m.batches {
			if b.State != ledger.BatchProved {
				b.Plan.Receipts = nil
				out = append(out, &b)
			}
		}
		return nil
	})
	return out, err
}

// Batch implements coordinator.Store.
func (m *Memory) Batch(ctx context.Context, id uint64) (out *ledger.Batch, err error) {
	err = m.in(ctx, func() error {
		if id == 0 || id > uint64(len(m.batches)) {
			return ledger.ErrNotFound
		}
		b := m.batches[id-1]
		b.Plan.Receipts = nil
		out = &b
		return nil
	})
	return out, err
}

// BatchMined implements coordinator.Store.
func (m *Memory) BatchMined(ctx context.Context, id uint64, tx common.Hash, block uint64, paid ledger.Paid, at int64) error {
	return m.in(ctx, func() error {
		if id == 0 || id > uint64(len(m.batches)) {
			return ledger.ErrNotFound
		}
		b := &m.batches[id-1]
		if b.State != ledger.BatchBuilt {
			return nil
		}
		b.State, b.Tx, b.Block = ledger.BatchMined, tx, block
		m.mined[id] = at
		vouchers, singles := b.Paid(paid)
		for _, id := range b.Plan.Sessions() {
			x, err := m.sessions[id].Pay(vouchers, singles)
			if err != nil {
				return err
			}
			m.sessions[id] = x
		}
		for _, h := range b.Plan.Jobs {
			j := m.jobs[h]
			if j.Payment == market.Charged && (slices.ContainsFunc(vouchers, func(v receipt.Voucher) bool { return v.Session == j.Session && j.Number <= v.Through }) ||
				slices.ContainsFunc(singles, func(s ledger.Single) bool { return s.Job == h })) {
				j.Payment = market.Settled
				m.jobs[h] = j
			}
		}
		for _, c := range b.Plan.Credits {
			w := m.miners[c.Miner]
			w.Settled = c.Total
			m.miners[c.Miner] = w
		}
		return nil
	})
}

// BatchProved implements coordinator.Store.
func (m *Memory) BatchProved(ctx context.Context, id uint64, proof string) error {
	return m.in(ctx, func() error {
		if id > 0 && id <= uint64(len(m.batches)) {
			m.batches[id-1].State, m.batches[id-1].Proof = ledger.BatchProved, proof
		}
		return nil
	})
}

// Books implements coordinator.Store.
func (m *Memory) Books(ctx context.Context) (out *ledger.Books, err error) {
	err = m.in(ctx, func() error { out = m.booksLocked(); return nil })
	return out, err
}

func (m *Memory) booksLocked() *ledger.Books {
	b := &ledger.Books{Sessions: m.sessionsLocked(), Miners: m.minersLocked()}
	for _, x := range m.batches {
		if x.State == ledger.BatchBuilt {
			x.Plan.Receipts = nil
			b.Open = append(b.Open, &x)
		}
	}
	return b
}

// Audit implements coordinator.Store.
func (m *Memory) Audit(ctx context.Context) (out *ledger.Audit, err error) {
	err = m.in(ctx, func() error {
		out = &ledger.Audit{Books: *m.booksLocked(), Jobs: map[uint64]ledger.Sums{}, Keys: m.budgetsLocked(), KeyJobs: map[common.Hash]market.Amount{}}
		if out.Journal, err = ledger.Sum(func(yield func(ledger.Entry, error) bool) {
			for _, e := range m.journal {
				if !yield(e, nil) {
					return
				}
			}
		}); err != nil {
			return err
		}
		for _, j := range m.jobs {
			x := out.Jobs[j.Session]
			if err := x.Add(j.Payment, j.MaxPrice, j.Price); err != nil {
				return err
			}
			out.Jobs[j.Session] = x
			if j.Key != (common.Hash{}) {
				if err := out.AddKeyJob(j.Key, j.Payment, j.MaxPrice, j.Price); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return out, err
}
