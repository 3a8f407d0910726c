package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/explorer/verify"
)

// kept has what people have shown of contracts, which no node can tell again: it stays
// when the index is made again. Each network has its own rows; columns may be added,
// and none is changed.
const kept = `
CREATE TABLE IF NOT EXISTS verified (
	genesis   BLOB NOT NULL,
	address   BLOB NOT NULL,
	seq       INTEGER NOT NULL,
	match     INTEGER NOT NULL,
	path      TEXT NOT NULL,
	name      TEXT NOT NULL,
	compiler  TEXT NOT NULL,
	at        INTEGER NOT NULL,
	code      BLOB NOT NULL,
	abi       TEXT NOT NULL,
	input     BLOB NOT NULL,
	created   INTEGER NOT NULL,
	arguments BLOB NOT NULL,
	libraries TEXT NOT NULL,
	PRIMARY KEY (genesis, address)
);
CREATE UNIQUE INDEX IF NOT EXISTS verified_seq ON verified (genesis, seq);
`

// Contract is a contract whose source somebody has shown.
type Contract struct {
	verify.Result
	Address common.Address
	Seq     uint64 // in the order in which contracts were shown first
	Time    time.Time
	Code    common.Hash // of the code that was compared
}

// SaveContract keeps what a contract was verified with, and returns what is kept: what
// was there before stays unless the new match is better, is as good and compared what
// made the contract too, or the code is another.
func (s *Store) SaveContract(ctx context.Context, c Contract) (Contract, error) {
	err := s.in(ctx, func(tx *sql.Tx) error {
		if s.durable != nil {
			if err := s.durable(ctx, tx); err != nil {
				return err
			}
		}
		t, err := s.totals(ctx, tx, s.lock)
		if err != nil {
			return err
		}
		have, err := one(rows(ctx, tx, scanContract, s.bind(`SELECT `+contractColumns+` FROM verified WHERE genesis = ? AND address = ?`), t.Genesis[:], c.Address[:]))
		switch {
		case err == nil && have.Code == c.Code && (have.Match > c.Match || have.Match == c.Match && (have.Created || !c.Created)):
			c = have
			return nil
		case err == nil:
			c.Seq = have.Seq
		case errors.Is(err, ErrNotFound):
			var last int64
			if err := tx.QueryRowContext(ctx, s.bind(`SELECT coalesce(max(seq), 0) FROM verified WHERE genesis = ?`), t.Genesis[:]).Scan(&last); err != nil {
				return err
			}
			c.Seq = uint64(last) + 1 //nolint:gosec // it counts
		default:
			return err
		}
		return s.putContract(ctx, tx, t.Genesis, c)
	})
	if err != nil {
		return c, fmt.Errorf("keep contract %s: %w", c.Address, err)
	}
	if s.settle != nil {
		if err := s.settle(ctx, s.write); err != nil {
			return c, fmt.Errorf("keep contract %s: %w", c.Address, err)
		}
	}
	return c, nil
}

func (s *Store) putContract(ctx context.Context, tx *sql.Tx, genesis common.Hash, c Contract) error {
	input, err := pack(c.Input)
	if err != nil {
		return err
	}
	libraries, err := json.Marshal(c.Libraries)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, s.bind(`DELETE FROM verified WHERE genesis = ? AND address = ?`), genesis[:], c.Address[:]); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.bind(`INSERT INTO verified (genesis, address, seq, match, path, name, compiler, at, code, abi, input, created, arguments, libraries)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`), genesis[:], c.Address[:], num(c.Seq), int(c.Match), c.Path, c.Name, c.Compiler, c.Time.UnixNano(), c.Code[:],
		string(c.ABI), input, truth(c.Created), append([]byte{}, c.Arguments...), string(libraries))
	return err
}

// Columns of a contract; in lists its source and interface are left out.
const (
	listColumns     = `address, seq, match, path, name, compiler, at, code, created`
	contractColumns = listColumns + `, abi, input, arguments, libraries`
)

func scanListed(row func(...any) error) (c Contract, err error) { return c, c.scan(row) }

func scanContract(row func(...any) error) (c Contract, err error) {
	var abi, libraries string
	var input []byte
	if err := c.scan(row, &abi, &input, &c.Arguments, &libraries); err != nil {
		return c, err
	}
	c.ABI = json.RawMessage(abi)
	if c.Input, err = unpack(input); err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(libraries), &c.Libraries)
}

func (c *Contract) scan(row func(...any) error, more ...any) error {
	var at int64
	err := row(append([]any{address(&c.Address), &c.Seq, &c.Match, &c.Path, &c.Name, &c.Compiler, &at, hash(&c.Code), &c.Created}, more...)...)
	c.Time = time.Unix(0, at).UTC()
	return err
}

// thisNetwork is the network that the index is of.
const thisNetwork = `genesis = (SELECT genesis FROM position)`

// Contract returns what a contract was verified with, or [ErrNotFound].
func (s *Store) Contract(ctx context.Context, a common.Address) (Contract, error) {
	return one(list(ctx, s, scanContract, `SELECT `+contractColumns+` FROM verified WHERE `+thisNetwork+` AND address = ?`, a[:]))
}

// Contracts returns verified contracts before one, the newest first, without their
// sources and interfaces.
func (s *Store) Contracts(ctx context.Context, before uint64, limit int) ([]Contract, error) {
	return list(ctx, s, scanListed, `SELECT `+listColumns+` FROM verified WHERE `+thisNetwork+` AND seq < ? ORDER BY seq DESC LIMIT ?`, num(min(before, math.MaxInt64)), limit)
}

// Interfaces returns those contracts of a list that are verified, with their names
// and interfaces alone.
func (s *Store) Interfaces(ctx context.Context, of []common.Address) ([]Contract, error) {
	if len(of) == 0 {
		return nil, nil
	}
	args := make([]any, len(of))
	for i := range of {
		args[i] = of[i][:]
	}
	scan := func(row func(...any) error) (c Contract, err error) {
		var abi string
		err = row(address(&c.Address), &c.Match, &c.Name, &abi)
		c.ABI = json.RawMessage(abi)
		return c, err
	}
	return list(ctx, s, scan, `SELECT address, match, name, abi FROM verified WHERE `+thisNetwork+` AND address IN (?`+strings.Repeat(`, ?`, len(of)-1)+`)`, args...)
}

// CreationOf returns the transaction that made a contract, or [ErrNotFound] if a
// contract made it, genesis did, or the index does not have it.
func (s *Store) CreationOf(ctx context.Context, a common.Address) (Tx, error) {
	return one(list(ctx, s, scanTx, `SELECT `+txColumns+` JOIN touched ON touched.height = txs.height AND touched.idx = txs.idx
		WHERE touched.address = ? AND txs.created = ? AND ok = 1 AND receiver IS NULL ORDER BY touched.height, touched.idx LIMIT 1`, a[:], a[:]))
}

func pack(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

func unpack(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r) // as large as it was when it was taken
}
