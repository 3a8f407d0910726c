package evm_test

import (
	"context"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

var bob = common.HexToAddress("0xb0b")

func raw(t *testing.T, tx *types.Transaction) []byte {
	t.Helper()
	b, err := tx.MarshalBinary()
	require.NoError(t, err)
	return b
}

func doors(c *evm.Config) { c.HTTP, c.WS = "127.0.0.1:0", "127.0.0.1:0" }

func blobTx(t *testing.T) *types.Transaction {
	t.Helper()
	tx, err := types.SignNewTx(chaintest.Key(0), types.LatestSignerForChainID(chaintest.ChainID), &types.BlobTx{
		ChainID: uint256.MustFromBig(chaintest.ChainID), Gas: 21_000, GasFeeCap: uint256.NewInt(1e10), BlobFeeCap: uint256.NewInt(1e10),
		BlobHashes: []common.Hash{{1}},
	})
	require.NoError(t, err)
	return tx
}

func TestSubmitRefusesWhatCanNeverBeInABlock(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors)
	client, err := rpc.Dial(n.Chain.HTTPEndpoint())
	require.NoError(t, err)
	defer client.Close()
	plain, err := types.SignNewTx(chaintest.Key(0), types.HomesteadSigner{}, &types.LegacyTx{Gas: 21_000, GasPrice: big.NewInt(1e10), To: &bob})
	require.NoError(t, err)
	foreign, err := types.SignNewTx(chaintest.Key(0), types.LatestSignerForChainID(big.NewInt(1)), &types.DynamicFeeTx{
		ChainID: big.NewInt(1), Gas: 21_000, GasFeeCap: big.NewInt(1e10), To: &bob,
	})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		raw  []byte
		want error
		text string
	}{
		"empty":           {nil, nil, "decode transaction"},
		"garbage":         {[]byte{2, 0xc0}, nil, "decode transaction"},
		"trailing byte":   {append(raw(t, chaintest.Sign(t, 0, 0, &bob, 1, nil)), 0), nil, "decode transaction"},
		"blob":            {raw(t, blobTx(t)), evm.ErrBlob, "blob"},
		"no chain id":     {raw(t, plain), nil, "EIP-155"},
		"another chain's": {raw(t, foreign), nil, "chain id"},
		"too large":       {make([]byte, evm.MaxTxBytes+1), txpool.ErrOversizedData, "oversized"},
		"bare pool limit": {raw(t, chaintest.Sign(t, 0, 0, &bob, 1, make([]byte, evm.MaxTxBytes-100))), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Chain.Submit(c.raw)
			require.ErrorContains(t, err, c.text)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			var hash common.Hash
			err = client.CallContext(context.Background(), &hash, "eth_sendRawTransaction", hexutil.Bytes(c.raw))
			require.ErrorContains(t, err, c.text, "the Ethereum door refuses the same")
			var receipt map[string]any
			err = client.CallContext(context.Background(), &receipt, "eth_sendRawTransactionSync", hexutil.Bytes(c.raw))
			require.ErrorContains(t, err, c.text, "and so does the one that waits")
		})
	}
	pending, queued := n.Chain.Pool().Stats()
	require.Zero(t, pending+queued)
}

func TestATransactionIsTakenOnceFromAnyDoor(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors)
	client, err := ethclient.Dial(n.Chain.HTTPEndpoint())
	require.NoError(t, err)
	defer client.Close()
	ctx := context.Background()
	tx := n.Send(0, &bob, 7, nil)
	require.NoError(t, client.SendTransaction(ctx, tx))
	hash, err := n.Chain.Submit(raw(t, tx))
	require.NoError(t, err, "what the pool has already is no error")
	require.Equal(t, tx.Hash(), hash)
	require.NoError(t, n.Chain.Pool().Sync())
	pending, _ := n.Chain.Pool().Stats()
	require.Equal(t, 1, pending)

	n.Block(tx)
	got, err := client.BalanceAt(ctx, bob, nil)
	require.NoError(t, err)
	require.Equal(t, int64(7), got.Int64())
	receipt, err := client.TransactionReceipt(ctx, tx.Hash())
	require.NoError(t, err)
	require.Equal(t, uint64(1), receipt.Status)
	_, header, r, ok := n.Chain.Transaction(tx.Hash())
	require.True(t, ok)
	require.Equal(t, n.Chain.Head().Hash(), header.Hash())
	require.Equal(t, uint64(21_000), r.GasUsed)
	_, _, _, ok = n.Chain.Transaction(common.Hash{1})
	require.False(t, ok)
	id, err := client.ChainID(ctx)
	require.NoError(t, err)
	require.Equal(t, chaintest.ChainID, id)
}

