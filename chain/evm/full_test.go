package evm_test

import (
	"context"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/intake"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// heavy claims a tenth of the gas that may wait.
func heavy(t *testing.T, account int, tip int64) *types.Transaction {
	t.Helper()
	tx, err := types.SignNewTx(chaintest.Key(account), types.LatestSignerForChainID(chaintest.ChainID), &types.DynamicFeeTx{
		ChainID: chaintest.ChainID, Gas: intake.Room / 10, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(tip), To: &bob,
	})
	require.NoError(t, err)
	return tx
}

func TestAFullPoolRefusesAtEveryDoorUntilABlockMakesRoom(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), doors)
	client, err := rpc.Dial(n.Chain.HTTPEndpoint())
	require.NoError(t, err)
	defer client.Close()
	var taken []*types.Transaction
	for i := range 10 {
		tx := heavy(t, i, 100)
		_, err := n.Chain.Submit(raw(t, tx))
		require.NoError(t, err)
		taken = append(taken, tx)
	}
	late := heavy(t, 10, 100)
	_, err = n.Chain.Submit(raw(t, late))
	require.ErrorIs(t, err, intake.ErrFull)
	var hash hexutil.Bytes
	err = client.CallContext(context.Background(), &hash, "eth_sendRawTransaction", hexutil.Bytes(raw(t, late)))
	require.ErrorContains(t, err, "try again: a priority fee of 111 or more")
	var coded rpc.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, -32005, coded.ErrorCode())
	var receipt map[string]any
	err = client.CallContext(context.Background(), &receipt, "eth_sendRawTransactionSync", hexutil.Bytes(raw(t, late)))
	require.ErrorContains(t, err, "try again")

	_, err = n.Chain.Submit(raw(t, heavy(t, 11, 111)))
	require.NoError(t, err, "the fee that it named is taken")
	n.Chain.Relay([][]byte{{1}, raw(t, heavy(t, 12, 1))})
	require.True(t, n.Chain.Pool().Has(heavy(t, 12, 1).Hash()), "so is what a peer has taken")
	_, err = n.Chain.Submit(raw(t, taken[0]))
	require.NoError(t, err, "and what the pool has already")

	n.Block(taken[:5]...)
	_, err = n.Chain.Submit(raw(t, late))
	require.NoError(t, err, "a block has made room")
}

func TestOneAccountCannotFillThePool(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	var err error
	count := 0
	for ; err == nil; count++ {
		_, err = n.Chain.Submit(raw(t, chaintest.Sign(t, 0, uint64(count), &bob, 1, nil)))
		require.NoError(t, n.Chain.Pool().Sync())
	}
	require.ErrorIs(t, err, intake.ErrSender)
	require.Equal(t, intake.SenderSlots+1, count)
	_, err = n.Chain.Submit(raw(t, chaintest.Sign(t, 1, 0, &bob, 1, nil)))
	require.NoError(t, err)
}

func TestATransactionThatNoBlockCanTakeNowIsRefused(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	tx, err := types.SignNewTx(chaintest.Key(0), types.LatestSignerForChainID(chaintest.ChainID), &types.DynamicFeeTx{
		ChainID: chaintest.ChainID, Gas: 21_000, GasFeeCap: big.NewInt(1), To: &bob,
	})
	require.NoError(t, err)
	_, err = n.Chain.Submit(raw(t, tx))
	require.ErrorIs(t, err, types.ErrGasFeeCapTooLow)
}
