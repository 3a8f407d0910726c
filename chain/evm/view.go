package evm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/rlp"
)

// Ancestors is how many of the last headers execution may ask for, with BLOCKHASH.
const Ancestors = 256

// View is the state after one block as it was on disk when the view was taken: later blocks do not change it. It is for
// one goroutine. It holds back the database's housekeeping, so it should not live longer than needed.
type View struct {
	// Block is the view's block, Receipts are its receipts as they are stored.
	Block    *types.Block
	Receipts rlp.RawValue
	// Headers are those of the last Ancestors blocks, without genesis, oldest first; the last is the block's.
	Headers []*types.Header
	Supply  Supply

	db              ethdb.Database
	accounts, slots ethdb.Iterator
	held            bool // slots stands on an entry that has not been handed out
}

// ErrNoView is returned while the database cannot give a view: its flat state is still being built.
var ErrNoView = errors.New("the flat state is not complete yet")

// View takes a view of the head. No block may be committed meanwhile. Close must be called before the chain's.
func (c *Chain) View(ctx context.Context) (*View, error) {
	head := c.Head()
	block := c.bc.GetBlock(head.Hash(), head.Number.Uint64())
	if block == nil {
		return nil, fmt.Errorf("view of block %d: the block is missing", head.Number)
	}
	if !c.bc.TrieDB().SnapshotCompleted() {
		return nil, fmt.Errorf("view of block %d: %w", head.Number, ErrNoView)
	}
	if rawdb.ReadSnapshotRoot(c.db) != head.Root {
		if err := c.flush(head.Root, head.Number.Uint64()); err != nil {
			return nil, err
		}
	}
	if err := c.onDisk(ctx, head.Root); err != nil {
		return nil, fmt.Errorf("view of block %d: %w", head.Number, err)
	}
	supply, err := c.Supply(head.Hash())
	if err != nil {
		return nil, err
	}
	v := &View{Block: block, Receipts: rawdb.ReadReceiptsRLP(c.db, head.Hash(), head.Number.Uint64()), Supply: supply, db: c.db}
	for h := head; len(v.Headers) < Ancestors && h.Number.Sign() > 0; {
		v.Headers = append(v.Headers, h)
		parent := c.bc.GetHeader(h.ParentHash, h.Number.Uint64()-1)
		if parent == nil {
			return nil, fmt.Errorf("view of block %d: the header before %d is missing", head.Number, h.Number)
		}
		h = parent
	}
	for i, j := 0, len(v.Headers)-1; i < j; i, j = i+1, j-1 {
		v.Headers[i], v.Headers[j] = v.Headers[j], v.Headers[i]
	}
	v.accounts = c.db.NewIterator(rawdb.SnapshotAccountPrefix, nil)
	v.slots = c.db.NewIterator(rawdb.SnapshotStoragePrefix, nil)
	return v, nil
}

// onDisk waits until a flush that has begun is done. The state is written in one batch together with its root.
func (c *Chain) onDisk(ctx context.Context, root common.Hash) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for rawdb.ReadSnapshotRoot(c.db) != root {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the state on disk: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// NextAccount is the next account by the hash of its address, in go-ethereum's slim encoding; false at the end.
func (v *View) NextAccount() (common.Hash, []byte, bool) {
	for v.accounts.Next() {
		// Other keys of ours begin with the same letter; they have another length.
		if key := v.accounts.Key(); len(key) == 1+common.HashLength {
			return common.BytesToHash(key[1:]), v.accounts.Value(), true
		}
	}
	return common.Hash{}, nil, false
}

// NextSlot is the next storage slot of an account by the hash of its key; false after the last. Accounts must be asked
// in the order in which NextAccount gives them.
func (v *View) NextSlot(account common.Hash) (common.Hash, []byte, bool) {
	for v.held || v.slots.Next() {
		v.held = false
		key := v.slots.Key()
		if len(key) != 1+2*common.HashLength {
			continue
		}
		switch bytes.Compare(key[1:1+common.HashLength], account[:]) {
		case 0:
			return common.BytesToHash(key[1+common.HashLength:]), v.slots.Value(), true
		case 1:
			v.held = true
			return common.Hash{}, nil, false
		}
	}
	return common.Hash{}, nil, false
}

// Code is a contract's code by its hash; nil if it is missing.
func (v *View) Code(hash common.Hash) []byte { return rawdb.ReadCode(v.db, hash) }

// Err is what stopped NextAccount or NextSlot early, if anything did.
func (v *View) Err() error {
	if err := errors.Join(v.accounts.Error(), v.slots.Error()); err != nil {
		return fmt.Errorf("read state of block %d: %w", v.Block.NumberU64(), err)
	}
	return nil
}

// Close lets the database go on. It may be called once.
func (v *View) Close() {
	v.accounts.Release()
	v.slots.Release()
}
