package exec_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

var bob = common.HexToAddress("0xb0b")

func TestTransfersMoveMoneyAndFees(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	tx := n.Send(0, &bob, 7, nil)
	res := n.Block(tx)
	b := res.Block
	st, err := n.Chain.StateAt(n.Chain.Head())
	require.NoError(t, err)
	require.Equal(t, uint64(7), st.GetBalance(bob).Uint64())
	require.Equal(t, uint64(3*21_000), st.GetBalance(chaintest.Proposer).Uint64(), "the tip goes to the proposer")
	burned := new(big.Int).Mul(b.BaseFee(), big.NewInt(21_000))
	require.Equal(t, burned, res.Burned, "the base fee goes to nobody")
	cost := new(big.Int).Add(burned, big.NewInt(7+3*21_000))
	require.Equal(t, new(big.Int).Sub(chaintest.Funds, cost), st.GetBalance(chaintest.Address(0)).ToBig())
	require.Equal(t, b.Hash(), n.Chain.Head().Hash())
	require.True(t, exec.BlockTime(b.Header()).Equal(chaintest.Begin.Add(time.Second)))
}

func TestEveryBlockEndsWithTheSystemCall(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	for i := range 3 {
		res := n.Block()
		require.NoError(t, res.Calls[0].Err)
		require.Len(t, res.Calls[0].Logs, 1)
		require.Equal(t, chaintest.Ender, res.Calls[0].Logs[0].Address)
		require.Equal(t, common.BigToHash(big.NewInt(42)), res.Calls[0].Logs[0].Topics[0])
		require.Zero(t, res.Block.GasUsed(), "system calls are not in the block's gas")
		require.Empty(t, res.Receipts)
		st, err := n.Chain.StateAt(n.Chain.Head())
		require.NoError(t, err)
		require.Equal(t, common.BigToHash(big.NewInt(int64(i+1))), st.GetState(chaintest.Ender, common.Hash{}))
	}
}

func TestAFailingSystemCallLeavesNoTraceAndTheBlockStands(t *testing.T) {
	for name, c := range map[string]struct {
		code []byte
		err  error
	}{
		"reverts": {chaintest.Reverter, vm.ErrExecutionReverted},
		"burns":   {chaintest.Burner, vm.ErrOutOfGas},
	} {
		t.Run(name, func(t *testing.T) {
			n := chaintest.Open(t, chaintest.Spec(c.code, 100_000))
			for range 3 {
				res := n.Block(n.Send(0, &bob, 1, nil))
				require.ErrorIs(t, res.Calls[0].Err, c.err)
				require.Empty(t, res.Calls[0].Logs)
				require.LessOrEqual(t, res.Calls[0].GasUsed, uint64(100_000), "its own gas bounds it")
				require.Equal(t, types.ReceiptStatusSuccessful, res.Receipts[0].Status)
			}
			st, err := n.Chain.StateAt(n.Chain.Head())
			require.NoError(t, err)
			require.Equal(t, common.Hash{}, st.GetState(chaintest.Ender, common.Hash{}), "effects are dropped")
			require.Equal(t, uint64(3), st.GetBalance(bob).Uint64())
		})
	}
}

func TestInvalidTransactionsMakeADecidedBlockInvalid(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	good := chaintest.Sign(t, 0, 0, &bob, 1, nil)
	foreign, err := types.SignNewTx(chaintest.Key(0), types.LatestSignerForChainID(big.NewInt(1)), &types.DynamicFeeTx{
		ChainID: big.NewInt(1), Gas: 21_000, GasFeeCap: big.NewInt(1e10), To: &bob,
	})
	require.NoError(t, err)
	plain, err := types.SignNewTx(chaintest.Key(0), types.HomesteadSigner{}, &types.LegacyTx{Gas: 21_000, GasPrice: big.NewInt(1e10), To: &bob})
	require.NoError(t, err)
	blob, err := types.SignNewTx(chaintest.Key(0), types.LatestSignerForChainID(chaintest.ChainID), &types.BlobTx{
		ChainID: uint256.MustFromBig(chaintest.ChainID), Gas: 21_000, GasFeeCap: uint256.NewInt(1e10), BlobFeeCap: uint256.NewInt(1e10),
		BlobHashes: []common.Hash{{1}},
	})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		txs  []*types.Transaction
		want error
	}{
		"nonce too high":      {[]*types.Transaction{chaintest.Sign(t, 0, 1, &bob, 1, nil)}, core.ErrNonceTooHigh},
		"twice":               {[]*types.Transaction{good, good}, core.ErrNonceTooLow},
		"another chain's":     {[]*types.Transaction{foreign}, types.ErrInvalidChainId},
		"no chain id":         {[]*types.Transaction{plain}, nil},
		"blob":                {[]*types.Transaction{blob}, exec.ErrBlob},
		"more than the purse": {[]*types.Transaction{poor(t)}, core.ErrInsufficientFunds},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Exec.Replay(n.Info(), c.txs)
			require.Error(t, err)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
		})
	}
	info := n.Info()
	info.Height++
	_, err = n.Exec.Replay(info, nil)
	require.ErrorContains(t, err, "does not follow head")
	info = n.Info()
	info.Time = chaintest.Begin.Add(-time.Second)
	_, err = n.Exec.Replay(info, nil)
	require.ErrorContains(t, err, "before its parent")
	n.Block(good) // none of the refused blocks left a trace
}

