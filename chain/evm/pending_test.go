package evm_test

import (
	"context"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/params"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

func TestANewChainSaysThatATransactionIsNotThere(t *testing.T) {
	for name, archive := range map[string]bool{"archive": true, "pruned": false} {
		t.Run(name, func(t *testing.T) {
			n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors, func(c *evm.Config) { c.Archive, c.StateHistory = archive, 50 })
			c, err := ethclient.Dial(n.Chain.HTTPEndpoint())
			require.NoError(t, err)
			defer c.Close()
			for range 3 {
				_, err = c.TransactionReceipt(context.Background(), common.Hash{1})
				require.ErrorIs(t, err, ethereum.NotFound, "and does not ask to wait for an index")
				n.Block(n.Send(0, &bob, 1, nil))
			}
		})
	}
}

func TestThePendingStateIsTheHeadAndThePool(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors)
	c, err := ethclient.Dial(n.Chain.HTTPEndpoint())
	require.NoError(t, err)
	defer c.Close()
	ctx := context.Background()
	for i := range 3 {
		tx := n.Send(0, &bob, 1, nil)
		require.NoError(t, c.SendTransaction(ctx, tx))
		require.NoError(t, n.Chain.Pool().Sync())
		balance, err := c.PendingBalanceAt(ctx, bob)
		require.NoError(t, err)
		require.Equal(t, int64(i+1), balance.Int64())
		n.Block(tx)
	}
	_, err = c.EstimateGasAtBlock(ctx, ethereum.CallMsg{From: chaintest.Address(1), To: &bob, Value: big.NewInt(1)}, big.NewInt(-1))
	require.NoError(t, err, "as Foundry's tools ask")

	// Nothing of Ethereum's staking is here, and coins do not get lost where it would be.
	for _, at := range []common.Address{params.WithdrawalQueueAddress, params.ConsolidationQueueAddress} {
		_, err = c.EstimateGas(ctx, ethereum.CallMsg{From: chaintest.Address(1), To: &at, Value: big.NewInt(1)})
		require.ErrorContains(t, err, "revert")
	}
}

// As wallets offer it: the same number, and both fees higher by an eighth, rounded up. Less is refused.
func TestATransactionThatWaitsIsReplacedByADearerOne(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors)
	first := n.Send(0, &bob, 1, nil)
	offer := func(eighths uint64) (*types.Transaction, error) {
		more := func(fee *big.Int) *big.Int { return new(big.Int).SetUint64((fee.Uint64()*eighths + 7) / 8) }
		tx, err := types.SignNewTx(chaintest.Key(0), types.LatestSignerForChainID(chaintest.ChainID), &types.DynamicFeeTx{
			ChainID: chaintest.ChainID, Nonce: first.Nonce(), Gas: first.Gas(), GasFeeCap: more(first.GasFeeCap()), GasTipCap: more(first.GasTipCap()),
			To: first.To(), Value: big.NewInt(2),
		})
		require.NoError(t, err)
		raw, err := tx.MarshalBinary()
		require.NoError(t, err)
		_, err = n.Chain.Submit(raw)
		return tx, err
	}
	raw, err := first.MarshalBinary()
	require.NoError(t, err)
	_, err = n.Chain.Submit(raw)
	require.NoError(t, err)
	_, err = offer(8)
	require.Equal(t, evm.RefusedReplacement, evm.Why(err), err)
	second, err := offer(9)
	require.NoError(t, err)
	require.NoError(t, n.Chain.Pool().Sync())
	require.False(t, n.Chain.Pool().Has(first.Hash()))
	require.True(t, n.Chain.Pool().Has(second.Hash()))
	n.Block(second)
}
