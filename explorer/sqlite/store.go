package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	_ "modernc.org/sqlite" // the driver

	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/market"
)

// readers is how many connections read at a time.
const readers = 4

// ErrNotFound reports something that is not in the index.
var ErrNotFound = errors.New("not in the index")

// Store is an open index. One goroutine writes; any number may read meanwhile.
type Store struct {
	write *sql.DB
	read  *sql.DB
}

// Open opens or makes the index at path. One that another version of this
// program made is emptied, to be made again.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	// What a crash of the machine may take back, the node still has: no sync for each commit.
	dsn := "file:" + filepath.ToSlash(path) + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"
	w, err := sql.Open("sqlite", dsn+"&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(8000)")
	if err != nil {
		return nil, fmt.Errorf("open index %s: %w", path, err)
	}
	w.SetMaxOpenConns(1)
	r, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open index %s: %w", path, err), w.Close())
	}
	r.SetMaxOpenConns(readers)
	r.SetMaxIdleConns(readers)
	s := &Store{w, r}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open index %s: %w", path, err), s.Close())
	}
	return s, nil
}

// Close closes the files.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

func (s *Store) migrate(ctx context.Context) error {
	var have int
	if err := s.write.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&have); err != nil {
		return err
	}
	if have == version {
		return nil
	}
	if have == 0 {
		var tables int
		if err := s.write.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&tables); err != nil {
			return err
		}
		if tables > 0 {
			return errors.New("the file is another program's: name one of the explorer's own")
		}
	}
	return s.in(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{"position", "blocks", "txs", "touched", "events", "subjects"} {
			if _, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS `+table); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version))
		return err
	})
}

// in runs fn in a transaction that is written whole or not at all.
func (s *Store) in(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Position implements [index.Store].
func (s *Store) Position(ctx context.Context) (index.Position, error) {
	t, err := totals(ctx, s.write)
	if errors.Is(err, ErrNotFound) {
		return index.Position{}, nil
	}
	return t.Position, err
}

// Begin implements [index.Store].
func (s *Store) Begin(ctx context.Context, n index.Network, first uint64) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO position (one, chain, genesis, first, next, last, txs, failed, events, gas, burned)
		VALUES (1, ?, ?, ?, ?, ?, 0, 0, 0, 0, '0')`, int64(n.ChainID), n.Genesis[:], int64(first), int64(first), make([]byte, 32)) //nolint:gosec // ids and heights are far below 2^63
	if err != nil {
		return fmt.Errorf("begin index: %w", err)
	}
	return nil
}

// Totals are figures of all blocks in the index.
type Totals struct {
	index.Position
	First  uint64 // block of the index
	Txs    uint64
	Failed uint64 // of Txs
	Events uint64
	Gas    uint64
	Burned market.Amount
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func totals(ctx context.Context, q querier) (Totals, error) {
	var t Totals
	err := q.QueryRowContext(ctx, `SELECT chain, genesis, first, next, last, txs, failed, events, gas, burned FROM position`).Scan(
		&t.ChainID, hash(&t.Genesis), &t.First, &t.Next, hash(&t.Last), &t.Txs, &t.Failed, &t.Events, &t.Gas, amount(&t.Burned))
	if errors.Is(err, sql.ErrNoRows) {
		return t, ErrNotFound
	}
	if err != nil {
		return t, fmt.Errorf("read position: %w", err)
	}
	return t, nil
}

// Totals returns the figures of the index, or [ErrNotFound] before its first block.
func (s *Store) Totals(ctx context.Context) (Totals, error) { return totals(ctx, s.read) }

// tag is what a hash is found by.
func tag(h common.Hash) int64 {
	return int64(binary.BigEndian.Uint64(h[:8])) //nolint:gosec // any bits will do
}
