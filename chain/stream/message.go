package stream

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chain/exec"
)

// Topic is a kind of message.
type Topic string

// The topics. A block's message comes before those of its transactions.
const (
	Blocks       Topic = "block"
	Transactions Topic = "tx"
)

// Block is the message of a final block.
type Block struct {
	Type     Topic          `json:"type"`
	Height   uint64         `json:"height"`
	Hash     common.Hash    `json:"hash"`
	Time     time.Time      `json:"time"`
	Proposer common.Address `json:"proposer"`
	GasUsed  uint64         `json:"gas_used"`
	TxCount  int            `json:"tx_count"`
	Txs      []common.Hash  `json:"txs"`
	// System are the logs of the node's own calls: they are in no transaction's receipt.
	System []Log `json:"system,omitempty"`
}

// Transaction is the message of a transaction in a final block.
type Transaction struct {
	Type    Topic           `json:"type"`
	Hash    common.Hash     `json:"hash"`
	Height  uint64          `json:"height"`
	Index   int             `json:"index"`
	From    common.Address  `json:"from"`
	To      *common.Address `json:"to"`
	Value   string          `json:"value"`
	OK      bool            `json:"ok"`
	GasUsed uint64          `json:"gas_used"`
	Logs    []Log           `json:"logs,omitempty"`
}

// Log is what a contract said.
type Log struct {
	Address common.Address `json:"address"`
	Topics  []common.Hash  `json:"topics"`
	Data    hexutil.Bytes  `json:"data"`
}

// message is one encoded message.
type message struct {
	topic Topic
	raw   []byte
}

// encode turns a block into its messages, each encoded once for all clients.
func encode(res *exec.Result, signer types.Signer) ([]message, error) {
	b := res.Block
	block := Block{
		Type: Blocks, Height: b.NumberU64(), Hash: b.Hash(), Time: exec.BlockTime(b.Header()), Proposer: b.Coinbase(),
		GasUsed: b.GasUsed(), TxCount: len(b.Transactions()), Txs: []common.Hash{},
	}
	for _, c := range res.Calls {
		block.System = append(block.System, logs(c.Logs)...)
	}
	out := make([]message, 1, 1+len(b.Transactions()))
	for i, tx := range b.Transactions() {
		block.Txs = append(block.Txs, tx.Hash())
		from, err := types.Sender(signer, tx)
		if err != nil {
			return nil, fmt.Errorf("sender of %v: %w", tx.Hash(), err)
		}
		r := res.Receipts[i]
		raw, err := json.Marshal(Transaction{
			Type: Transactions, Hash: tx.Hash(), Height: b.NumberU64(), Index: i, From: from, To: tx.To(), Value: tx.Value().String(),
			OK: r.Status == types.ReceiptStatusSuccessful, GasUsed: r.GasUsed, Logs: logs(r.Logs),
		})
		if err != nil {
			return nil, fmt.Errorf("encode %v: %w", tx.Hash(), err)
		}
		out = append(out, message{Transactions, raw})
	}
	raw, err := json.Marshal(block)
	if err != nil {
		return nil, fmt.Errorf("encode block %d: %w", b.NumberU64(), err)
	}
	out[0] = message{Blocks, raw}
	return out, nil
}

func logs(in []*types.Log) []Log {
	var out []Log
	for _, l := range in {
		out = append(out, Log{Address: l.Address, Topics: l.Topics, Data: l.Data})
	}
	return out
}
