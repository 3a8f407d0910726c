package storetest

import (
	"cmp"
	"context"
	"slices"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/receipt"
)

// ripeLocked reports whether a charged job is paid by a voucher, or to be settled alone.
func (m *Memory) ripeLocked(j ledger.Job, g ledger.Gathering) bool {
	x := m.sessions[j.Session]
	return !x.Self() || j.Finished <= g.Alone || x.DueAt <= g.Due || j.Number <= m.lastLocked(x.ID).Through
}

func (m *Memory) lastLocked(session uint64) ledger.Voucher {
	if all := m.vouchers[session]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ledger.Voucher{Voucher: receipt.Voucher{Session: session}}
}

func (m *Memory) vouchedLocked(session uint64) (last ledger.Voucher, after []ledger.Ended) {
	last = m.lastLocked(session)
	for _, j := range m.jobs {
		if j.Session == session && j.Number > last.Through {
			after = append(after, ledger.Ended{Number: j.Number, Payment: j.Payment, Price: j.Price})
		}
	}
	slices.SortFunc(after, func(a, b ledger.Ended) int { return cmp.Compare(a.Number, b.Number) })
	return last, after
}

// Vouched implements coordinator.Store.
func (m *Memory) Vouched(ctx context.Context, session uint64) (last ledger.Voucher, after []ledger.Ended, err error) {
	err = m.in(ctx, func() error { last, after = m.vouchedLocked(session); return nil })
	return last, after, err
}

// LastVoucher implements coordinator.Store.
func (m *Memory) LastVoucher(ctx context.Context, session uint64) (last ledger.Voucher, err error) {
	err = m.in(ctx, func() error { last = m.lastLocked(session); return nil })
	return last, err
}

// PutVoucher implements coordinator.Store.
func (m *Memory) PutVoucher(ctx context.Context, v ledger.Voucher) error {
	return m.in(ctx, func() error {
		x, err := get(m.sessions, v.Session)
		if err != nil {
			return err
		}
		last, after := m.vouchedLocked(v.Session)
		if fresh, err := ledger.Vouch(x, last, after, v.Voucher); err != nil || !fresh {
			return err
		}
		m.vouchers[v.Session] = append(m.vouchers[v.Session], v)
		return nil
	})
}