func poor(t *testing.T) *types.Transaction {
	t.Helper()
	tx, err := types.SignNewTx(chaintest.Key(Nobody), types.LatestSignerForChainID(chaintest.ChainID), &types.DynamicFeeTx{
		ChainID: chaintest.ChainID, Gas: 21_000, GasFeeCap: big.NewInt(1e10), To: &bob,
	})
	require.NoError(t, err)
	return tx
}

// Nobody is an account without funds.
const Nobody = 9999

func TestBuildTakesWhatFitsAndReplaysToTheSameBlock(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	var size int64
	for i := range 6 {
		tx := chaintest.Sign(t, i, 0, &bob, 1, nil)
		size = int64(tx.Size()) + 8
		raw, err := tx.MarshalBinary()
		require.NoError(t, err)
		_, err = n.Chain.Submit(raw)
		require.NoError(t, err)
	}
	require.NoError(t, n.Chain.Pool().Sync())
	few, err := n.Exec.Build(n.Info(), n.Chain.Pool(), exec.Limits{Bytes: 3*size + size/2, Time: time.Minute})
	require.NoError(t, err)
	require.Len(t, few.Block.Transactions(), 3, "bytes bound the block")
	one, err := n.Exec.Build(n.Info(), n.Chain.Pool(), exec.Limits{Bytes: 1 << 20, Time: 0})
	require.NoError(t, err)
	require.Len(t, one.Block.Transactions(), 1, "time bounds the block, but never to nothing")

	all, err := n.Exec.Build(n.Info(), n.Chain.Pool(), exec.Limits{Bytes: 1 << 20, Time: time.Minute})
	require.NoError(t, err)
	require.Len(t, all.Block.Transactions(), 6)
	again, err := n.Exec.Replay(n.Info(), all.Block.Transactions())
	require.NoError(t, err)
	require.Equal(t, all.Block.Hash(), again.Block.Hash())
	require.Equal(t, all.Burned, again.Burned)
	n.Commit(again)
}

func TestKeySeparatesEverythingThatExecutionDependsOn(t *testing.T) {
	base := exec.Info{Height: 5, Time: chaintest.Begin, Proposer: bob}
	txs := [][]byte{{1}, {2}}
	seen := map[common.Hash]string{base.Key(txs): "base"}
	for name, k := range map[string]common.Hash{
		"height":    exec.Info{Height: 6, Time: chaintest.Begin, Proposer: bob}.Key(txs),
		"time":      exec.Info{Height: 5, Time: chaintest.Begin.Add(1), Proposer: bob}.Key(txs),
		"proposer":  exec.Info{Height: 5, Time: chaintest.Begin}.Key(txs),
		"missed":    exec.Info{Height: 5, Time: chaintest.Begin, Proposer: bob, Missed: []common.Address{bob}}.Key(txs),
		"guilty":    exec.Info{Height: 5, Time: chaintest.Begin, Proposer: bob, Guilty: []exec.Evidence{{Validator: bob, Height: 3, Time: 7}}}.Key(txs),
		"guilty of": exec.Info{Height: 5, Time: chaintest.Begin, Proposer: bob, Guilty: []exec.Evidence{{Validator: bob, Height: 4, Time: 7}}}.Key(txs),
		"order":     base.Key([][]byte{{2}, {1}}),
		"boundary":  base.Key([][]byte{{1, 2}}),
		"fewer":     base.Key([][]byte{{1}}),
	} {
		require.NotContains(t, seen, k, name)
		seen[k] = name
	}
}
