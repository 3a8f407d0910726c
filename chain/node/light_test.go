package node_test

import (
	"context"
	"fmt"
	"math/big"
	"testing"
	"time"

	cmtdb "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	lighthttp "github.com/cometbft/cometbft/light/provider/http"
	lightdb "github.com/cometbft/cometbft/light/store/db"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/ethclient/gethclient"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// follower is CometBFT's own light client, which trusts the first block and asks nothing but our port 26657.
func follower(ctx context.Context, t *testing.T, n *network) *light.Client {
	t.Helper()
	var first struct {
		BlockID struct {
			Hash string `json:"hash"`
		} `json:"block_id"`
	}
	require.Eventually(t, func() bool { return n.get(t, "/commit?height=1", nil) == 200 }, 2*time.Minute, 10*time.Millisecond)
	n.get(t, "/block?height=1", &first)
	primary, err := lighthttp.New(n.made.CometID, "http://"+n.doors.RPC)
	require.NoError(t, err)
	witness, err := lighthttp.New(n.made.CometID, "http://"+n.doors.RPC)
	require.NoError(t, err)
	c, err := light.NewClient(ctx, n.made.CometID,
		light.TrustOptions{Period: time.Hour, Height: 1, Hash: common.FromHex(first.BlockID.Hash)},
		primary, []provider.Provider{witness}, lightdb.New(cmtdb.NewMemDB(), n.made.CometID), light.Logger(log.NewNopLogger()))
	require.NoError(t, err)
	return c
}

// signed is the light client's block that carries the hash of an Ethereum block as its app hash.
func signed(ctx context.Context, t *testing.T, c *light.Client, number *big.Int) *cmttypes.LightBlock {
	t.Helper()
	var lb *cmttypes.LightBlock
	require.Eventually(t, func() bool {
		var err error
		lb, err = c.VerifyLightBlockAtHeight(ctx, number.Int64()+1, time.Now())
		return err == nil // until then the next block is not decided
	}, 2*time.Minute, 20*time.Millisecond)
	return lb
}

// state checks an account's proof, and those of its slots, against a state root, with go-ethereum's trie.
func state(t *testing.T, root common.Hash, res *gethclient.AccountResult) types.StateAccount {
	t.Helper()
	var account types.StateAccount
	require.NoError(t, rlp.DecodeBytes(leaf(t, root, crypto.Keccak256(res.Address[:]), res.AccountProof), &account))
	require.Zero(t, account.Balance.ToBig().Cmp(res.Balance))
	require.Equal(t, res.Nonce, account.Nonce)
	require.Equal(t, res.StorageHash, account.Root)
	for _, s := range res.StorageProof {
		var value []byte
		require.NoError(t, rlp.DecodeBytes(leaf(t, account.Root, crypto.Keccak256(common.HexToHash(s.Key).Bytes()), s.Proof), &value))
		require.Zero(t, s.Value.Cmp(new(big.Int).SetBytes(value)))
	}
	return account
}

// leaf is what a trie with the root holds at the key, as the nodes prove.
func leaf(t *testing.T, root common.Hash, key []byte, nodes []string) []byte {
	t.Helper()
	db := memorydb.New()
	for _, n := range nodes {
		raw := common.FromHex(n)
		require.NoError(t, db.Put(crypto.Keccak256(raw), raw))
	}
	value, err := trie.VerifyProof(root, key, db)
	require.NoError(t, err)
	return value
}

// TestALightClientChecksAnyBalance follows headers with CometBFT's light client and checks eth_getProof against them:
// of the newest state, and of states that many blocks have replaced.
func TestALightClientChecksAnyBalance(t *testing.T) {
	n := create(t)
	n.start(t)
	ctx := limited(t)
	c, err := ethclient.Dial("http://" + n.doors.EthHTTP)
	require.NoError(t, err)
	defer c.Close()
	geth := gethclient.New(c.Client())
	at := counter(ctx, t, c, 15)

	// Blocks enough that the oldest states are in no layer of memory, each with a change to bob and the counter.
	var heights []*big.Int
	for i := range 150 {
		pay := chaintest.Sign(t, 0, uint64(i), &bob, 1, nil)
		count := chaintest.Sign(t, 15, uint64(i+1), &at, 0, []byte{1})
		require.NoError(t, c.SendTransaction(ctx, pay))
		require.NoError(t, c.SendTransaction(ctx, count))
		heights = append(heights, new(big.Int).SetUint64(*n.included(t, count.Hash()).Height))
	}
	follow := follower(ctx, t, n)
	require.Eventually(t, func() bool { // old states are there when their index has been looked through
		_, err := geth.GetProof(ctx, bob, nil, heights[0])
		return err == nil
	}, 2*time.Minute, 50*time.Millisecond)
	for _, i := range []int{149, 148, 100, 20, 3, 0} {
		t.Run(fmt.Sprint(heights[len(heights)-1].Int64()-heights[i].Int64(), " blocks old"), func(t *testing.T) {
			header, err := c.HeaderByNumber(ctx, heights[i])
			require.NoError(t, err)
			lb := signed(ctx, t, follow, heights[i])
			require.Equal(t, header.Hash().Bytes(), []byte(lb.AppHash), "the app hash is the Ethereum block hash")
			res, err := geth.GetProof(ctx, bob, nil, heights[i])
			require.NoError(t, err)
			account := state(t, header.Root, res)
			want, err := c.BalanceAt(ctx, bob, heights[i])
			require.NoError(t, err)
			require.Zero(t, want.Cmp(account.Balance.ToBig()))
			require.InDelta(t, i+1, account.Balance.Uint64(), 1)
			res, err = geth.GetProof(ctx, at, []string{"0x0"}, heights[i])
			require.NoError(t, err)
			state(t, header.Root, res)
			require.Equal(t, int64(i+1), res.StorageProof[0].Value.Int64())
		})
	}
}
