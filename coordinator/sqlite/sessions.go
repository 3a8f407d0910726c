package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

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
// address, or [ErrNotFound].
func (s *Store) Spender(ctx context.Context, client, spender common.Address) (n uint64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT n FROM spenders WHERE address = ? AND client = ?", spender[:], client[:]).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotFound
	}
	return n, err
}

const sessionCols = "id, client, spender, spender_n, deposit, reserved, charged, debited, vouched, through, expiry, due_at, fee_bps, state"

type scanner interface{ Scan(...any) error }

func scanSession(r scanner) (Session, error) {
	var x Session
	var client, spender []byte
	var deposit, reserved, charged, debited, vouched amt
	err := r.Scan(&x.ID, &client, &spender, &x.SpenderN, &deposit, &reserved, &charged, &debited, &vouched, &x.Through, &x.Expiry, &x.DueAt, &x.FeeBps, &x.State)
	if errors.Is(err, sql.ErrNoRows) {
		return x, ErrNotFound
	}
	x.Client, x.Spender = common.BytesToAddress(client), common.BytesToAddress(spender)
	x.Account = market.SessionAccount{Deposit: deposit.Amount, Reserved: reserved.Amount, Charged: charged.Amount}
	x.Debited, x.Vouched = debited.Amount, vouched.Amount
	return x, err
}

func sessionIn(tx *txn, id uint64) (Session, error) {
	x, err := scanSession(tx.QueryRow("SELECT "+sessionCols+" FROM sessions WHERE id = ?", id))
	if err != nil {
		return x, fmt.Errorf("session %d: %w", id, err)
	}
	return x, nil
}

func saveAccount(tx *txn, x Session) error {
	_, err := tx.Exec("UPDATE sessions SET reserved = ?, charged = ? WHERE id = ?", amt{x.Account.Reserved}, amt{x.Account.Charged}, x.ID)
	return err
}

// Session returns a session, or [ErrNotFound].
func (s *Store) Session(ctx context.Context, id uint64) (Session, error) {
	return scanSession(s.read.QueryRowContext(ctx, "SELECT "+sessionCols+" FROM sessions WHERE id = ?", id))
}

// Sessions returns all sessions that are not closed.
func (s *Store) Sessions(ctx context.Context) ([]Session, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+sessionCols+" FROM sessions WHERE state <> ? ORDER BY id", SessionClosed)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Session
	for rows.Next() {
		x, err := scanSession(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// PutSession stores what the chain says about a session: deposit, debits, due
// time and state. On the chain these only go one way, so an answer that was
// overtaken by a newer one changes nothing. What the ledger has reserved and
// charged stays.
func (s *Store) PutSession(ctx context.Context, x Session) error {
	return s.do(ctx, func(tx *txn) error {
		old, err := sessionIn(tx, x.ID)
		if err == nil {
			if old.Account.Deposit.Cmp(x.Account.Deposit) > 0 {
				x.Account.Deposit = old.Account.Deposit
			}
			if old.Debited.Cmp(x.Debited) > 0 {
				x.Debited = old.Debited
			}
			x.DueAt, x.State = min(x.DueAt, old.DueAt), max(x.State, old.State)
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		_, err = tx.Exec(`INSERT INTO sessions (`+sessionCols+`) VALUES (?, ?, ?, ?, ?, '0', '0', ?, '0', 0, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET deposit = excluded.deposit, debited = excluded.debited, due_at = excluded.due_at, state = excluded.state`,
			x.ID, x.Client[:], x.Spender[:], x.SpenderN, amt{x.Account.Deposit}, amt{x.Debited}, x.Expiry, x.DueAt, x.FeeBps, x.State)
		return err
	})
}

// LastNumber returns the highest order number of a session, 0 for none.
func (s *Store) LastNumber(ctx context.Context, session uint64) (n uint64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) FROM jobs WHERE session = ?", session).Scan(&n)
	return n, err
}

// PutKey stores the hash of an API key.
func (s *Store) PutKey(ctx context.Context, hash common.Hash, k Key, at int64) error {
	return s.do(ctx, func(tx *txn) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO api_keys (hash, scope, account, session, created) VALUES (?, ?, ?, ?, ?)", hash[:], k.Scope, k.Account[:], k.Session, at)
		return err
	})
}

// Key returns what an API key opens, or [ErrNotFound].
func (s *Store) Key(ctx context.Context, hash common.Hash) (Key, error) {
	var k Key
	var account []byte
	err := s.read.QueryRowContext(ctx, "SELECT scope, account, session FROM api_keys WHERE hash = ?", hash[:]).Scan(&k.Scope, &account, &k.Session)
	if errors.Is(err, sql.ErrNoRows) {
		return k, ErrNotFound
	}
	k.Account = common.BytesToAddress(account)
	return k, err
}

// Meta returns a stored value, or the empty string.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	var v string
	err := s.read.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, err
}

// PutMeta stores a value.
func (s *Store) PutMeta(ctx context.Context, key, value string) error {
	return s.do(ctx, func(tx *txn) error {
		_, err := tx.Exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
		return err
	})
}

// Imbalance compares every session with its journal: what it has reserved and
// charged must be exactly what the entries moved. It returns the first session
// that differs, or 0.
func (s *Store) Imbalance(ctx context.Context) (uint64, error) {
	type sums struct{ reserved, charged market.Amount }
	have := map[uint64]*sums{}
	rows, err := s.read.QueryContext(ctx, "SELECT session, source, target, amount FROM journal ORDER BY id")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var id uint64
		var from, to string
		var a amt
		if err := rows.Scan(&id, &from, &to, &a); err != nil {
			return 0, err
		}
		if have[id] == nil {
			have[id] = &sums{}
		}
		x := have[id]
		if from == accReserved {
			if x.reserved, err = x.reserved.Sub(a.Amount); err != nil {
				return id, nil
			}
			if to != accAvailable {
				if x.charged, err = x.charged.Add(a.Amount); err != nil {
					return id, nil
				}
			}
		} else if x.reserved, err = x.reserved.Add(a.Amount); err != nil {
			return id, nil
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	all, err := s.read.QueryContext(ctx, "SELECT "+sessionCols+" FROM sessions")
	if err != nil {
		return 0, err
	}
	defer all.Close()
	for all.Next() {
		x, err := scanSession(all)
		if err != nil {
			return 0, err
		}
		want := sums{x.Account.Reserved, x.Account.Charged}
		got := sums{}
		if have[x.ID] != nil {
			got = *have[x.ID]
		}
		if got != want {
			return x.ID, nil
		}
	}
	return 0, all.Err()
}
