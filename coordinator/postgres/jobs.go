package postgres

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// InsertJob implements coordinator.Store.
func (s *Store) InsertJob(ctx context.Context, j *ledger.Job, sign func(*ledger.Job) error, decided func() (wait bool)) (existing *ledger.Job, err error) {
	err = s.groups.do(ctx, need{session: j.Session, idemKey: j.IdemKey, key: j.Key}, func(x *set) error {
		existing = nil
		if old := x.keys[idem{j.Session, j.IdemKey}]; j.IdemKey != "" && old != nil {
			if !bytes.Equal(old.IdemHash, j.IdemHash) {
				return ledger.ErrIdempotency
			}
			existing = old
			return nil
		}
		account, err := x.session(j.Session)
		if err != nil {
			return err
		}
		account, entries, err := ledger.Admit(account, j, sign)
		if err != nil {
			return err
		}
		if err := x.hold(j); err != nil {
			return err
		}
		x.putSession(account)
		x.addJob(j)
		x.journal = append(x.journal, entries...)
		return nil
	})
	if err == nil && existing == nil && decided != nil {
		decided()
	}
	return existing, err
}

// Assign implements coordinator.Store. Others see the lease when it returns; it
// may not be on the disk yet.
func (s *Store) Assign(ctx context.Context, id common.Hash, miner common.Address, lease string) (out *ledger.Job, err error) {
	err = s.leases.do(ctx, need{job: id}, func(x *set) error {
		j, err := x.job(id)
		if err != nil {
			return err
		}
		if j, err = ledger.Lease(j, miner, lease); err != nil {
			return err
		}
		j.Owner = s.me.Load().id
		out = x.putJob(j)
		return nil
	})
	return out, err
}

// Requeue implements coordinator.Store.
func (s *Store) Requeue(ctx context.Context, id common.Hash, lease string, unheard bool) error {
	return s.groups.do(ctx, need{job: id}, func(x *set) error {
		j, err := x.job(id)
		if err != nil {
			return err
		}
		if j, err = ledger.Requeue(j, lease, unheard); err != nil {
			return err
		}
		if j.Owner != s.me.Load().id { // another replica minds this lease
			return ledger.ErrNotAssigned
		}
		j.Owner = 0
		x.putJob(j)
		return nil
	})
}

// RequestCancel implements coordinator.Store.
func (s *Store) RequestCancel(ctx context.Context, id common.Hash) error {
	return s.groups.do(ctx, need{job: id}, func(x *set) error {
		if j := x.jobs[id]; j != nil && j.Payment == market.Reserved {
			changed := *j
			changed.Cancel = true
			x.putJob(changed)
		}
		return nil
	})
}

// End implements coordinator.Store.
func (s *Store) End(ctx context.Context, e ledger.Ending) (out *ledger.Job, err error) {
	err = s.groups.do(ctx, need{of: e.Job}, func(x *set) error {
		j, err := x.job(e.Job)
		if err != nil {
			return err
		}
		if out = &j; j.State.Terminal() {
			return nil
		}
		if !e.Anyhow && e.Lease != "" && j.Owner != s.me.Load().id {
			return ledger.ErrNotAssigned
		}
		account, err := x.session(j.Session)
		if err != nil {
			return err
		}
		account, ended, entries, err := ledger.Release(account, j, e)
		if err != nil {
			return err
		}
		budget, err := x.given(&ended)
		if err != nil {
			return err
		}
		x.putSession(account)
		x.putBudget(budget)
		out = x.putJob(ended)
		x.journal = append(x.journal, entries...)
		return nil
	})
	return out, err
}

// Complete implements coordinator.Store.
func (s *Store) Complete(ctx context.Context, c ledger.Completion) (out *ledger.Job, err error) {
	err = s.groups.do(ctx, need{of: c.Job, miner: c.Miner}, func(x *set) error {
		j, err := x.job(c.Job)
		if err != nil {
			return err
		}
		account, err := x.session(j.Session)
		if err != nil {
			return err
		}
		m, ok := x.miners[c.Miner]
		if !ok {
			return fmt.Errorf("account of miner %s: %w", c.Miner, ledger.ErrNotFound)
		}
		account, done, entries, err := ledger.Charge(account, j, m.Total, c)
		if err != nil {
			return err
		}
		budget, err := x.given(&done)
		if err != nil {
			return err
		}
		m.Total, m.Completed = done.Signed.MinerTotal, m.Completed+1
		x.miners[m.Address] = m
		x.changedMiners[m.Address] = true
		x.putSession(account)
		x.putBudget(budget)
		out = x.putJob(done)
		x.journal = append(x.journal, entries...)
		return nil
	})
	return out, err
}

// query returns all rows of a reading query.
func query[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any) (out []T, err error) {
	err = s.reading(ctx, func() error {
		rows, err := s.pool.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		if out, err = pgx.CollectRows(rows, scan); len(out) == 0 {
			out = nil
		}
		return err
	})
	return out, err
}

// one returns the row of a reading query, or [ledger.ErrNotFound].
func one[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any) (v T, err error) {
	all, err := query(ctx, s, scan, sql, args...)
	if err == nil && len(all) == 0 {
		err = ledger.ErrNotFound
	}
	if err != nil {
		return v, err
	}
	return all[0], nil
}

// Job implements coordinator.Store.
func (s *Store) Job(ctx context.Context, id common.Hash) (*ledger.Job, error) {
	return one(ctx, s, scanJob, "SELECT "+jobCols+jobFrom+"WHERE j.id = $1", id[:])
}

// Jobs implements coordinator.Store.
func (s *Store) Jobs(ctx context.Context, client common.Address, session uint64, limit int) ([]*ledger.Job, error) {
	return query(ctx, s, scanJob, "SELECT "+jobCols+jobFrom+"WHERE j.session = $1 AND j.client = $2 ORDER BY j.created DESC, j.number DESC LIMIT $3", session, client[:], limit)
}

// ReceiptJobs implements coordinator.Store.
func (s *Store) ReceiptJobs(ctx context.Context, account common.Address, session uint64, limit int) ([]*ledger.Job, error) {
	if session == 0 {
		return query(ctx, s, scanJob, "SELECT "+jobCols+jobFrom+"WHERE j.miner = $1 AND j.receipt_id IS NOT NULL ORDER BY j.created DESC, j.number DESC LIMIT $2", account[:], limit)
	}
	return query(ctx, s, scanJob, "SELECT "+jobCols+jobFrom+"WHERE j.session = $1 AND j.client = $2 AND j.receipt_id IS NOT NULL ORDER BY j.created DESC, j.number DESC LIMIT $3", session, account[:], limit)
}

// JobByReceipt implements coordinator.Store.
func (s *Store) JobByReceipt(ctx context.Context, id common.Hash) (common.Hash, error) {
	return one(ctx, s, scanHash, "SELECT id FROM jobs WHERE receipt_id = $1", id[:])
}

func scanHash(r pgx.CollectableRow) (common.Hash, error) {
	var b []byte
	err := r.Scan(&b)
	return common.BytesToHash(b), err
}

// OpenJobs implements coordinator.Store.
func (s *Store) OpenJobs(ctx context.Context) ([]*ledger.Job, error) {
	return query(ctx, s, scanJob, "SELECT "+jobCols+jobFrom+"WHERE j.payment = 'reserved' ORDER BY j.created, j.session, j.number")
}
