package postgres

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// exec writes with one statement.
func (s *Store) exec(ctx context.Context, sql string, args ...any) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
}

// NewSpender implements coordinator.Store.
func (s *Store) NewSpender(ctx context.Context, client common.Address, at int64, address func(n uint64) (common.Address, error)) (spender common.Address, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		var n uint64
		if err := tx.QueryRow(ctx, "INSERT INTO spenders (client, created) VALUES ($1, $2) RETURNING n", client[:], at).Scan(&n); err != nil {
			return err
		}
		if spender, err = address(n); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE spenders SET address = $2 WHERE n = $1", n, spender[:])
		return err
	})
	return spender, err
}

// Spender implements coordinator.Store.
func (s *Store) Spender(ctx context.Context, client, spender common.Address) (uint64, error) {
	return one(ctx, s, pgx.RowTo[uint64], "SELECT n FROM spenders WHERE address = $1 AND client = $2", spender[:], client[:])
}

// PutSession implements coordinator.Store. The statement is [ledger.Merge] once
// more, as the row may not be there to be locked.
func (s *Store) PutSession(ctx context.Context, x ledger.Session) error {
	return s.exec(ctx, `INSERT INTO sessions (id, client, spender, spender_n, deposit, debited, expiry, due_at, fee_bps, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET deposit = greatest(sessions.deposit, excluded.deposit), debited = greatest(sessions.debited, excluded.debited),
			due_at = least(sessions.due_at, excluded.due_at), state = greatest(sessions.state, excluded.state)`,
		x.ID, x.Client[:], x.Spender[:], x.SpenderN, amt{x.Account.Deposit}, amt{x.Debited}, x.Expiry, x.DueAt, x.FeeBps, x.State)
}

// Session implements coordinator.Store.
func (s *Store) Session(ctx context.Context, id uint64) (ledger.Session, error) {
	return one(ctx, s, scanSession, "SELECT "+sessionCols+" FROM sessions WHERE id = $1", id)
}

// Sessions implements coordinator.Store.
func (s *Store) Sessions(ctx context.Context) ([]ledger.Session, error) {
	return query(ctx, s, scanSession, "SELECT "+sessionCols+" FROM sessions WHERE state <> $1 ORDER BY id", ledger.SessionClosed)
}

// PutMiner implements coordinator.Store.
func (s *Store) PutMiner(ctx context.Context, m ledger.Miner) error {
	return s.exec(ctx, `INSERT INTO miners (address, signer, offers, slots, seen) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (address) DO UPDATE SET signer = excluded.signer, offers = excluded.offers, slots = excluded.slots, seen = excluded.seen`,
		m.Address[:], m.Signer[:], []byte(m.Offers), m.Slots, m.Seen)
}

// HoldMiner implements coordinator.Store.
func (s *Store) HoldMiner(ctx context.Context, miner common.Address, hold string, e ledger.Event) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE miners SET hold = $2 WHERE address = $1", miner[:], hold)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ledger.ErrNotFound
		}
		return record(ctx, tx, e)
	})
}

// SetCredited implements coordinator.Store.
func (s *Store) SetCredited(ctx context.Context, miner common.Address, credited market.Amount) error {
	return s.exec(ctx, "UPDATE miners SET credited = $2 WHERE address = $1", miner[:], amt{credited})
}

// Miner implements coordinator.Store.
func (s *Store) Miner(ctx context.Context, a common.Address) (ledger.Miner, error) {
	return one(ctx, s, scanMiner, "SELECT "+minerCols+" FROM miners WHERE address = $1", a[:])
}

// Miners implements coordinator.Store.
func (s *Store) Miners(ctx context.Context) ([]ledger.Miner, error) {
	return query(ctx, s, scanMiner, "SELECT "+minerCols+" FROM miners ORDER BY address")
}

// SettledJobs implements coordinator.Store.
func (s *Store) SettledJobs(ctx context.Context, batch uint64) (map[common.Address]uint64, error) {
	type count struct {
		Miner []byte
		Jobs  uint64
	}
	text, args := "SELECT miner, count(*) FROM jobs WHERE payment = $1 GROUP BY miner", []any{string(market.Settled)}
	if batch != 0 { // by its index
		text, args = "SELECT miner, count(*) FROM jobs WHERE payment = $1 AND batch = $2 GROUP BY miner", append(args, batch)
	}
	all, err := query(ctx, s, pgx.RowToStructByPos[count], text, args...)
	out := make(map[common.Address]uint64, len(all))
	for _, c := range all {
		out[common.BytesToAddress(c.Miner)] = c.Jobs
	}
	return out, err
}

// Meta implements coordinator.Store.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	all, err := query(ctx, s, pgx.RowTo[string], "SELECT value FROM meta WHERE key = $1", key)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return all[0], nil
}

// PutMeta implements coordinator.Store.
func (s *Store) PutMeta(ctx context.Context, key, value string) error {
	return s.exec(ctx, "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
}
