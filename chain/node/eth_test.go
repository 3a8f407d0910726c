package node_test

import (
	"context"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	ethrpc "github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// limited ends what a tool asks of the node, long before the test's own limit.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// mined waits for the receipt of a transaction, which must succeed.
func mined(ctx context.Context, t *testing.T, c *ethclient.Client, tx *types.Transaction) *types.Receipt {
	t.Helper()
	var r *types.Receipt
	require.Eventually(t, func() bool {
		var err error
		r, err = c.TransactionReceipt(ctx, tx.Hash())
		return err == nil
	}, 2*time.Minute, 5*time.Millisecond)
	require.Equal(t, types.ReceiptStatusSuccessful, r.Status)
	return r
}

// counter deploys chaintest.Counter from an account that has sent nothing, through the Ethereum door.
func counter(ctx context.Context, t *testing.T, c *ethclient.Client, account int) common.Address {
	t.Helper()
	tx := chaintest.Sign(t, account, 0, nil, 0, chaintest.Creation(chaintest.Counter))
	require.NoError(t, c.SendTransaction(ctx, tx))
	return mined(ctx, t, c, tx).ContractAddress
}

func TestEthclientWorks(t *testing.T) {
	n := create(t)
	n.start(t)
	ctx := limited(t)
	c, err := ethclient.Dial("http://" + n.doors.EthHTTP)
	require.NoError(t, err)
	defer c.Close()

	id, err := c.ChainID(ctx)
	require.NoError(t, err)
	require.Equal(t, chaintest.ChainID, id)
	me := chaintest.Address(0)
	nonce, err := c.PendingNonceAt(ctx, me)
	require.NoError(t, err)
	tip, err := c.SuggestGasTipCap(ctx)
	require.NoError(t, err)
	head, err := c.HeaderByNumber(ctx, nil)
	require.NoError(t, err)
	gas, err := c.EstimateGas(ctx, ethereum.CallMsg{From: me, To: &bob, Value: big.NewInt(7)})
	require.NoError(t, err)
	require.Equal(t, uint64(21_000), gas)
	tx, err := types.SignNewTx(chaintest.Key(0), types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, Gas: gas, GasTipCap: tip, GasFeeCap: new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, big.NewInt(2))),
		To: &bob, Value: big.NewInt(7),
	})
	require.NoError(t, err)
	require.NoError(t, c.SendTransaction(ctx, tx), "the fee that the node suggests is enough")
	receipt := mined(ctx, t, c, tx)
	block, err := c.BlockByHash(ctx, receipt.BlockHash)
	require.NoError(t, err)
	require.Equal(t, receipt.BlockHash, block.Hash(), "the header as the client reads it has the hash that the node names")
	require.Equal(t, block.TxHash(), block.Header().TxHash)
	found, pending, err := c.TransactionByHash(ctx, tx.Hash())
	require.NoError(t, err)
	require.False(t, pending)
	from, err := types.Sender(types.LatestSignerForChainID(id), found)
	require.NoError(t, err)
	require.Equal(t, me, from)
	for at, want := range map[int64]int64{receipt.BlockNumber.Int64() - 1: 0, receipt.BlockNumber.Int64(): 7} {
		balance, err := c.BalanceAt(ctx, bob, big.NewInt(at))
		require.NoError(t, err)
		require.Equal(t, want, balance.Int64(), "after block %d", at)
	}
	final, err := c.HeaderByNumber(ctx, big.NewInt(int64(ethrpc.FinalizedBlockNumber)))
	require.NoError(t, err)
	require.GreaterOrEqual(t, final.Number.Uint64(), receipt.BlockNumber.Uint64(), "a block is final at once")
	history, err := c.FeeHistory(ctx, 4, nil, []float64{50})
	require.NoError(t, err)
	require.NotEmpty(t, history.BaseFee)
	require.Positive(t, history.BaseFee[0].Sign())

	at := counter(ctx, t, c, 1)
	code, err := c.CodeAt(ctx, at, nil)
	require.NoError(t, err)
	require.Equal(t, chaintest.Counter, code)
	call := chaintest.Sign(t, 1, 1, &at, 0, []byte{1})
	require.NoError(t, c.SendTransaction(ctx, call))
	receipt = mined(ctx, t, c, call)
	logs, err := c.FilterLogs(ctx, ethereum.FilterQuery{Addresses: []common.Address{at}, FromBlock: receipt.BlockNumber})
	require.NoError(t, err)
	require.Len(t, logs, 1)
	require.Equal(t, call.Hash(), logs[0].TxHash)
	slot, err := c.StorageAt(ctx, at, common.Hash{}, nil)
	require.NoError(t, err)
	require.Equal(t, common.BigToHash(big.NewInt(1)).Bytes(), slot)
	receipts, err := c.BlockReceipts(ctx, ethrpc.BlockNumberOrHashWithHash(receipt.BlockHash, false))
	require.NoError(t, err)
	require.Len(t, receipts, 1)
}

