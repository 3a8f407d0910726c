package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

func scanVoucher(r scanner) (v ledger.Voucher, err error) {
	var cumulative amt
	var sig []byte
	if err := r.Scan(&v.Session, &v.Through, &cumulative, &sig); err != nil {
		return v, err
	}
	if len(sig) != len(v.Signature) {
		return v, fmt.Errorf("voucher of session %d: signature of %d bytes", v.Session, len(sig))
	}
	v.Cumulative, v.Signature = cumulative.Amount, receipt.Signature(sig)
	return v, nil
}

// vouchersIn returns a session's vouchers that reach beyond an order, ascending.
func vouchersIn(tx *txn, session, beyond uint64) ([]ledger.Voucher, error) {
	rows, err := tx.Query("SELECT session, through, cumulative, signature FROM vouchers WHERE session = ? AND through > ? ORDER BY through", session, beyond)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanVoucher)
}

// asker is a connection or a transaction.
type asker interface {
	QueryRow(query string, args ...any) scanner
	Query(query string, args ...any) (*sql.Rows, error)
}

// reading is a reader as an asker.
type reading struct {
	ctx context.Context //nolint:containedctx // of one call
	*reader
}

func (r reading) QueryRow(query string, args ...any) scanner {
	return r.QueryRowContext(r.ctx, query, args...)
}

func (r reading) Query(query string, args ...any) (*sql.Rows, error) {
	return r.QueryContext(r.ctx, query, args...)
}

// lastVoucher returns a session's newest voucher, zero before the first.
func lastVoucher(a asker, session uint64) (ledger.Voucher, error) {
	last, err := scanVoucher(a.QueryRow("SELECT session, through, cumulative, signature FROM vouchers WHERE session = ? ORDER BY through DESC LIMIT 1", session))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Voucher{Voucher: receipt.Voucher{Session: session}}, nil
	}
	return last, err
}

// vouched returns a session's newest voucher, and the orders behind it.
func vouched(a asker, session uint64) (last ledger.Voucher, after []ledger.Ended, err error) {
	if last, err = lastVoucher(a, session); err != nil {
		return last, nil, err
	}
	rows, err := a.Query("SELECT number, payment, price FROM jobs WHERE session = ? AND number > ? ORDER BY number", session, last.Through)
	if err != nil {
		return last, nil, err
	}
	after, err = collect(rows, func(r scanner) (e ledger.Ended, err error) {
		var payment string
		var price amt
		err = r.Scan(&e.Number, &payment, &price)
		e.Payment, e.Price = market.PaymentState(payment), price.Amount
		return e, err
	})
	return last, after, err
}

// Vouched implements coordinator.Store.
func (s *Store) Vouched(ctx context.Context, session uint64) (ledger.Voucher, []ledger.Ended, error) {
	if err := s.catchUp(ctx); err != nil {
		return ledger.Voucher{}, nil, err
	}
	return vouched(reading{ctx, s.read}, session)
}

// LastVoucher implements coordinator.Store.
func (s *Store) LastVoucher(ctx context.Context, session uint64) (ledger.Voucher, error) {
	return lastVoucher(reading{ctx, s.read}, session)
}

// PutVoucher implements coordinator.Store.
func (s *Store) PutVoucher(ctx context.Context, v ledger.Voucher) error {
	return s.do(ctx, func(tx *txn) error {
		x, err := sessionIn(tx, v.Session)
		if err != nil {
			return err
		}
		last, after, err := vouched(tx, v.Session)
		if err != nil {
			return err
		}
		if fresh, err := ledger.Vouch(x, last, after, v.Voucher); err != nil || !fresh {
			return err
		}
		_, err = tx.Exec("INSERT INTO vouchers (session, through, cumulative, signature) VALUES (?, ?, ?, ?)", v.Session, v.Through, amt{v.Cumulative}, v.Signature[:])
		return err
	})
}
