package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/market"
)

// Block is a block of the index.
type Block struct {
	Height   uint64
	Hash     common.Hash
	Parent   common.Hash
	Time     time.Time
	Proposer common.Address
	GasUsed  uint64
	GasLimit uint64
	BaseFee  market.Amount
	Txs      int
	Events   int
}

// Tx is a transaction of the index.
type Tx struct {
	index.Tx
	Height uint64
	Index  int
	Time   time.Time
}

// Event is an event of the index.
type Event struct {
	Height   uint64
	Seq      int
	Tx       int // place of its transaction in the block, or [index.System]
	Log      int
	TxHash   *common.Hash // nil for the node's own calls
	Time     time.Time
	Call     string
	Contract string
	Name     string
	Args     json.RawMessage
}

// Place is where a list goes on: before this block's place, newest first.
type Place struct {
	Height uint64
	Seq    int
}

// Newest is the place from which a list begins.
var Newest = Place{math.MaxInt64, math.MaxInt32}

const blockColumns = `height, hash, parent, time, proposer, gas_used, gas_limit, base_fee, txs, events`

func scanBlock(row func(...any) error) (Block, error) {
	var b Block
	var at int64
	err := row(&b.Height, hash(&b.Hash), hash(&b.Parent), &at, address(&b.Proposer), &b.GasUsed, &b.GasLimit, amount(&b.BaseFee), &b.Txs, &b.Events)
	b.Time = time.Unix(0, at).UTC()
	return b, err
}

const txColumns = `txs.height, txs.idx, txs.hash, sender, receiver, created, value, nonce, method, ok, txs.gas_limit, txs.gas_used, fee, burned, blocks.time
	FROM txs JOIN blocks ON blocks.height = txs.height`

func scanTx(row func(...any) error) (Tx, error) {
	var t Tx
	var at int64
	err := row(&t.Height, &t.Index, hash(&t.Hash), address(&t.From), optional(&t.To), optional(&t.Created), amount(&t.Value), &t.Nonce, &t.Method, &t.OK,
		&t.GasLimit, &t.GasUsed, amount(&t.Fee), amount(&t.Burned), &at)
	t.Time = time.Unix(0, at).UTC()
	return t, err
}

const eventColumns = `events.height, events.seq, events.idx, log, call, contract, name, args, txs.hash, blocks.time
	FROM events JOIN blocks ON blocks.height = events.height LEFT JOIN txs ON txs.height = events.height AND txs.idx = events.idx`

func scanEvent(row func(...any) error) (Event, error) {
	var e Event
	var at int64
	var args string
	err := row(&e.Height, &e.Seq, &e.Tx, &e.Log, &e.Call, &e.Contract, &e.Name, &args, scanner(func(v any) error {
		if v == nil {
			return nil
		}
		e.TxHash = new(common.Hash)
		return hash(e.TxHash)(v)
	}), &at)
	e.Args, e.Time = json.RawMessage(args), time.Unix(0, at).UTC()
	return e, err
}

// list reads all rows of a query.
func list[T any](ctx context.Context, s *Store, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	return rows(ctx, s.read, scan, s.bind(query), args...)
}

// asker is a database, or a transaction in it.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func rows[T any](ctx context.Context, q asker, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read index: %w", err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	return out, nil
}

// one returns the only value of a list, or [ErrNotFound].
func one[T any](l []T, err error) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	if len(l) == 0 {
		return none, ErrNotFound
	}
	return l[0], nil
}

// Blocks returns blocks below a height, newest first.
func (s *Store) Blocks(ctx context.Context, before uint64, limit int) ([]Block, error) {
	return list(ctx, s, scanBlock, `SELECT `+blockColumns+` FROM blocks WHERE height < ? ORDER BY height DESC LIMIT ?`, num(min(before, math.MaxInt64)), limit)
}

// Block returns the block of a height, or [ErrNotFound].
func (s *Store) Block(ctx context.Context, height uint64) (Block, error) {
	return one(list(ctx, s, scanBlock, `SELECT `+blockColumns+` FROM blocks WHERE height = ?`, num(min(height, math.MaxInt64))))
}

