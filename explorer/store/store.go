package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/market"
)

// ErrNotFound reports something that is not in the index.
var ErrNotFound = errors.New("not in the index")

// Store is an open index. One goroutine writes; any number may read meanwhile.
type Store struct {
	dialect

	write *sql.DB
	read  *sql.DB
}

// Open opens or makes an index: in the PostgreSQL of a postgres:// URL, in tables of
// the first schema of its search_path, explorer if it names none; else in the SQLite
// file at a path. An index that another version of this program made is emptied, to
// be made again; contracts' sources stay.
func Open(ctx context.Context, where string) (*Store, error) {
	open := openFile
	if IsURL(where) {
		open = openURL
	}
	s, err := open(where)
	if err != nil {
		return nil, fmt.Errorf("open index %s: %w", Redacted(where), err)
	}
	if err := s.in(ctx, func(tx *sql.Tx) error { return s.migrate(ctx, tx) }); err != nil {
		return nil, errors.Join(fmt.Errorf("open index %s: %w", Redacted(where), err), s.Close())
	}
	return s, nil
}

// Close closes the database.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

func (s *Store) migrate(ctx context.Context, tx *sql.Tx) error {
	have, err := s.version(ctx, tx)
	if err != nil {
		return err
	}
	if err := s.make(ctx, tx, kept); err != nil || have == version {
		return err
	}
	for _, table := range tables {
		if _, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS `+table); err != nil {
			return err
		}
	}
	if err := s.make(ctx, tx, schema); err != nil {
		return err
	}
	return s.setVersion(ctx, tx)
}

// make makes the tables of a schema.
func (s *Store) make(ctx context.Context, tx *sql.Tx, schema string) error {
	for statement := range strings.SplitSeq(strings.TrimSpace(schema), ";\n") {
		if _, err := tx.ExecContext(ctx, s.words.Replace(strings.TrimSuffix(statement, ";"))); err != nil {
			return err
		}
	}
	return nil
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
	t, err := s.totals(ctx, s.write, "")
	if errors.Is(err, ErrNotFound) {
		return index.Position{}, nil
	}
	return t.Position, err
}

// Begin implements [index.Store].
func (s *Store) Begin(ctx context.Context, n index.Network, first uint64) error {
	_, err := s.write.ExecContext(ctx, s.bind(`INSERT INTO position (one, chain, genesis, first, next, last, txs, failed, events, gas, burned)
		VALUES (1, ?, ?, ?, ?, ?, 0, 0, 0, 0, '0') ON CONFLICT DO NOTHING`), int64(n.ChainID), n.Genesis[:], int64(first), int64(first), make([]byte, 32)) //nolint:gosec // ids and heights are far below 2^63
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

func (d *dialect) totals(ctx context.Context, q querier, lock string) (Totals, error) {
	var t Totals
	err := q.QueryRowContext(ctx, `SELECT chain, genesis, first, next, last, txs, failed, events, gas, burned FROM position`+lock).Scan(
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
func (s *Store) Totals(ctx context.Context) (Totals, error) { return s.totals(ctx, s.read, "") }

// tag is what a hash is found by.
func tag(h common.Hash) int64 {
	return int64(binary.BigEndian.Uint64(h[:8])) //nolint:gosec // any bits will do
}
