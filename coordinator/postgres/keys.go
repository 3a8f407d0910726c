package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

const keyCols = "hash, scope, account, session, created, name, made, expires, rate, budget, budget_day, budget_month, spent, day, spent_day, month, spent_month"

func scanKey(r pgx.CollectableRow) (k ledger.KeyRow, err error) {
	var hash, account, name []byte
	var total, day, month, spent, spentDay, spentMonth amt
	err = r.Scan(&hash, &k.Scope, &account, &k.Session, &k.Created, &name, &k.Made, &k.Expires, &k.Rate, &total, &day, &month, &spent, &k.Spent.Day.N, &spentDay, &k.Spent.Month.N, &spentMonth)
	k.Hash, k.Account, k.Name = common.BytesToHash(hash), common.BytesToAddress(account), string(name)
	k.Budget = ledger.Budget{Total: total.Amount, Day: day.Amount, Month: month.Amount}
	k.Spent.Total, k.Spent.Day.Amount, k.Spent.Month.Amount = spent.Amount, spentDay.Amount, spentMonth.Amount
	return k, err
}

// PutKey implements coordinator.Store.
func (s *Store) PutKey(ctx context.Context, hash common.Hash, k ledger.Key, at int64, e ledger.Event) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO api_keys (hash, scope, account, session, created, name, made, expires, rate, budget, budget_day, budget_month) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			hash[:], k.Scope, k.Account[:], k.Session, at, []byte(k.Name), k.Made, k.Expires, k.Rate, amt{k.Budget.Total}, amt{k.Budget.Day}, amt{k.Budget.Month})
		if err != nil {
			return err
		}
		return record(ctx, tx, e)
	})
}

// Key implements coordinator.Store.
func (s *Store) Key(ctx context.Context, hash common.Hash) (ledger.Key, error) {
	k, err := one(ctx, s, scanKey, "SELECT "+keyCols+" FROM api_keys WHERE hash = $1", hash[:])
	return k.Key, err
}

// Keys implements coordinator.Store.
func (s *Store) Keys(ctx context.Context, q ledger.KeyQuery) ([]ledger.KeyRow, error) {
	// Two queries, as an index serves only the one of an account.
	if q.Account == (common.Address{}) {
		return query(ctx, s, scanKey, "SELECT "+keyCols+" FROM api_keys WHERE scope <> 'miner' OR $1 ORDER BY created DESC, hash LIMIT $2", q.Miners, q.Limit)
	}
	return query(ctx, s, scanKey, "SELECT "+keyCols+" FROM api_keys WHERE account = $1 AND (scope <> 'miner' OR $2) ORDER BY created DESC, hash LIMIT $3", q.Account[:], q.Miners, q.Limit)
}

// RemoveKey implements coordinator.Store.
func (s *Store) RemoveKey(ctx context.Context, account common.Address, hash common.Hash, e ledger.Event) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM api_keys WHERE hash = $1 AND (account = $2 OR $3)", hash[:], account[:], account == common.Address{})
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ledger.ErrNotFound
		}
		return record(ctx, tx, e)
	})
}

// Use implements coordinator.Store.
func (s *Store) Use(ctx context.Context, id common.Hash, until int64) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "INSERT INTO used (id, until) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", id[:], until)
		if err == nil && tag.RowsAffected() == 0 {
			err = ledger.ErrUsed
		}
		return err
	})
}

// Sweep implements coordinator.Store.
func (s *Store) Sweep(ctx context.Context, now int64) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		_, err1 := tx.Exec(ctx, "DELETE FROM used WHERE until < $1", now)
		_, err2 := tx.Exec(ctx, "DELETE FROM api_keys WHERE expires <> 0 AND expires < $1", now)
		_, err3 := tx.Exec(ctx, "DELETE FROM files WHERE expires < $1", now)
		_, err4 := tx.Exec(ctx, "DELETE FROM bulks WHERE NOT open AND keep < $1", now)
		return errors.Join(err1, err2, err3, err4)
	})
}

const recordCols = "n, at, account, actor, via, action, subject, detail, prev, hash"

func scanRecord(r pgx.CollectableRow) (x ledger.Record, err error) {
	var account, actor, via, action, subject, detail, prev, hash []byte
	err = r.Scan(&x.N, &x.At, &account, &actor, &via, &action, &subject, &detail, &prev, &hash)
	x.Account, x.Actor, x.Prev, x.Hash = common.BytesToAddress(account), common.BytesToAddress(actor), common.BytesToHash(prev), common.BytesToHash(hash)
	x.Via, x.Action, x.Subject, x.Detail = string(via), string(action), string(subject), string(detail)
	return x, err
}

// record adds to the audit log, one replica after another.
func record(ctx context.Context, tx pgx.Tx, e ledger.Event) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('aitbc/audit/' || current_schema(), 0))"); err != nil {
		return err
	}
	var last ledger.Record
	if err := rows(ctx, tx, scanRecord, func(r ledger.Record) { last = r }, "SELECT "+recordCols+" FROM audit ORDER BY n DESC LIMIT 1"); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	r := ledger.Chain(last, e)
	_, err := tx.Exec(ctx, "INSERT INTO audit ("+recordCols+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		r.N, r.At, r.Account[:], r.Actor[:], []byte(r.Via), []byte(r.Action), []byte(r.Subject), []byte(r.Detail), r.Prev[:], r.Hash[:])
	return err
}

// Log implements coordinator.Store.
func (s *Store) Log(ctx context.Context, e ledger.Event) error {
	return s.tx(ctx, func(tx pgx.Tx) error { return record(ctx, tx, e) })
}

// Records implements coordinator.Store.
func (s *Store) Records(ctx context.Context, account common.Address, before uint64, limit int) ([]ledger.Record, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	if account == (common.Address{}) {
		return query(ctx, s, scanRecord, "SELECT "+recordCols+" FROM audit WHERE n < $1 ORDER BY n DESC LIMIT $2", before, limit)
	}
	return query(ctx, s, scanRecord, "SELECT "+recordCols+" FROM audit WHERE account = $1 AND n < $2 ORDER BY n DESC LIMIT $3", account[:], before, limit)
}