func TestEthereumSubscriptionsTellOfBlocksAndLogs(t *testing.T) {
	n := create(t)
	n.start(t)
	ctx := limited(t)
	c, err := ethclient.Dial("ws://" + n.doors.EthWS)
	require.NoError(t, err)
	defer c.Close()
	at := counter(ctx, t, c, 0)
	heads, logs := make(chan *types.Header, 256), make(chan types.Log, 16)
	blocks, err := c.SubscribeNewHead(ctx, heads)
	require.NoError(t, err)
	defer blocks.Unsubscribe()
	events, err := c.SubscribeFilterLogs(ctx, ethereum.FilterQuery{Addresses: []common.Address{at}}, logs)
	require.NoError(t, err)
	defer events.Unsubscribe()

	call := chaintest.Sign(t, 0, 1, &at, 0, []byte{1})
	require.NoError(t, c.SendTransaction(ctx, call))
	var seen types.Log
	select {
	case seen = <-logs:
	case <-ctx.Done():
		t.Fatal("no log came")
	}
	require.Equal(t, call.Hash(), seen.TxHash)
	require.Equal(t, common.BigToHash(big.NewInt(42)), seen.Topics[0])
	var parent *types.Header
	for parent == nil || parent.Number.Uint64() < seen.BlockNumber {
		select {
		case h := <-heads:
			if parent != nil {
				require.Equal(t, parent.Hash(), h.ParentHash, "no block is left out")
			}
			parent = h
		case <-ctx.Done():
			t.Fatal("no head came")
		}
	}
	require.Equal(t, seen.BlockHash, parent.Hash())
}

func TestEthereumDoorAnswersBatchesTracesAndThePool(t *testing.T) {
	n := create(t)
	n.start(t)
	ctx := limited(t)
	raw, err := ethrpc.DialContext(ctx, "http://"+n.doors.EthHTTP)
	require.NoError(t, err)
	defer raw.Close()
	at := counter(ctx, t, ethclient.NewClient(raw), 0)
	call := chaintest.Sign(t, 0, 1, &at, 0, []byte{1})
	require.NoError(t, ethclient.NewClient(raw).SendTransaction(ctx, call))
	mined(ctx, t, ethclient.NewClient(raw), call)
	ahead := chaintest.Sign(t, 3, 5, &bob, 1, nil) // its turn has not come: it waits in the pool
	require.NoError(t, ethclient.NewClient(raw).SendTransaction(ctx, ahead))

	var chain, balance hexutil.Big
	var missing struct{}
	batch := []ethrpc.BatchElem{
		{Method: "eth_chainId", Result: &chain},
		{Method: "eth_getBalance", Args: []any{chaintest.Address(5), "latest"}, Result: &balance},
		{Method: "eth_noSuchMethod", Result: &missing},
	}
	require.NoError(t, raw.BatchCallContext(ctx, batch))
	require.NoError(t, batch[0].Error)
	require.NoError(t, batch[1].Error)
	require.ErrorContains(t, batch[2].Error, "does not exist", "one wrong call spoils no other")
	require.Equal(t, chaintest.ChainID, chain.ToInt())
	require.Equal(t, chaintest.Funds, balance.ToInt())

	var steps struct {
		Gas        uint64            `json:"gas"`
		Failed     bool              `json:"failed"`
		StructLogs []json.RawMessage `json:"structLogs"`
	}
	require.Eventually(t, func() bool { // the state before it is read from history, which is indexed a moment later
		err = raw.CallContext(ctx, &steps, "debug_traceTransaction", call.Hash())
		return err == nil || !strings.Contains(err.Error(), "historical state")
	}, 2*time.Minute, 50*time.Millisecond)
	require.NoError(t, err)
	require.False(t, steps.Failed)
	require.Len(t, steps.StructLogs, 11, "one for each instruction of the counter")
	var frames struct {
		Type string         `json:"type"`
		To   common.Address `json:"to"`
	}
	require.NoError(t, raw.CallContext(ctx, &frames, "debug_traceTransaction", call.Hash(), map[string]string{"tracer": "callTracer"}))
	require.Equal(t, "CALL", frames.Type)
	require.Equal(t, at, frames.To)

	var pool struct{ Pending, Queued hexutil.Uint64 }
	require.NoError(t, raw.CallContext(ctx, &pool, "txpool_status"))
	require.Equal(t, hexutil.Uint64(1), pool.Queued)
	var content map[string]map[common.Address]map[string]json.RawMessage
	require.NoError(t, raw.CallContext(ctx, &content, "txpool_content"))
	require.Contains(t, content["queued"][chaintest.Address(3)], "5")

	// Both spellings of an error of the contract reach the asker.
	var gas hexutil.Uint64
	err = raw.CallContext(ctx, &gas, "eth_estimateGas", map[string]any{"from": chaintest.Address(0), "data": hexutil.Encode(chaintest.Reverter)})
	require.ErrorContains(t, err, "revert")
}
