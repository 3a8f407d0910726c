package evm_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

func TestOldBlocksGoAndTheRestStays(t *testing.T) {
	mode := func(c *evm.Config) { c.Archive, c.StateHistory, c.FlushEvery = false, 100, 1 }
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), mode)
	var hashes []common.Hash
	for range 60 {
		tx := n.Send(0, &bob, 1, nil)
		n.Block(tx)
		hashes = append(hashes, tx.Hash())
	}
	found := func(height int) bool {
		_, _, _, ok := n.Chain.Transaction(hashes[height-1])
		return ok
	}
	tail, err := n.Chain.Tail()
	require.NoError(t, err)
	require.Equal(t, uint64(1), tail)
	require.NoError(t, n.Chain.Prune(40), "nothing has moved yet, nothing goes")
	require.Eventually(t, func() bool { return found(1) && found(60) }, 2*time.Minute, 10*time.Millisecond)

	n.Reopen(mode) // old blocks move when a chain is opened, and every minute
	require.Eventually(t, func() bool {
		require.NoError(t, n.Chain.Prune(40))
		tail, err := n.Chain.Tail()
		return err == nil && tail == 40
	}, 2*time.Minute, 10*time.Millisecond)
	require.False(t, found(39))
	require.True(t, found(40))
	require.Nil(t, n.Chain.BlockChain().GetBlockByNumber(39))
	require.NotNil(t, n.Chain.BlockChain().GetHeaderByNumber(39), "headers stay")

	n.Reopen(mode)
	require.Equal(t, uint64(60), n.Chain.Head().Number.Uint64())
	require.True(t, found(40))
	n.Block(n.Send(0, &bob, 1, nil))
	_, err = n.Chain.StateAt(n.Chain.BlockChain().GetHeaderByNumber(30))
	require.ErrorIs(t, err, evm.ErrPruned)
	require.ErrorContains(t, err, "storage.archive = true")
}
