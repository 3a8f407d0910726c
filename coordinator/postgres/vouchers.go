package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

func scanVoucher(r pgx.CollectableRow) (v ledger.Voucher, err error) {
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

func scanEnded(r pgx.CollectableRow) (e ledger.Ended, err error) {
	var payment string
	var price amt
	err = r.Scan(&e.Number, &payment, &price)
	e.Payment, e.Price = market.PaymentState(payment), price.Amount
	return e, err
}

// vouched returns a session's newest voucher, and the orders behind it.
func vouched(ctx context.Context, tx pgx.Tx, session uint64) (last ledger.Voucher, after []ledger.Ended, err error) {
	r, err := tx.Query(ctx, "SELECT session, through, cumulative, signature FROM vouchers WHERE session = $1 ORDER BY through DESC LIMIT 1", session)
	if err != nil {
		return last, nil, err
	}
	last, err = pgx.CollectExactlyOneRow(r, scanVoucher)
	if errors.Is(err, pgx.ErrNoRows) {
		last, err = ledger.Voucher{Voucher: receipt.Voucher{Session: session}}, nil
	}
	if err != nil {
		return last, nil, err
	}
	err = rows(ctx, tx, scanEnded, func(e ledger.Ended) { after = append(after, e) }, "SELECT number, payment, price FROM jobs WHERE session = $1 AND number > $2 ORDER BY number", session, last.Through)
	return last, after, err
}

// Vouched implements coordinator.Store.
func (s *Store) Vouched(ctx context.Context, session uint64) (last ledger.Voucher, after []ledger.Ended, err error) {
	err = s.snapshot(ctx, func(tx pgx.Tx) error {
		last, after, err = vouched(ctx, tx, session)
		return err
	})
	return last, after, err
}

// LastVoucher implements coordinator.Store.
func (s *Store) LastVoucher(ctx context.Context, session uint64) (ledger.Voucher, error) {
	v, err := one(ctx, s, scanVoucher, "SELECT session, through, cumulative, signature FROM vouchers WHERE session = $1 ORDER BY through DESC LIMIT 1", session)
	if errors.Is(err, ledger.ErrNotFound) {
		return ledger.Voucher{Voucher: receipt.Voucher{Session: session}}, nil
	}
	return v, err
}

// PutVoucher implements coordinator.Store.
func (s *Store) PutVoucher(ctx context.Context, v ledger.Voucher) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		r, err := tx.Query(ctx, "SELECT "+sessionCols+" FROM sessions WHERE id = $1 FOR UPDATE", v.Session)
		if err != nil {
			return err
		}
		x, err := pgx.CollectExactlyOneRow(r, scanSession)
		if errors.Is(err, pgx.ErrNoRows) {
			err = fmt.Errorf("session %d: %w", v.Session, ledger.ErrNotFound)
		}
		if err != nil {
			return err
		}
		last, after, err := vouched(ctx, tx, v.Session)
		if err != nil {
			return err
		}
		if fresh, err := ledger.Vouch(x, last, after, v.Voucher); err != nil || !fresh {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO vouchers (session, through, cumulative, signature) VALUES ($1, $2, $3, $4)", v.Session, v.Through, amt{v.Cumulative}, v.Signature[:])
		return err
	})
}
