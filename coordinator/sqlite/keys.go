package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

const keyCols = "hash, scope, account, session, created, name, made, expires, rate, budget, budget_day, budget_month, spent, day, spent_day, month, spent_month"

func scanKey(r scanner) (k ledger.KeyRow, err error) {
	var hash, account []byte
	var total, day, month, spent, spentDay, spentMonth amt
	err = r.Scan(&hash, &k.Scope, &account, &k.Session, &k.Created, &k.Name, &k.Made, &k.Expires, &k.Rate, &total, &day, &month, &spent, &k.Spent.Day.N, &spentDay, &k.Spent.Month.N, &spentMonth)
	if errors.Is(err, sql.ErrNoRows) {
		return k, ledger.ErrNotFound
	}
	k.Hash, k.Account = common.BytesToHash(hash), common.BytesToAddress(account)
	k.Budget = ledger.Budget{Total: total.Amount, Day: day.Amount, Month: month.Amount}
	k.Spent.Total, k.Spent.Day.Amount, k.Spent.Month.Amount = spent.Amount, spentDay.Amount, spentMonth.Amount
	return k, err
}

// PutKey implements coordinator.Store.
func (s *Store) PutKey(ctx context.Context, hash common.Hash, k ledger.Key, at int64, e ledger.Event) error {
	return s.do(ctx, func(tx *txn) error {
		tx.touched.key(hash)
		_, err := tx.Exec("INSERT INTO api_keys (hash, scope, account, session, created, name, made, expires, rate, budget, budget_day, budget_month) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			hash[:], k.Scope, k.Account[:], k.Session, at, k.Name, k.Made, k.Expires, k.Rate, amt{k.Budget.Total}, amt{k.Budget.Day}, amt{k.Budget.Month})
		if err != nil {
			return err
		}
		return record(tx, e)
	})
}

// Key implements coordinator.Store.
func (s *Store) Key(ctx context.Context, hash common.Hash) (ledger.Key, error) {
	k, err := scanKey(s.read.QueryRowContext(ctx, "SELECT "+keyCols+" FROM api_keys WHERE hash = ?", hash[:]))
	return k.Key, err
}

// Keys implements coordinator.Store.
func (s *Store) Keys(ctx context.Context, q ledger.KeyQuery) ([]ledger.KeyRow, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	// Two queries, as an index serves only the one of an account.
	text, args := "SELECT "+keyCols+" FROM api_keys WHERE account = ? AND (scope <> 'miner' OR ?) ORDER BY created DESC, hash LIMIT ?", []any{q.Account[:], q.Miners, q.Limit}
	if q.Account == (common.Address{}) {
		text, args = "SELECT "+keyCols+" FROM api_keys WHERE scope <> 'miner' OR ? ORDER BY created DESC, hash LIMIT ?", args[1:]
	}
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanKey)
}

// RemoveKey implements coordinator.Store.
func (s *Store) RemoveKey(ctx context.Context, account common.Address, hash common.Hash, e ledger.Event) error {
	return s.do(ctx, func(tx *txn) error {
		tx.touched.key(hash)
		res, err := tx.Exec("DELETE FROM api_keys WHERE hash = ? AND (account = ? OR ?)", hash[:], account[:], account == common.Address{})
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ledger.ErrNotFound)
		}
		return record(tx, e)
	})
}

// hold reserves a new job's price in the budget of its key, if it has one.
func hold(k *ledger.KeyRow, j *ledger.Job) (*spending, error) {
	if k == nil {
		return nil, nil
	}
	spent, err := k.Budget.Hold(k.Spent, j.Created, j.MaxPrice)
	return &spending{k.Hash, spent}, err
}

// give returns to the budget of a finished job's key what the job did not cost.
func give(k *ledger.KeyRow, j *ledger.Job) (*spending, error) {
	if k == nil {
		return nil, nil
	}
	left, err := j.Left()
	if err != nil {
		return nil, err
	}
	spent, err := k.Spent.Give(j.Created, left)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", j.Key, err)
	}
	return &spending{k.Hash, spent}, nil
}

// Use implements coordinator.Store.
func (s *Store) Use(ctx context.Context, id common.Hash, until int64) error {
	return s.do(ctx, func(tx *txn) error {
		res, err := tx.Exec("INSERT INTO used (id, until) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", id[:], until)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ledger.ErrUsed)
		}
		return nil
	})
}

// Sweep implements coordinator.Store.
func (s *Store) Sweep(ctx context.Context, now int64) error {
	return s.do(ctx, func(tx *txn) error {
		_, err1 := tx.Exec("DELETE FROM used WHERE until < ?", now)
		_, err2 := tx.Exec("DELETE FROM files WHERE expires < ?", now)
		_, err3 := tx.Exec("DELETE FROM bulks WHERE open = 0 AND keep < ?", now)
		return errors.Join(err1, err2, err3, sweepKeys(tx, now))
	})
}

// sweepKeys forgets the keys whose time is over.
func sweepKeys(tx *txn, now int64) error {
	rows, err := tx.Query("SELECT "+keyCols+" FROM api_keys WHERE expires <> 0 AND expires < ?", now)
	if err != nil {
		return err
	}
	over, err := collect(rows, scanKey)
	if err != nil {
		return err
	}
	for _, k := range over {
		tx.touched.key(k.Hash)
		if _, err := tx.Exec("DELETE FROM api_keys WHERE hash = ?", k.Hash[:]); err != nil {
			return err
		}
	}
	return nil
}

const recordCols = "n, at, account, actor, via, action, subject, detail, prev, hash"

func scanRecord(r scanner) (x ledger.Record, err error) {
	var account, actor, prev, hash []byte
	err = r.Scan(&x.N, &x.At, &account, &actor, &x.Via, &x.Action, &x.Subject, &x.Detail, &prev, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return x, ledger.ErrNotFound
	}
	x.Account, x.Actor, x.Prev, x.Hash = common.BytesToAddress(account), common.BytesToAddress(actor), common.BytesToHash(prev), common.BytesToHash(hash)
	return x, err
}

// record adds to the audit log.
func record(tx *txn, e ledger.Event) error {
	last, err := scanRecord(tx.QueryRow("SELECT " + recordCols + " FROM audit ORDER BY n DESC LIMIT 1"))
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return fmt.Errorf("audit log: %w", err)
	}
	r := ledger.Chain(last, e)
	_, err = tx.Exec("INSERT INTO audit ("+recordCols+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", r.N, r.At, r.Account[:], r.Actor[:], r.Via, r.Action, r.Subject, r.Detail, r.Prev[:], r.Hash[:])
	return err
}

// Log implements coordinator.Store.
func (s *Store) Log(ctx context.Context, e ledger.Event) error {
	return s.do(ctx, func(tx *txn) error { return record(tx, e) })
}

// Records implements coordinator.Store.
func (s *Store) Records(ctx context.Context, account common.Address, before uint64, limit int) ([]ledger.Record, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	text, args := "SELECT "+recordCols+" FROM audit WHERE account = ? AND n < ? ORDER BY n DESC LIMIT ?", []any{account[:], before, limit}
	if account == (common.Address{}) {
		text, args = "SELECT "+recordCols+" FROM audit WHERE n < ? ORDER BY n DESC LIMIT ?", args[1:]
	}
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanRecord)
}
