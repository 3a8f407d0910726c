package onchain

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// span bounds the blocks that are asked for at once.
const span = 5000

// Settlement implements [coordinator.Chain].
func (c *Chain) Settlement(ctx context.Context) (market.Amount, error) {
	return c.market.Settlement(ctx, c.account, latest)
}

// spans calls fn with the bounds of all blocks, some at a time.
func (c *Chain) spans(ctx context.Context, fn func(from, to uint64) error) error {
	head, err := c.client.BlockNumber(ctx)
	if err != nil {
		return err
	}
	for from := uint64(0); from <= head; from += span {
		if err := fn(from, min(head, from+span-1)); err != nil {
			return err
		}
	}
	return nil
}

// Claimed implements [coordinator.Chain].
func (c *Chain) Claimed(ctx context.Context, miner common.Address) (total market.Amount, err error) {
	err = c.spans(ctx, func(from, to uint64) error {
		events, err := c.market.Events(ctx, from, to, "Claimed", "Credited")
		if err != nil {
			return err
		}
		// A claim's credit stands before it in the same transaction.
		var last *predeploy.Credited
		for _, e := range events {
			switch e := e.(type) {
			case *predeploy.Credited:
				if e.Coordinator == c.account && e.Miner == miner {
					last = e
				}
			case *predeploy.Claimed:
				if e.Coordinator == c.account && e.Miner == miner && last != nil && last.Tx == e.Tx {
					total = last.Credited
				}
			}
		}
		return nil
	})
	return total, err
}

// Flows implements [coordinator.Chain].
func (c *Chain) Flows(ctx context.Context) (withdrawn, drawn market.Amount, err error) {
	err = c.spans(ctx, func(from, to uint64) error {
		if err := c.sum(ctx, &withdrawn, contracts.MarketAddress, "SettlementWithdrawn(address,uint128)", from, to); err != nil {
			return err
		}
		return c.sum(ctx, &drawn, contracts.RegistryAddress, "BondDrawn(address,uint128,uint128)", from, to)
	})
	return withdrawn, drawn, err
}

// sum adds up the first word of the data of this coordinator's events of a kind.
func (c *Chain) sum(ctx context.Context, total *market.Amount, contract common.Address, event string, from, to uint64) error {
	logs, err := c.client.Logs(ctx, chainclient.Filter{
		From: from, To: to, Addresses: []common.Address{contract},
		Topics: [][]common.Hash{{crypto.Keccak256Hash([]byte(event))}, {common.BytesToHash(c.account[:])}},
	})
	if err != nil {
		return err
	}
	for _, l := range logs {
		if len(l.Data) < common.HashLength {
			return fmt.Errorf("%s in block %d has no amount", event, l.BlockNumber)
		}
		a, err := market.AmountFromBig(new(big.Int).SetBytes(l.Data[:common.HashLength]))
		if err != nil {
			return err
		}
		if *total, err = total.Add(a); err != nil {
			return err
		}
	}
	return nil
}
