package evm_test

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// Events are found with an index and without, and after it was thrown away and made again.
func TestEventsAreFoundWithAndWithoutAnIndex(t *testing.T) {
	const blocks = 40
	indexed := func(c *evm.Config) { c.IndexLogs = true }
	plain := func(c *evm.Config) { c.IndexLogs = false }
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors, indexed)
	for i := range blocks {
		if i%2 == 0 {
			n.Block(n.Send(0, &chaintest.Ender, 0, nil))
		} else {
			n.Block()
		}
	}
	for _, mode := range []func(*evm.Config){indexed, plain, plain, indexed} {
		n.Reopen(doors, mode)
		n.Block(n.Send(0, &chaintest.Ender, 0, nil))
		head := n.Chain.Head().Number.Int64()
		c, err := ethclient.Dial(n.Chain.HTTPEndpoint())
		require.NoError(t, err)
		logs, err := c.FilterLogs(t.Context(), ethereum.FilterQuery{FromBlock: new(big.Int), Addresses: []common.Address{chaintest.Ender}, Topics: [][]common.Hash{{common.BigToHash(big.NewInt(0x2a))}}})
		c.Close()
		require.NoError(t, err)
		require.Len(t, logs, blocks/2+int(head)-blocks)
		for i, l := range logs {
			want := min(2*i+1, blocks+1+i-blocks/2)
			require.EqualValues(t, want, l.BlockNumber)
		}
	}
}
