package evm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// remember reads a block that was just written into go-ethereum's cache, with the senders of its transactions, which
// running it has found. Whoever reads the block next, the pool first of all, would recover each from its signature again.
func (c *Chain) remember(b *types.Block) error {
	stored := c.bc.GetBlock(b.Hash(), b.NumberU64())
	if stored == nil {
		return fmt.Errorf("block %d is not where it was written", b.NumberU64())
	}
	signer := types.LatestSigner(c.bc.Config())
	for i, tx := range stored.Transactions() {
		from, err := types.Sender(signer, b.Transactions()[i])
		if err != nil {
			return fmt.Errorf("block %d, transaction %d: %w", b.NumberU64(), i, err)
		}
		if _, err := types.Sender(known{signer, from}, tx); err != nil {
			return fmt.Errorf("block %d, transaction %d: %w", b.NumberU64(), i, err)
		}
	}
	return nil
}

// known is a signer that knows the sender. What it tells is kept with the transaction, for whoever asks by its signer.
type known struct {
	types.Signer
	from common.Address
}

// Sender returns the sender.
func (k known) Sender(*types.Transaction) (common.Address, error) { return k.from, nil }
