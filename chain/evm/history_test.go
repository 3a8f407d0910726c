package evm_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/ethclient/gethclient"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// proves reports whether eth_getProof shows bob's account after a block as its header's state root has it.
func proves(t *testing.T, n *chaintest.Net, height int64) error {
	t.Helper()
	ctx := context.Background()
	c, err := ethclient.Dial(n.Chain.HTTPEndpoint())
	require.NoError(t, err)
	defer c.Close()
	res, err := gethclient.New(c.Client()).GetProof(ctx, bob, nil, big.NewInt(height))
	if err != nil {
		return err
	}
	require.Equal(t, height, res.Balance.Int64(), "bob has one coin for each block")
	db := memorydb.New()
	for _, node := range res.AccountProof {
		raw := common.FromHex(node)
		require.NoError(t, db.Put(crypto.Keccak256(raw), raw))
	}
	root := n.Chain.BlockChain().GetHeaderByNumber(uint64(height)).Root
	_, err = trie.VerifyProof(root, crypto.Keccak256(bob[:]), db)
	return err
}

func TestAnArchiveProvesEveryStateAlsoAfterARestart(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors)
	for range 300 {
		n.Block(n.Send(0, &bob, 1, nil))
	}
	n.Reopen(doors)
	for range 10 {
		n.Block(n.Send(0, &bob, 1, nil))
	}
	// What lies below the layers in memory is indexed anew in the background.
	require.Eventually(t, func() bool { return proves(t, n, 1) == nil }, time.Minute, 50*time.Millisecond)
	for _, height := range []int64{310, 309, 302, 301, 300, 299, 200, 150, 10, 3, 1} {
		require.NoError(t, proves(t, n, height), "block %d", height)
	}
}

func TestAPrunedNodeSaysThatAStateIsGone(t *testing.T) {
	pruned := func(c *evm.Config) { c.Archive, c.StateHistory = false, 50 }
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors, pruned)
	for range 300 {
		n.Block(n.Send(0, &bob, 1, nil))
	}
	require.NoError(t, proves(t, n, 300))
	for _, height := range []int64{1, 150} {
		require.ErrorContains(t, proves(t, n, height), "not available", "block %d", height)
		_, err := n.Chain.StateAt(n.Chain.BlockChain().GetHeaderByNumber(uint64(height)))
		require.Error(t, err)
	}
}
