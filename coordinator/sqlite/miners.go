package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

const minerCols = "address, signer, offers, slots, total, batched, credited, completed, seen"

func scanMiner(r scanner) (Miner, error) {
	var m Miner
	var address, signer []byte
	var total, batched, credited amt
	var offers string
	err := r.Scan(&address, &signer, &offers, &m.Slots, &total, &batched, &credited, &m.Completed, &m.Seen)
	if errors.Is(err, sql.ErrNoRows) {
		return m, ErrNotFound
	}
	m.Address, m.Signer, m.Offers = common.BytesToAddress(address), common.BytesToAddress(signer), []byte(offers)
	m.Total, m.Batched, m.Credited = total.Amount, batched.Amount, credited.Amount
	return m, err
}

// PutMiner stores a miner's login. What it has earned stays.
func (s *Store) PutMiner(ctx context.Context, m Miner) error {
	return s.do(ctx, func(tx *txn) error {
		_, err := tx.Exec(`INSERT INTO miners (address, signer, offers, slots, seen) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (address) DO UPDATE SET signer = excluded.signer, offers = excluded.offers, slots = excluded.slots, seen = excluded.seen`,
			m.Address[:], m.Signer[:], string(m.Offers), m.Slots, m.Seen)
		return err
	})
}

// SetCredited stores what the chain has paid a miner on this coordinator's account.
func (s *Store) SetCredited(ctx context.Context, miner common.Address, credited market.Amount) error {
	return s.do(ctx, func(tx *txn) error {
		_, err := tx.Exec("UPDATE miners SET credited = ? WHERE address = ?", amt{credited}, miner[:])
		return err
	})
}

// Miner returns a miner's account, or [ErrNotFound].
func (s *Store) Miner(ctx context.Context, a common.Address) (Miner, error) {
	return scanMiner(s.read.QueryRowContext(ctx, "SELECT "+minerCols+" FROM miners WHERE address = ?", a[:]))
}

// Miners returns all miners that ever logged in.
func (s *Store) Miners(ctx context.Context) ([]Miner, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+minerCols+" FROM miners ORDER BY address")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Miner
	for rows.Next() {
		m, err := scanMiner(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}