// BlockByHash returns the block of a hash, or [ErrNotFound].
func (s *Store) BlockByHash(ctx context.Context, h common.Hash) (Block, error) {
	return one(list(ctx, s, scanBlock, `SELECT `+blockColumns+` FROM blocks WHERE tag = ? AND hash = ?`, tag(h), h[:]))
}

// Tx returns the transaction of a hash, or [ErrNotFound].
func (s *Store) Tx(ctx context.Context, h common.Hash) (Tx, error) {
	return one(list(ctx, s, scanTx, `SELECT `+txColumns+` WHERE txs.tag = ? AND txs.hash = ?`, tag(h), h[:]))
}

// Txs returns transactions before a place, newest first.
func (s *Store) Txs(ctx context.Context, before Place, limit int) ([]Tx, error) {
	return list(ctx, s, scanTx, `SELECT `+txColumns+` WHERE (txs.height, txs.idx) < (?, ?) ORDER BY txs.height DESC, txs.idx DESC LIMIT ?`,
		num(before.Height), before.Seq, limit)
}

// TxsOf returns the transactions of a block from a place on, in their order.
func (s *Store) TxsOf(ctx context.Context, height uint64, from, limit int) ([]Tx, error) {
	return list(ctx, s, scanTx, `SELECT `+txColumns+` WHERE txs.height = ? AND txs.idx >= ? ORDER BY txs.idx LIMIT ?`, num(height), from, limit)
}

// TxsBy returns transactions that name an account before a place, newest first.
func (s *Store) TxsBy(ctx context.Context, a common.Address, before Place, limit int) ([]Tx, error) {
	return list(ctx, s, scanTx, `SELECT `+txColumns+` JOIN touched ON touched.height = txs.height AND touched.idx = txs.idx
		WHERE touched.address = ? AND (touched.height, touched.idx) < (?, ?) ORDER BY touched.height DESC, touched.idx DESC LIMIT ?`,
		a[:], num(before.Height), before.Seq, limit)
}

// EventsOfTx returns the events of a transaction, in their order.
func (s *Store) EventsOfTx(ctx context.Context, height uint64, idx int) ([]Event, error) {
	return list(ctx, s, scanEvent, `SELECT `+eventColumns+` WHERE events.height = ? AND events.idx = ? ORDER BY events.seq`, num(height), idx)
}

// EventsAbout returns the events about a subject before a place, newest first.
func (s *Store) EventsAbout(ctx context.Context, of index.Subject, before Place, limit int) ([]Event, error) {
	return list(ctx, s, scanEvent, `SELECT `+eventColumns+` JOIN subjects ON subjects.height = events.height AND subjects.seq = events.seq
		WHERE subjects.kind = ? AND subjects.key = ? AND (subjects.height, subjects.seq) < (?, ?) ORDER BY subjects.height DESC, subjects.seq DESC LIMIT ?`,
		int(of.Kind), []byte(of.Key), num(before.Height), before.Seq, limit)
}

func scanAddress(row func(...any) error) (a common.Address, err error) { return a, row(address(&a)) }

// Tokens returns tokens that an account may have, in the order of their addresses
// and after one of them.
func (s *Store) Tokens(ctx context.Context, holder, after common.Address, limit int) ([]common.Address, error) {
	return list(ctx, s, scanAddress, `SELECT token FROM holdings WHERE holder = ? AND token > ? ORDER BY token LIMIT ?`, holder[:], after[:], limit)
}

// Known reports whether any event is about a subject.
func (s *Store) Known(ctx context.Context, of index.Subject) (bool, error) {
	var known bool
	err := s.read.QueryRowContext(ctx, s.bind(`SELECT EXISTS (SELECT 1 FROM subjects WHERE kind = ? AND key = ?)`), int(of.Kind), []byte(of.Key)).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("read index: %w", err)
	}
	return known, nil
}
