package rpc

import (
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chain/exec"
)

// Block is a block as get_block shows it. Amounts are decimal strings of base units.
type Block struct {
	Height        uint64         `json:"height"`
	Hash          common.Hash    `json:"hash"`
	ParentHash    common.Hash    `json:"parent_hash"`
	Time          time.Time      `json:"time"`
	Timestamp     uint64         `json:"timestamp"`
	Proposer      common.Address `json:"proposer"`
	StateRoot     common.Hash    `json:"state_root"`
	ReceiptsRoot  common.Hash    `json:"receipts_root"`
	GasUsed       uint64         `json:"gas_used"`
	GasLimit      uint64         `json:"gas_limit"`
	BaseFee       string         `json:"base_fee"`
	ConsensusHash hexutil.Bytes  `json:"consensus_hash"`
	TxCount       int            `json:"tx_count"`
	Txs           []Tx           `json:"txs"`
}

// Tx is a transaction as get_tx shows it. Height and what follows from inclusion are null while it is pending.
type Tx struct {
	Hash      common.Hash     `json:"hash"`
	Status    string          `json:"status"` // pending, success or failed
	Height    *uint64         `json:"height"`
	BlockHash *common.Hash    `json:"block_hash"`
	Index     *uint64         `json:"index"`
	From      common.Address  `json:"from"`
	To        *common.Address `json:"to"`
	Value     string          `json:"value"`
	Nonce     uint64          `json:"nonce"`
	GasLimit  uint64          `json:"gas_limit"`
	GasUsed   *uint64         `json:"gas_used"`
	// Fee is what the sender paid, of which Burned was destroyed.
	Fee      *string         `json:"fee"`
	Burned   *string         `json:"burned"`
	Contract *common.Address `json:"contract"`
	Input    hexutil.Bytes   `json:"input"`
	Logs     []*types.Log    `json:"logs"`
}

// Statuses of a transaction.
const (
	StatusPending = "pending"
	StatusSuccess = "success"
	StatusFailed  = "failed"
)

// Balance is an account's coins.
type Balance struct {
	Address common.Address `json:"address"`
	Balance string         `json:"balance"`
	Height  uint64         `json:"height"`
}

// Broadcast is the answer to broadcast_tx: the node has the transaction; get_tx tells when it is in a block.
type Broadcast struct {
	Hash common.Hash `json:"hash"`
}

// Info is the node and its chain in brief.
type Info struct {
	Version       string                    `json:"version"`
	ChainID       *big.Int                  `json:"chain_id"`
	CometID       string                    `json:"comet_chain_id"`
	ConsensusMode string                    `json:"consensus_mode"`
	Validator     common.Address            `json:"validator"`
	Genesis       common.Hash               `json:"genesis_hash"`
	Height        uint64                    `json:"height"`
	Hash          common.Hash               `json:"hash"`
	Time          time.Time                 `json:"time"`
	Pending       int                       `json:"pending_txs"`
	Queued        int                       `json:"queued_txs"`
	FailedCalls   uint64                    `json:"failed_system_calls"`
	Archive       bool                      `json:"archive"`
	Predeploys    map[string]common.Address `json:"predeploys"`
}

func showTx(signer types.Signer, tx *types.Transaction) (Tx, error) {
	from, err := types.Sender(signer, tx)
	if err != nil {
		return Tx{}, err
	}
	return Tx{
		Hash: tx.Hash(), Status: StatusPending, From: from, To: tx.To(), Value: tx.Value().String(), Nonce: tx.Nonce(),
		GasLimit: tx.Gas(), Input: tx.Data(), Logs: []*types.Log{},
	}, nil
}

// include adds what a receipt says.
func (t *Tx) include(h *types.Header, r *types.Receipt) {
	height, hash, index, gas := h.Number.Uint64(), h.Hash(), uint64(r.TransactionIndex), r.GasUsed
	used := new(big.Int).SetUint64(gas)
	fee := new(big.Int).Mul(r.EffectiveGasPrice, used).String()
	burned := used.Mul(used, h.BaseFee).String()
	t.Height, t.BlockHash, t.Index, t.GasUsed, t.Fee, t.Burned = &height, &hash, &index, &gas, &fee, &burned
	if t.Status = StatusFailed; r.Status == types.ReceiptStatusSuccessful {
		t.Status = StatusSuccess
	}
	if r.ContractAddress != (common.Address{}) {
		t.Contract = &r.ContractAddress
	}
	if r.Logs != nil {
		t.Logs = r.Logs
	}
}

func showBlock(b *types.Block, receipts types.Receipts, signer types.Signer) (*Block, error) {
	h := b.Header()
	out := &Block{
		Height: b.NumberU64(), Hash: b.Hash(), ParentHash: h.ParentHash, Time: exec.BlockTime(h), Timestamp: h.Time,
		Proposer: h.Coinbase, StateRoot: h.Root, ReceiptsRoot: h.ReceiptHash, GasUsed: h.GasUsed, GasLimit: h.GasLimit,
		BaseFee: h.BaseFee.String(), TxCount: len(b.Transactions()), Txs: []Tx{},
	}
	for i, tx := range b.Transactions() {
		t, err := showTx(signer, tx)
		if err != nil {
			return nil, err
		}
		if i < len(receipts) {
			t.include(h, receipts[i])
		}
		out.Txs = append(out.Txs, t)
	}
	return out, nil
}
