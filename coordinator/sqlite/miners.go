package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

const minerCols = "address, signer, offers, slots, total, batched, settled, credited, completed, seen, hold"

func scanMiner(r scanner) (ledger.Miner, error) {
	var m ledger.Miner
	var address, signer []byte
	var total, batched, settled, credited amt
	var offers string
	err := r.Scan(&address, &signer, &offers, &m.Slots, &total, &batched, &settled, &credited, &m.Completed, &m.Seen, &m.Hold)
	if errors.Is(err, sql.ErrNoRows) {
		return m, ledger.ErrNotFound
	}
	m.Address, m.Signer, m.Offers = common.BytesToAddress(address), common.BytesToAddress(signer), []byte(offers)
	m.Total, m.Batched, m.Settled, m.Credited = total.Amount, batched.Amount, settled.Amount, credited.Amount
	return m, err
}

// PutMiner implements coordinator.Store.
func (s *Store) PutMiner(ctx context.Context, m ledger.Miner) error {
	return s.do(ctx, func(tx *txn) error {
		tx.touched.miner(m.Address)
		_, err := tx.Exec(`INSERT INTO miners (address, signer, offers, slots, seen) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (address) DO UPDATE SET signer = excluded.signer, offers = excluded.offers, slots = excluded.slots, seen = excluded.seen`,
			m.Address[:], m.Signer[:], string(m.Offers), m.Slots, m.Seen)
		return err
	})
}

// HoldMiner implements coordinator.Store.
func (s *Store) HoldMiner(ctx context.Context, miner common.Address, hold string, e ledger.Event) error {
	return s.do(ctx, func(tx *txn) error {
		tx.touched.miner(miner)
		res, err := tx.Exec("UPDATE miners SET hold = ? WHERE address = ?", hold, miner[:])
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ledger.ErrNotFound)
		}
		return record(tx, e)
	})
}

// SetCredited implements coordinator.Store.
func (s *Store) SetCredited(ctx context.Context, miner common.Address, credited market.Amount) error {
	return s.doBehind(ctx, func(tx *txn) error {
		tx.touched.miner(miner)
		_, err := tx.Exec("UPDATE miners SET credited = ? WHERE address = ?", amt{credited}, miner[:])
		return err
	})
}

// Miners implements coordinator.Store.
func (s *Store) Miners(ctx context.Context) ([]ledger.Miner, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, "SELECT "+minerCols+" FROM miners ORDER BY address")
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMiner)
}

// SettledJobs implements coordinator.Store.
func (s *Store) SettledJobs(ctx context.Context, batch uint64) (map[common.Address]uint64, error) {
	query, args := "SELECT miner, count(*) FROM jobs WHERE payment = ? GROUP BY miner", []any{string(market.Settled)}
	if batch != 0 { // by its index
		query, args = "SELECT miner, count(*) FROM jobs WHERE payment = ? AND batch = ? GROUP BY miner", append(args, batch)
	}
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	type count struct {
		miner []byte
		jobs  uint64
	}
	all, err := collect(rows, func(r scanner) (c count, err error) {
		err = r.Scan(&c.miner, &c.jobs)
		return c, err
	})
	out := make(map[common.Address]uint64, len(all))
	for _, c := range all {
		out[common.BytesToAddress(c.miner)] = c.jobs
	}
	return out, err
}
