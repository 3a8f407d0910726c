package chainclient

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

// A Block names the state that a question is about: a height, or one of the
// constants.
type Block string

// Blocks by name.
const (
	Latest   Block = "latest"  // the newest block; every block is final
	Pending  Block = "pending" // with the transactions that wait
	Earliest Block = "earliest"
)

// At names the block of a height.
func At(height uint64) Block { return Block(hexutil.EncodeUint64(height)) }

// Client is the door to a node's Ethereum JSON-RPC, port 8545. It is safe for
// concurrent use. Refusals are a *[RPCError]; things that are not there are
// [ErrNotFound].
type Client struct{ rpc rpc }

// New returns a client of the node at url. It opens no connection.
func New(url string) (*Client, error) {
	h, err := httpx.NewClient(url)
	if err != nil {
		return nil, fmt.Errorf("ethereum rpc: %w", err)
	}
	return &Client{rpc{http: h}}, nil
}

// Call asks for any method and decodes the result into out, which may be a
// *[encoding/json.RawMessage].
func (c *Client) Call(ctx context.Context, out any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	return c.rpc.call(ctx, out, method, params)
}

func (c *Client) uint64(ctx context.Context, method string, params ...any) (uint64, error) {
	var n hexutil.Uint64
	err := c.Call(ctx, &n, method, params...)
	return uint64(n), err
}

func (c *Client) big(ctx context.Context, method string, params ...any) (*big.Int, error) {
	var n hexutil.Big
	if err := c.Call(ctx, &n, method, params...); err != nil {
		return nil, err
	}
	return n.ToInt(), nil
}

// ChainID returns the id that transactions are signed for.
func (c *Client) ChainID(ctx context.Context) (uint64, error) { return c.uint64(ctx, "eth_chainId") }

// BlockNumber returns the height of the newest block.
func (c *Client) BlockNumber(ctx context.Context) (uint64, error) {
	return c.uint64(ctx, "eth_blockNumber")
}

// Balance returns an account's balance.
func (c *Client) Balance(ctx context.Context, account common.Address, at Block) (market.Amount, error) {
	n, err := c.big(ctx, "eth_getBalance", account, at)
	if err != nil {
		return market.Amount{}, err
	}
	return market.AmountFromBig(n)
}

// Nonce returns the number of an account's transactions.
func (c *Client) Nonce(ctx context.Context, account common.Address, at Block) (uint64, error) {
	return c.uint64(ctx, "eth_getTransactionCount", account, at)
}

// Fees returns the base fee of the newest block and the tip that the node suggests.
func (c *Client) Fees(ctx context.Context) (base, tip *big.Int, err error) {
	h, err := c.Header(ctx, Latest)
	if err != nil {
		return nil, nil, err
	}
	if tip, err = c.big(ctx, "eth_maxPriorityFeePerGas"); err != nil {
		return nil, nil, err
	}
	base = h.BaseFee
	if base == nil {
		base = new(big.Int)
	}
	return base, tip, nil
}

// Header returns the header of a block.
func (c *Client) Header(ctx context.Context, at Block) (*types.Header, error) {
	var h types.Header
	if err := c.Call(ctx, &h, "eth_getBlockByNumber", at, false); err != nil {
		return nil, err
	}
	return &h, nil
}

// Receipt returns the receipt of a transaction in a block, or [ErrNotFound]
// while there is none.
func (c *Client) Receipt(ctx context.Context, tx common.Hash) (*types.Receipt, error) {
	var r types.Receipt
	if err := c.Call(ctx, &r, "eth_getTransactionReceipt", tx); err != nil {
		return nil, err
	}
	return &r, nil
}

// Message is a call of a contract.
type Message struct {
	From  common.Address
	To    common.Address
	Value *big.Int // nil for none
	Data  []byte
}

func (m Message) args() map[string]any {
	a := map[string]any{"from": m.From, "to": m.To, "input": hexutil.Bytes(m.Data)}
	if m.Value != nil {
		a["value"] = (*hexutil.Big)(m.Value)
	}
	return a
}

// CallContract runs m on the state of a block and returns its output. It
// changes nothing.
func (c *Client) CallContract(ctx context.Context, m Message, at Block) ([]byte, error) {
	var out hexutil.Bytes
	err := c.Call(ctx, &out, "eth_call", m.args(), at)
	return out, err
}

// EstimateGas returns the gas that m needs on the newest state.
func (c *Client) EstimateGas(ctx context.Context, m Message) (uint64, error) {
	return c.uint64(ctx, "eth_estimateGas", m.args())
}

// SendRaw hands a signed transaction to the node's pool. The answer is no
// promise: only a receipt is.
func (c *Client) SendRaw(ctx context.Context, raw []byte) (common.Hash, error) {
	var h common.Hash
	err := c.Call(ctx, &h, "eth_sendRawTransaction", hexutil.Bytes(raw))
	return h, err
}

// Filter chooses logs: of the blocks From to To, by any of the addresses, with
// topics as in eth_getLogs (an empty list of a position matches anything).
type Filter struct {
	From, To  uint64
	Addresses []common.Address
	Topics    [][]common.Hash
}

// logSpan is how many blocks are asked for at once: a node that keeps no index of
// events looks at each of their headers, two seconds for so many, and would not
// answer in time for a whole chain.
const logSpan = 100_000

// Logs returns the logs that f chooses, in the order of the chain.
func (c *Client) Logs(ctx context.Context, f Filter) ([]types.Log, error) {
	q := map[string]any{}
	if len(f.Addresses) > 0 {
		q["address"] = f.Addresses
	}
	if len(f.Topics) > 0 {
		q["topics"] = f.Topics
	}
	var all []types.Log
	for from := f.From; from <= f.To; from += logSpan {
		q["fromBlock"], q["toBlock"] = hexutil.Uint64(from), hexutil.Uint64(min(f.To, from+logSpan-1))
		var logs []types.Log
		if err := c.Call(ctx, &logs, "eth_getLogs", q); err != nil {
			return nil, err
		}
		all = append(all, logs...)
	}
	return all, nil
}

// AccountProof is the answer of eth_getProof: an account and some of its
// storage, with their paths in the state trie.
type AccountProof struct {
	Address      common.Address  `json:"address"`
	AccountProof []hexutil.Bytes `json:"accountProof"`
	Balance      *hexutil.Big    `json:"balance"`
	CodeHash     common.Hash     `json:"codeHash"`
	Nonce        hexutil.Uint64  `json:"nonce"`
	StorageHash  common.Hash     `json:"storageHash"`
	StorageProof []SlotProof     `json:"storageProof"`
}

// SlotProof is one storage slot of an [AccountProof].
type SlotProof struct {
	Key   string          `json:"key"`
	Value *hexutil.Big    `json:"value"`
	Proof []hexutil.Bytes `json:"proof"`
}

// GetProof returns the proof of an account and of some of its slots.
func (c *Client) GetProof(ctx context.Context, account common.Address, slots []common.Hash, at Block) (*AccountProof, error) {
	if slots == nil {
		slots = []common.Hash{}
	}
	var p AccountProof
	if err := c.Call(ctx, &p, "eth_getProof", account, slots, at); err != nil {
		return nil, err
	}
	return &p, nil
}