func TestDebugNamespacesAreOnLoopbackOnly(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors)
	modules := func(url string) map[string]string {
		c, err := rpc.Dial(url)
		require.NoError(t, err)
		defer c.Close()
		m, err := c.SupportedModules()
		require.NoError(t, err)
		return m
	}
	here := modules(n.Chain.HTTPEndpoint())
	require.Contains(t, here, "debug")
	require.NotContains(t, here, "admin")
	require.NotContains(t, here, "personal")
	require.NotContains(t, here, "miner")

	wide := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), func(c *evm.Config) {
		c.HTTP, c.VirtualHosts = "0.0.0.0:0", []string{"*"}
	})
	out := modules(strings.Replace(wide.Chain.HTTPEndpoint(), "[::]", "127.0.0.1", 1))
	require.NotContains(t, out, "debug")
	require.NotContains(t, out, "txpool")
	require.Contains(t, out, "eth")
}

func TestStateSurvivesAReopenAndCommitChecksTheParent(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	for range 10 {
		n.Block(n.Send(0, &bob, 1, nil))
	}
	head, want := n.Chain.Head(), uint64(10)
	require.Equal(t, uint64(8), n.Chain.Flushed())
	before, err := n.Chain.Supply(head.Hash())
	require.NoError(t, err)
	n.Reopen()
	require.Equal(t, head.Hash(), n.Chain.Head().Hash())
	st, err := n.Chain.StateAt(n.Chain.Head())
	require.NoError(t, err)
	require.Equal(t, want, st.GetBalance(bob).Uint64())
	after, err := n.Chain.Supply(head.Hash())
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = n.Chain.Supply(common.Hash{1})
	require.Error(t, err)

	other := chaintest.Spec(chaintest.Counter, 100_000)
	other.Alloc[bob] = big.NewInt(1)
	again := chaintest.Open(t, other)
	require.NotEqual(t, n.Chain.BlockChain().Genesis().Hash(), again.Chain.BlockChain().Genesis().Hash())
}

func TestAnotherGenesisOrASecondProcessIsRefused(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	cfg := evm.Config{Dir: n.Dir, Genesis: n.State.EVM, FlushEvery: 1}
	_, err := evm.Open(cfg)
	require.Error(t, err, "the folder is locked")

	require.ErrorContains(t, evm.Config{Dir: "x", Genesis: n.State.EVM}.Validate(), "FlushEvery")
	require.ErrorContains(t, evm.Config{FlushEvery: 1}.Validate(), "genesis")
	require.ErrorContains(t, evm.Config{Dir: "x", Genesis: n.State.EVM, FlushEvery: 1, HTTP: "nowhere"}.Validate(), "nowhere")
	require.ErrorContains(t, evm.Config{Dir: "x", Genesis: n.State.EVM, FlushEvery: 1, WS: "h:99999"}.Validate(), "99999")
}

func FuzzSubmit(f *testing.F) {
	n := chaintest.Open(f, chaintest.Spec(chaintest.Counter, 100_000))
	tx := chaintest.Sign(f, 0, 0, &bob, 1, nil)
	seed, err := tx.MarshalBinary()
	require.NoError(f, err)
	f.Add(seed)
	f.Add([]byte{0x03, 0xc0})
	f.Add([]byte{0xf8})
	f.Fuzz(func(t *testing.T, b []byte) {
		hash, err := n.Chain.Submit(b)
		if err == nil && hash == (common.Hash{}) {
			t.Fatalf("accepted %x without a hash", b)
		}
	})
}
