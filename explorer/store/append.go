package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/market"
)

// Append implements [index.Store]. What another explorer has written meanwhile is
// not written again.
func (s *Store) Append(ctx context.Context, blocks []index.Block) error {
	return s.in(ctx, func(tx *sql.Tx) error {
		t, err := s.totals(ctx, tx, s.lock)
		if err != nil {
			return err
		}
		for len(blocks) > 0 && blocks[0].Height < t.Next {
			blocks = blocks[1:]
		}
		if len(blocks) == 0 {
			return nil
		}
		if b := &blocks[0]; b.Height != t.Next || t.Last != (common.Hash{}) && b.Parent != t.Last {
			return fmt.Errorf("block %d does not follow block %d of the index: %w", b.Height, t.Next-1, index.ErrOtherChain)
		}
		w := &writer{dialect: &s.dialect, ctx: ctx, tx: tx, full: map[string]*sql.Stmt{}}
		defer w.close()
		for i := range blocks {
			if err := w.block(&blocks[i], &t); err != nil {
				return fmt.Errorf("block %d: %w", blocks[i].Height, err)
			}
		}
		if err := w.flush(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.bind(`UPDATE position SET next = ?, last = ?, txs = ?, failed = ?, events = ?, gas = ?, burned = ?`),
			num(t.Next), t.Last[:], num(t.Txs), num(t.Failed), num(t.Events), num(t.Gas), t.Burned.String())
		return err
	})
}

// num is a number as databases have them. Heights, gas and counts of a chain stay below 2^63.
func num(n uint64) int64 { return int64(n) } //nolint:gosec // see above

var inserts = [...]struct {
	insert string
	cols   int
	end    string
	sorted bool // by their key, which lies all over the table, before they are written
}{
	blocks:   {`INSERT INTO blocks (height, tag, hash, parent, time, proposer, gas_used, gas_limit, base_fee, txs, events) VALUES `, 11, ``, false},
	txs:      {`INSERT INTO txs (height, idx, tag, hash, sender, receiver, created, value, nonce, method, ok, gas_limit, gas_used, fee, burned) VALUES `, 15, ``, false},
	touched:  {`INSERT INTO touched (address, height, idx) VALUES `, 3, ``, true},
	events:   {`INSERT INTO events (height, seq, idx, log, call, contract, name, args) VALUES `, 8, ``, false},
	subjects: {`INSERT INTO subjects (kind, key, height, seq) VALUES `, 4, ``, true},
	holdings: {`INSERT INTO holdings (holder, token) VALUES `, 2, ` ON CONFLICT DO NOTHING`, true},
}

const (
	blocks = iota
	txs
	touched
	events
	subjects
	holdings
)

// writer gathers rows and writes them in few statements.
type writer struct {
	*dialect

	ctx  context.Context //nolint:containedctx // of the one transaction that it lives in
	tx   *sql.Tx
	rows [len(inserts)][]any
	full map[string]*sql.Stmt
}

func (w *writer) close() {
	for _, s := range w.full {
		_ = s.Close() // it ends with its transaction all the same
	}
}

func (w *writer) put(table int, values ...any) error {
	w.rows[table] = append(w.rows[table], values...)
	if inserts[table].sorted || len(w.rows[table]) < w.atOnce*inserts[table].cols {
		return nil
	}
	args := w.rows[table]
	w.rows[table] = args[:0]
	return w.write(table, args)
}

// write writes some rows, at most atOnce.
func (w *writer) write(table int, args []any) error {
	n := len(args) / inserts[table].cols
	if n == 0 {
		return nil
	}
	row := "(" + strings.Repeat("?,", inserts[table].cols-1) + "?)"
	query := w.bind(inserts[table].insert + strings.Repeat(row+",", n-1) + row + inserts[table].end)
	if n < w.atOnce {
		_, err := w.tx.ExecContext(w.ctx, query, args...)
		return err
	}
	s, ok := w.full[query]
	if !ok {
		var err error
		if s, err = w.tx.PrepareContext(w.ctx, query); err != nil {
			return err
		}
		w.full[query] = s
	}
	_, err := s.ExecContext(w.ctx, args...)
	return err
}

func (w *writer) flush() error {
	for table := range inserts {
		rows := slices.Collect(slices.Chunk(w.rows[table], inserts[table].cols))
		if inserts[table].sorted {
			slices.SortFunc(rows, byKey)
		}
		for part := range slices.Chunk(rows, w.atOnce) {
			if err := w.write(table, slices.Concat(part...)); err != nil {
				return err
			}
		}
	}
	return nil
}

// byKey compares rows by their columns, in order.
func byKey(a, b []any) int {
	for i := range a {
		order := 0
		switch x := a[i].(type) {
		case []byte:
			order = bytes.Compare(x, b[i].([]byte)) //nolint:forcetypeassert // the same column
		case int64:
			order = cmp.Compare(x, b[i].(int64)) //nolint:forcetypeassert // the same column
		case int:
			order = cmp.Compare(x, b[i].(int)) //nolint:forcetypeassert // the same column
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// truth is a boolean as the schema has them.
func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func blob(a *common.Address) any {
	if a == nil {
		return nil
	}
	return a[:]
}

// block writes a block and adds it to the totals.
func (w *writer) block(b *index.Block, t *Totals) error {
	h := num(b.Height)
	if err := w.put(blocks, h, tag(b.Hash), b.Hash[:], b.Parent[:], b.Time.UnixNano(), b.Proposer[:], num(b.GasUsed), num(b.GasLimit),
		b.BaseFee.String(), len(b.Txs), len(b.Events)); err != nil {
		return err
	}
	for i := range b.Txs {
		if err := w.transaction(b, i, &t.Burned); err != nil {
			return err
		}
		t.Gas += b.Txs[i].GasUsed
		if !b.Txs[i].OK {
			t.Failed++
		}
	}
	for seq := range b.Events {
		e := &b.Events[seq]
		if err := w.put(events, h, seq, e.Tx, e.Log, e.Call, e.Contract, e.Name, string(e.Args)); err != nil {
			return err
		}
		for _, s := range e.Subjects {
			if err := w.put(subjects, int(s.Kind), []byte(s.Key), h, seq); err != nil {
				return err
			}
		}
		for _, a := range e.Holders {
			if err := w.put(holdings, a[:], e.Token[:]); err != nil {
				return err
			}
		}
	}
	t.Next, t.Last = b.Height+1, b.Hash
	t.Txs += uint64(len(b.Txs))
	t.Events += uint64(len(b.Events))
	return nil
}

func (w *writer) transaction(b *index.Block, i int, burned *market.Amount) (err error) {
	x := &b.Txs[i]
	method := x.Method
	if method == nil {
		method = []byte{}
	}
	if err := w.put(txs, num(b.Height), i, tag(x.Hash), x.Hash[:], x.From[:], blob(x.To), blob(x.Created), x.Value.String(), num(x.Nonce), method,
		truth(x.OK), num(x.GasLimit), num(x.GasUsed), x.Fee.String(), x.Burned.String()); err != nil {
		return err
	}
	for _, a := range b.Touched(i) {
		if err := w.put(touched, a[:], num(b.Height), i); err != nil {
			return err
		}
	}
	*burned, err = burned.Add(x.Burned)
	return err
}
