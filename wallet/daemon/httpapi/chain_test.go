package httpapi_test

import (
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

const chainID = 1 << 44

// chain is a node as a wallet sees it: balances, numbers, a pool and blocks.
type chain struct {
	mu       sync.Mutex
	balances map[common.Address]*big.Int
	nonces   map[common.Address]uint64
	pool     []*types.Transaction // that wait for a block
	blocks   []*types.Transaction // one a block
	order    []uint64             // numbers, in the order in which the pool was offered them
	held     bool                 // no block is made
	lose     int                  // as many transactions are forgotten after they were taken
	refuse   string               // what the pool says to everything
	calls    map[string]int
}

func newChain(t testing.TB) (*chain, *chainclient.Client) {
	t.Helper()
	n := &chain{balances: map[common.Address]*big.Int{}, nonces: map[common.Address]uint64{}, calls: map[string]int{}}
	s := httptest.NewServer(n)
	t.Cleanup(s.Close)
	c, err := chainclient.New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return n, c
}

// do changes the chain.
func (n *chain) do(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *chain) fund(a common.Address, m market.Amount) { n.do(func() { n.balances[a] = m.Big() }) }

func (n *chain) balance(a common.Address) market.Amount {
	n.mu.Lock()
	defer n.mu.Unlock()
	b, err := market.AmountFromBig(n.of(a))
	if err != nil {
		panic(err)
	}
	return b
}

func (n *chain) of(a common.Address) *big.Int {
	if b := n.balances[a]; b != nil {
		return b
	}
	return new(big.Int)
}

func (n *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls[req.Method]++
	result, fault := n.answer(req.Method, req.Params)
	resp := map[string]any{"jsonrpc": "2.0", "id": req.ID, "result": result}
	if fault != nil {
		resp["error"] = fault
	}
	_ = json.NewEncoder(w).Encode(resp) // the client is gone
}

func (n *chain) answer(method string, params []json.RawMessage) (any, *chainclient.RPCError) {
	var account common.Address
	var at string
	if len(params) > 0 {
		_ = json.Unmarshal(params[0], &account) // other methods have others
	}
	if len(params) > 1 {
		_ = json.Unmarshal(params[1], &at)
	}
	switch method {
	case "eth_chainId":
		return hexutil.Uint64(chainID), nil
	case "eth_blockNumber":
		return hexutil.Uint64(uint64(len(n.blocks))), nil
	case "eth_maxPriorityFeePerGas":
		return (*hexutil.Big)(big.NewInt(7)), nil
	case "eth_getBalance":
		return (*hexutil.Big)(n.of(account)), nil
	case "eth_getTransactionCount":
		nonce := n.nonces[account]
		if at == "pending" {
			for _, tx := range n.pool {
				if sender(tx) == account {
					nonce = max(nonce, tx.Nonce()+1)
				}
			}
		}
		return hexutil.Uint64(nonce), nil
	case "eth_getBlockByNumber":
		return &types.Header{BaseFee: big.NewInt(1000), Number: big.NewInt(9), Difficulty: new(big.Int)}, nil
	case "eth_estimateGas":
		return hexutil.Uint64(21000), nil
	case "eth_sendRawTransaction":
		return n.send(params[0])
	case "eth_getTransactionReceipt":
		var h common.Hash
		_ = json.Unmarshal(params[0], &h)
		for i, tx := range n.blocks {
			if tx.Hash() == h {
				return &types.Receipt{Status: 1, TxHash: h, BlockNumber: big.NewInt(int64(i + 1)), GasUsed: 21000, EffectiveGasPrice: big.NewInt(1007), Logs: []*types.Log{}}, nil
			}
		}
		return nil, nil
	case "eth_getTransactionByHash":
		return nil, nil
	}
	return nil, &chainclient.RPCError{Code: -32601, Message: "no method " + method}
}

func sender(tx *types.Transaction) common.Address {
	a, err := types.Sender(types.LatestSignerForChainID(big.NewInt(chainID)), tx)
	if err != nil {
		panic(err)
	}
	return a
}

func (n *chain) send(param json.RawMessage) (any, *chainclient.RPCError) {
	refuse := func(text string) (any, *chainclient.RPCError) {
		return nil, &chainclient.RPCError{Code: -32000, Message: text}
	}
	var raw hexutil.Bytes
	tx := new(types.Transaction)
	if err := json.Unmarshal(param, &raw); err != nil {
		return refuse(err.Error())
	}
	if err := tx.UnmarshalBinary(raw); err != nil {
		return refuse(err.Error())
	}
	from := sender(tx)
	switch {
	case n.refuse != "":
		return refuse(n.refuse)
	case tx.Nonce() < n.nonces[from]:
		return refuse("nonce too low")
	case n.of(from).Cmp(tx.Cost()) < 0:
		return refuse("insufficient funds for gas * price + value")
	}
	for i, old := range n.pool {
		if old.Hash() == tx.Hash() {
			return refuse("already known")
		}
		if sender(old) == from && old.Nonce() == tx.Nonce() {
			tenth := new(big.Int).Div(new(big.Int).Mul(old.GasFeeCap(), big.NewInt(11)), big.NewInt(10))
			if tx.GasFeeCap().Cmp(tenth) < 0 || tx.GasTipCap().Cmp(old.GasTipCap()) <= 0 {
				return refuse("replacement transaction underpriced")
			}
			n.pool[i] = tx
			return tx.Hash(), nil
		}
	}
	n.order = append(n.order, tx.Nonce())
	if n.lose > 0 {
		n.lose--
		return tx.Hash(), nil
	}
	n.pool = append(n.pool, tx)
	if !n.held {
		n.mine()
	}
	return tx.Hash(), nil
}

// mine puts what can run into blocks. It needs mu.
func (n *chain) mine() {
	for again := true; again; {
		again = false
		for i, tx := range n.pool {
			from := sender(tx)
			if tx.Nonce() != n.nonces[from] {
				continue
			}
			fee := new(big.Int).Mul(big.NewInt(1007), new(big.Int).SetUint64(21000))
			n.balances[from] = new(big.Int).Sub(new(big.Int).Sub(n.of(from), tx.Value()), fee)
			n.balances[*tx.To()] = new(big.Int).Add(n.of(*tx.To()), tx.Value())
			n.nonces[from]++
			n.blocks = append(n.blocks, tx)
			n.pool = slices.Delete(n.pool, i, i+1)
			again = true
			break
		}
	}
}
