package postgres

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// Books implements coordinator.Store.
func (s *Store) Books(ctx context.Context) (b *ledger.Books, err error) {
	err = s.snapshot(ctx, func(tx pgx.Tx) error {
		b, err = books(ctx, tx)
		return err
	})
	return b, err
}

// Audit implements coordinator.Store.
func (s *Store) Audit(ctx context.Context) (*ledger.Audit, error) {
	var a *ledger.Audit
	err := s.snapshot(ctx, func(tx pgx.Tx) error {
		a = &ledger.Audit{Jobs: map[uint64]ledger.Sums{}, KeyJobs: map[common.Hash]market.Amount{}}
		b, err := books(ctx, tx)
		if err != nil {
			return err
		}
		a.Books = *b
		if a.Journal, err = ledger.Sum(func(yield func(ledger.Entry, error) bool) { journal(ctx, tx, yield) }); err != nil {
			return err
		}
		type sum struct {
			session    uint64
			payment    string
			max, price amt
		}
		sums, err := tx.Query(ctx, "SELECT session, payment, sum(max_price), sum(price) FROM jobs GROUP BY session, payment")
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(sums, func(r pgx.CollectableRow) (x sum, err error) {
			err = r.Scan(&x.session, &x.payment, &x.max, &x.price)
			return x, err
		})
		if err != nil {
			return err
		}
		for _, x := range all {
			of := a.Jobs[x.session]
			if err := of.Add(market.PaymentState(x.payment), x.max.Amount, x.price.Amount); err != nil {
				return fmt.Errorf("jobs of session %d: %w", x.session, err)
			}
			a.Jobs[x.session] = of
		}
		if err := rows(ctx, tx, scanKey, func(k ledger.KeyRow) { a.Keys = append(a.Keys, k) }, "SELECT "+keyCols+" FROM api_keys WHERE budget + budget_day + budget_month > 0 ORDER BY hash"); err != nil {
			return err
		}
		type keySum struct {
			key        []byte
			payment    string
			max, price amt
		}
		var byKey []keySum
		if err := rows(ctx, tx, func(r pgx.CollectableRow) (x keySum, err error) {
			err = r.Scan(&x.key, &x.payment, &x.max, &x.price)
			return x, err
		}, func(x keySum) { byKey = append(byKey, x) }, "SELECT key, payment, sum(max_price), sum(price) FROM jobs WHERE key IS NOT NULL GROUP BY key, payment"); err != nil {
			return err
		}
		for _, x := range byKey {
			if err := a.AddKeyJob(common.BytesToHash(x.key), market.PaymentState(x.payment), x.max.Amount, x.price.Amount); err != nil {
				return fmt.Errorf("jobs of key %x: %w", x.key, err)
			}
		}
		return nil
	})
	return a, err
}

func books(ctx context.Context, tx pgx.Tx) (*ledger.Books, error) {
	b := &ledger.Books{}
	if err := rows(ctx, tx, scanSession, func(x ledger.Session) { b.Sessions = append(b.Sessions, x) }, "SELECT "+sessionCols+" FROM sessions ORDER BY id"); err != nil {
		return nil, err
	}
	if err := rows(ctx, tx, scanMiner, func(m ledger.Miner) { b.Miners = append(b.Miners, m) }, "SELECT "+minerCols+" FROM miners ORDER BY address"); err != nil {
		return nil, err
	}
	err := rows(ctx, tx, scanBatch, func(x *ledger.Batch) { b.Open = append(b.Open, x) }, "SELECT "+batchCols+" FROM batches WHERE state = 'built' ORDER BY id")
	return b, err
}

func journal(ctx context.Context, tx pgx.Tx, yield func(ledger.Entry, error) bool) {
	r, err := tx.Query(ctx, "SELECT at, session, job, kind, source, target, amount FROM journal ORDER BY id")
	if err != nil {
		yield(ledger.Entry{}, err)
		return
	}
	defer r.Close()
	for r.Next() {
		var e ledger.Entry
		var job []byte
		var a amt
		err := r.Scan(&e.At, &e.Session, &job, &e.Kind, &e.From, &e.To, &a)
		e.Job, e.Amount = common.BytesToHash(job), a.Amount
		if !yield(e, err) || err != nil {
			return
		}
	}
	if err := r.Err(); err != nil {
		yield(ledger.Entry{}, err)
	}
}
