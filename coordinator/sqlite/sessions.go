package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// NewSpender numbers a fresh per-session key for a client. address derives the
// key's account from its number.
func (s *Store) NewSpender(ctx context.Context, client common.Address, at int64, address func(n uint64) (common.Address, error)) (spender common.Address, err error) {
	err = s.do(ctx, func(tx *txn) error {
		r, err := tx.Exec("INSERT INTO spenders (client, created) VALUES (?, ?)", client[:], at)
		if err != nil {
			return err
		}
		n, err := r.LastInsertId()
		if err != nil {
			return err
		}
		if spender, err = address(uint64(n)); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE spenders SET address = ? WHERE n = ?", spender[:], n)
		return err
	})
	return spender, err
}

// Spender returns the number of the key that was made for a client under an
// address, or [ledger.ErrNotFound].
func (s *Store) Spender(ctx context.Context, client, spender common.Address) (n uint64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT n FROM spenders WHERE address = ? AND client = ?", spender[:], client[:]).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ledger.ErrNotFound
	}
	return n, err
}

const sessionCols = "id, client, spender, spender_n, deposit, reserved, charged, debited, vouched, through, settled, settled_through, number, alone, expiry, due_at, fee_bps, state"

type scanner interface{ Scan(...any) error }

func scanSession(r scanner) (ledger.Session, error) {
	var x ledger.Session
	var client, spender []byte
	var deposit, reserved, charged, debited, vouched, settled amt
	err := r.Scan(&x.ID, &client, &spender, &x.SpenderN, &deposit, &reserved, &charged, &debited, &vouched, &x.Through, &settled, &x.SettledThrough, &x.Number, &x.Alone, &x.Expiry, &x.DueAt, &x.FeeBps, &x.State)
	if errors.Is(err, sql.ErrNoRows) {
		return x, ledger.ErrNotFound
	}
	x.Client, x.Spender = common.BytesToAddress(client), common.BytesToAddress(spender)
	x.Account = market.SessionAccount{Deposit: deposit.Amount, Reserved: reserved.Amount, Charged: charged.Amount}
	x.Debited, x.Vouched, x.Settled = debited.Amount, vouched.Amount, settled.Amount
	return x, err
}

func sessionIn(tx *txn, id uint64) (ledger.Session, error) {
	x, err := scanSession(tx.QueryRow("SELECT "+sessionCols+" FROM sessions WHERE id = ?", id))
	if err != nil {
		return x, fmt.Errorf("session %d: %w", id, err)
	}
	return x, nil
}

// Sessions implements coordinator.Store.
func (s *Store) Sessions(ctx context.Context) ([]ledger.Session, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, "SELECT "+sessionCols+" FROM sessions WHERE state <> ? ORDER BY id", ledger.SessionClosed)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanSession)
}

// PutSession stores what the chain says about a session: deposit, debits, due
// time and state. On the chain these only go one way, so an answer that was
// overtaken by a newer one changes nothing. What the ledger has reserved and
// charged stays.
func (s *Store) PutSession(ctx context.Context, x ledger.Session) error {
	return s.doBehind(ctx, func(tx *txn) error {
		old, err := sessionIn(tx, x.ID)
		if err == nil {
			x = ledger.Merge(old, x)
		} else if !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		tx.touched.session(x.ID)
		_, err = tx.Exec(`INSERT INTO sessions (`+sessionCols+`) VALUES (?, ?, ?, ?, ?, '0', '0', ?, '0', 0, '0', 0, 0, 0, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET deposit = excluded.deposit, debited = excluded.debited, due_at = excluded.due_at, state = excluded.state`,
			x.ID, x.Client[:], x.Spender[:], x.SpenderN, amt{x.Account.Deposit}, amt{x.Debited}, x.Expiry, x.DueAt, x.FeeBps, x.State)
		return err
	})
}

// Meta implements coordinator.Store.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	var v string
	err := s.read.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, err
}

// PutMeta implements coordinator.Store.
func (s *Store) PutMeta(ctx context.Context, key, value string) error {
	return s.do(ctx, func(tx *txn) error {
		_, err := tx.Exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
		return err
	})
}
