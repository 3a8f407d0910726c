package index

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

// Network names a chain: two nodes of one network agree on it.
type Network struct {
	ChainID uint64
	Genesis common.Hash
}

// Tip is a node's newest block and its oldest.
type Tip struct {
	Network
	First, Head uint64
}

// Node reads blocks from a node's RPC, port 26657. It is safe for concurrent use.
type Node struct{ rpc *chainclient.Comet }

// NewNode returns a reader of the node at url. It opens no connection.
func NewNode(url string) (*Node, error) {
	rpc, err := chainclient.NewComet(url)
	if err != nil {
		return nil, err
	}
	return &Node{rpc}, nil
}

// Tip asks the node how far its chain is.
func (n *Node) Tip(ctx context.Context) (Tip, error) {
	var info struct {
		ChainID uint64      `json:"chain_id"`
		Genesis common.Hash `json:"genesis_hash"`
		Height  uint64      `json:"height"`
	}
	if err := n.rpc.Call(ctx, &info, "chain_info", nil); err != nil {
		return Tip{}, err
	}
	var status struct {
		Sync struct {
			Earliest uint64 `json:"earliest_block_height,string"`
		} `json:"sync_info"`
	}
	if err := n.rpc.Call(ctx, &status, "status", nil); err != nil {
		return Tip{}, err
	}
	return Tip{Network: Network{info.ChainID, info.Genesis}, First: max(1, status.Sync.Earliest), Head: info.Height}, nil
}

// nodeTx is a transaction of get_block and get_tx.
type nodeTx struct {
	Hash     common.Hash     `json:"hash"`
	Status   string          `json:"status"`
	From     common.Address  `json:"from"`
	To       *common.Address `json:"to"`
	Value    market.Amount   `json:"value"`
	Nonce    uint64          `json:"nonce"`
	GasLimit uint64          `json:"gas_limit"`
	GasUsed  *uint64         `json:"gas_used"`
	Fee      *market.Amount  `json:"fee"`
	Burned   *market.Amount  `json:"burned"`
	Contract *common.Address `json:"contract"`
	Input    hexutil.Bytes   `json:"input"`
	Logs     []Log           `json:"logs"`
}

type nodeBlock struct {
	Height   uint64         `json:"height"`
	Hash     common.Hash    `json:"hash"`
	Parent   common.Hash    `json:"parent_hash"`
	Time     time.Time      `json:"time"`
	Proposer common.Address `json:"proposer"`
	GasUsed  uint64         `json:"gas_used"`
	GasLimit uint64         `json:"gas_limit"`
	BaseFee  market.Amount  `json:"base_fee"`
	Txs      []nodeTx       `json:"txs"`
}

type nodeResults struct {
	Events []struct {
		Type       string `json:"type"`
		Attributes []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		} `json:"attributes"`
	} `json:"finalize_block_events"`
}

// errPartial reports a block of which the node has not everything.
var errPartial = errors.New("the node does not have the receipts of the block: index from a node that keeps them")

// Block reads a block with what its transactions and the node's own calls did.
func (n *Node) Block(ctx context.Context, height uint64) (Block, error) {
	var raw nodeBlock
	at := map[string]any{"height": strconv.FormatUint(height, 10)}
	if err := n.rpc.Call(ctx, &raw, "get_block", at); err != nil {
		return Block{}, fmt.Errorf("block %d: %w", height, err)
	}
	b := Block{
		Height: raw.Height, Hash: raw.Hash, Parent: raw.Parent, Time: raw.Time, Proposer: raw.Proposer,
		GasUsed: raw.GasUsed, GasLimit: raw.GasLimit, BaseFee: raw.BaseFee, Txs: make([]Tx, 0, len(raw.Txs)),
	}
	for i := range raw.Txs {
		t := &raw.Txs[i]
		if t.GasUsed == nil || t.Fee == nil || t.Burned == nil {
			return Block{}, fmt.Errorf("block %d: %w", height, errPartial)
		}
		b.Txs = append(b.Txs, Tx{
			Hash: t.Hash, From: t.From, To: t.To, Created: t.Contract, Value: t.Value, Nonce: t.Nonce, Method: t.Input[:min(4, len(t.Input))],
			OK: t.Status == "success", GasLimit: t.GasLimit, GasUsed: *t.GasUsed, Fee: *t.Fee, Burned: *t.Burned,
		})
		for k, l := range t.Logs {
			if e, ours := Decode(l); ours {
				e.Tx, e.Log = i, k
				b.Events = append(b.Events, e)
			}
		}
	}
	var results nodeResults
	if err := n.rpc.Call(ctx, &results, "block_results", at); err != nil {
		return Block{}, fmt.Errorf("events of block %d: %w", height, err)
	}
	return b, b.system(results)
}

// Types of the block events that the node makes of its own calls.
const (
	systemCall = "system_call"
	systemLog  = "system_log"
)

// system adds the events of the node's own calls.
func (b *Block) system(r nodeResults) error {
	logs := 0
	for _, raw := range r.Events {
		attrs := map[string]string{}
		for _, a := range raw.Attributes {
			attrs[a.Key] = a.Value
		}
		switch raw.Type {
		case systemCall: // one that was refused: its effects were dropped
			args := Values(refusedCall, []any{attrs["call"], attrs["error"]})
			b.Events = append(b.Events, Event{
				Tx: System, Log: System, Call: attrs["call"], Contract: "Node", Name: "CallRefused", Args: args,
				Subjects: []Subject{{KindName, "Node.CallRefused"}},
			})
		case systemLog:
			l, err := systemEvent(attrs)
			if err != nil {
				return fmt.Errorf("events of block %d: %w", b.Height, err)
			}
			if e, ours := Decode(l); ours {
				e.Tx, e.Log, e.Call = System, logs, attrs["call"]
				b.Events = append(b.Events, e)
			}
			logs++
		}
	}
	return nil
}

func systemEvent(attrs map[string]string) (Log, error) {
	var l Log
	if err := l.Address.UnmarshalText([]byte(attrs["address"])); err != nil {
		return l, fmt.Errorf("address of a log: %w", err)
	}
	if err := l.Data.UnmarshalText([]byte(attrs["data"])); err != nil {
		return l, fmt.Errorf("data of a log: %w", err)
	}
	if attrs["topics"] == "" {
		return l, nil
	}
	for text := range strings.SplitSeq(attrs["topics"], ",") {
		var h common.Hash
		if err := h.UnmarshalText([]byte(text)); err != nil {
			return l, fmt.Errorf("topic of a log: %w", err)
		}
		l.Topics = append(l.Topics, h)
	}
	return l, nil
}
