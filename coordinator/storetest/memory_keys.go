package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

// PutKey implements coordinator.Store.
func (m *Memory) PutKey(ctx context.Context, hash common.Hash, k ledger.Key, at int64, e ledger.Event) error {
	return m.in(ctx, func() error {
		if _, ok := m.keys[hash]; ok {
			return fmt.Errorf("key %s is there", hash)
		}
		m.keys[hash] = ledger.KeyRow{Hash: hash, Key: k, Created: at}
		m.recordLocked(e)
		return nil
	})
}

// Key implements coordinator.Store.
func (m *Memory) Key(ctx context.Context, hash common.Hash) (k ledger.Key, err error) {
	err = m.in(ctx, func() error {
		row, err := get(m.keys, hash)
		k = row.Key
		return err
	})
	return k, err
}

// Keys implements coordinator.Store.
func (m *Memory) Keys(ctx context.Context, q ledger.KeyQuery) (out []ledger.KeyRow, err error) {
	err = m.in(ctx, func() error {
		for _, k := range m.keys {
			if (q.Account == common.Address{} || k.Account == q.Account) && (q.Miners || k.Scope != ledger.ScopeMiner) {
				out = append(out, k)
			}
		}
		slices.SortFunc(out, func(a, b ledger.KeyRow) int { return cmp.Or(cmp.Compare(b.Created, a.Created), a.Hash.Cmp(b.Hash)) })
		out = out[:min(len(out), q.Limit)]
		return nil
	})
	return out, err
}

// RemoveKey implements coordinator.Store.
func (m *Memory) RemoveKey(ctx context.Context, account common.Address, hash common.Hash, e ledger.Event) error {
	return m.in(ctx, func() error {
		if k, ok := m.keys[hash]; !ok || k.Account != account && account != (common.Address{}) {
			return ledger.ErrNotFound
		}
		delete(m.keys, hash)
		m.recordLocked(e)
		return nil
	})
}

// holdLocked reserves a new job's price in the budget of its key.
func (m *Memory) holdLocked(j *ledger.Job) error {
	if j.Key == (common.Hash{}) {
		return nil
	}
	k, err := get(m.keys, j.Key)
	if err != nil {
		return err
	}
	if k.Spent, err = k.Budget.Hold(k.Spent, j.Created, j.MaxPrice); err == nil {
		m.keys[j.Key] = k
	}
	return err
}

// giveLocked returns to the budget of a finished job's key what the job did not cost.
func (m *Memory) giveLocked(j *ledger.Job) error {
	k, ok := m.keys[j.Key]
	if !ok {
		return nil
	}
	left, err := j.Left()
	if err != nil {
		return err
	}
	if k.Spent, err = k.Spent.Give(j.Created, left); err == nil {
		m.keys[j.Key] = k
	}
	return err
}

// budgetsLocked returns the keys that have a budget.
func (m *Memory) budgetsLocked() []ledger.KeyRow {
	out := slices.SortedFunc(maps.Values(m.keys), func(a, b ledger.KeyRow) int { return a.Hash.Cmp(b.Hash) })
	return slices.DeleteFunc(out, func(k ledger.KeyRow) bool { return !k.Budget.Limits() })
}

// Use implements coordinator.Store.
func (m *Memory) Use(ctx context.Context, id common.Hash, until int64) error {
	return m.in(ctx, func() error {
		if _, ok := m.used[id]; ok {
			return ledger.ErrUsed
		}
		m.used[id] = until
		return nil
	})
}

// Sweep implements coordinator.Store.
func (m *Memory) Sweep(ctx context.Context, now int64) error {
	return m.in(ctx, func() error {
		maps.DeleteFunc(m.used, func(_ common.Hash, until int64) bool { return until < now })
		maps.DeleteFunc(m.files, func(_ string, f file) bool { return f.Expires < now })
		maps.DeleteFunc(m.bulks, func(_ string, b ledger.Bulk) bool { return !b.Open() && b.Keep < now })
		maps.DeleteFunc(m.keys, func(_ common.Hash, k ledger.KeyRow) bool { return k.Expires != 0 && k.Expires < now })
		return nil
	})
}

func (m *Memory) recordLocked(e ledger.Event) {
	var last ledger.Record
	if n := len(m.log); n > 0 {
		last = m.log[n-1]
	}
	m.log = append(m.log, ledger.Chain(last, e))
}

// Log implements coordinator.Store.
func (m *Memory) Log(ctx context.Context, e ledger.Event) error {
	return m.in(ctx, func() error { m.recordLocked(e); return nil })
}

// Records implements coordinator.Store.
func (m *Memory) Records(ctx context.Context, account common.Address, before uint64, limit int) (out []ledger.Record, err error) {
	err = m.in(ctx, func() error {
		for _, r := range slices.Backward(m.log) {
			if len(out) < limit && (before == 0 || r.N < before) && (account == common.Address{} || r.Account == account) {
				out = append(out, r)
			}
		}
		return nil
	})
	return out, err
}

// HoldMiner implements coordinator.Store.
func (m *Memory) HoldMiner(ctx context.Context, miner common.Address, hold string, e ledger.Event) error {
	return m.in(ctx, func() error {
		x, err := get(m.miners, miner)
		if err != nil {
			return err
		}
		x.Hold = hold
		m.miners[miner] = x
		m.recordLocked(e)
		return nil
	})
}
