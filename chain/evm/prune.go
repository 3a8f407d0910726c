package evm

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
)

// ErrPruned is returned for what this node does not keep.
var ErrPruned = errors.New("this node does not keep it")

// pruneBatch bounds how many blocks one call of Prune removes.
const pruneBatch = 512

// Tail is the lowest height above genesis whose transactions and receipts are kept.
func (c *Chain) Tail() (uint64, error) {
	tail, err := c.db.Tail(rawdb.ChainFreezerBlockDataGroup)
	if err != nil {
		return 0, fmt.Errorf("oldest block: %w", err)
	}
	return max(tail, 1), nil
}

// Prune removes transactions and receipts of blocks below a height, and what finds them. Headers and states stay. Only
// blocks that have moved to the store of old blocks, a minute or so after they were committed, and only some hundreds
// of them, go in one call: the caller calls again.
func (c *Chain) Prune(below uint64) error {
	frozen, err := c.db.Ancients()
	if err != nil {
		return fmt.Errorf("prune blocks: %w", err)
	}
	tail, err := c.Tail()
	if err != nil {
		return err
	}
	end := min(below, frozen, tail+pruneBatch)
	if end <= tail {
		return nil
	}
	batch := c.db.NewBatch()
	defer batch.Close()
	for n := tail; n < end; n++ {
		body := rawdb.ReadBody(c.db, rawdb.ReadCanonicalHash(c.db, n), n)
		if body == nil {
			continue
		}
		var gone []common.Hash
		for _, tx := range body.Transactions {
			gone = append(gone, tx.Hash())
		}
		rawdb.DeleteTxLookupEntries(batch, gone)
	}
	if err := batch.Write(); err != nil {
		return fmt.Errorf("prune blocks: %w", err)
	}
	if _, err := c.db.TruncateTail(rawdb.ChainFreezerBlockDataGroup, end); err != nil {
		return fmt.Errorf("prune blocks: %w", err)
	}
	return nil
}
