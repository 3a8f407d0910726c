package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// collect scans all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Books implements coordinator.Store.
func (s *Store) Books(ctx context.Context) (*ledger.Books, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	var b *ledger.Books
	err := s.read.snapshot(ctx, func(tx *sql.Tx) (err error) {
		b, err = books(ctx, tx)
		return err
	})
	return b, err
}

// Audit implements coordinator.Store.
func (s *Store) Audit(ctx context.Context) (*ledger.Audit, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	a := &ledger.Audit{Jobs: map[uint64]ledger.Sums{}, KeyJobs: map[common.Hash]market.Amount{}}
	err := s.read.snapshot(ctx, func(tx *sql.Tx) error {
		b, err := books(ctx, tx)
		if err != nil {
			return err
		}
		a.Books = *b
		if a.Journal, err = ledger.Sum(journal(ctx, tx)); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, "SELECT session, payment, max_price, price, key FROM jobs WHERE payment <> 'refunded'")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var session uint64
			var payment string
			var most, price amt
			var key []byte
			if err := rows.Scan(&session, &payment, &most, &price, &key); err != nil {
				return err
			}
			x := a.Jobs[session]
			if err := x.Add(market.PaymentState(payment), most.Amount, price.Amount); err != nil {
				return fmt.Errorf("jobs of session %d: %w", session, err)
			}
			a.Jobs[session] = x
			if key != nil {
				if err := a.AddKeyJob(common.BytesToHash(key), market.PaymentState(payment), most.Amount, price.Amount); err != nil {
					return fmt.Errorf("jobs of key %x: %w", key, err)
				}
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		keys, err := tx.QueryContext(ctx, "SELECT "+keyCols+" FROM api_keys WHERE budget <> '0' OR budget_day <> '0' OR budget_month <> '0' ORDER BY hash")
		if err != nil {
			return err
		}
		a.Keys, err = collect(keys, scanKey)
		return err
	})
	return a, err
}

func books(ctx context.Context, tx *sql.Tx) (*ledger.Books, error) {
	b := &ledger.Books{}
	rows, err := tx.QueryContext(ctx, "SELECT "+sessionCols+" FROM sessions ORDER BY id")
	if err != nil {
		return nil, err
	}
	if b.Sessions, err = collect(rows, scanSession); err != nil {
		return nil, err
	}
	if rows, err = tx.QueryContext(ctx, "SELECT "+minerCols+" FROM miners ORDER BY address"); err != nil {
		return nil, err
	}
	if b.Miners, err = collect(rows, scanMiner); err != nil {
		return nil, err
	}
	if rows, err = tx.QueryContext(ctx, "SELECT "+batchCols+" FROM batches WHERE state = 'built' ORDER BY id"); err != nil {
		return nil, err
	}
	b.Open, err = collect(rows, scanBatch)
	return b, err
}

func journal(ctx context.Context, tx *sql.Tx) iter.Seq2[ledger.Entry, error] {
	return func(yield func(ledger.Entry, error) bool) {
		rows, err := tx.QueryContext(ctx, "SELECT at, session, job, kind, source, target, amount FROM journal ORDER BY id")
		if err != nil {
			yield(ledger.Entry{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var e ledger.Entry
			var job []byte
			var a amt
			err := rows.Scan(&e.At, &e.Session, &job, &e.Kind, &e.From, &e.To, &a)
			e.Job, e.Amount = common.BytesToHash(job), a.Amount
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(ledger.Entry{}, err)
		}
	}
}
