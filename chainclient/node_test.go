package chainclient_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient"
)

const chainID = 4242

// node is a chain of one account: a transaction that it takes is in a block at once.
type node struct {
	mu      sync.Mutex
	taken   []*types.Transaction // in blocks
	offered []*types.Transaction
	base    *big.Int

	// drop says whether the pool forgets a transaction; nil never does.
	drop func(n int, tx *types.Transaction) bool
	// status is that of every receipt.
	status uint64
	// revert is what calls and estimates return, or nil.
	revert []byte
	// stolen is added to the account's nonce: somebody else used it.
	stolen uint64
}

func newNode(t *testing.T) (*node, *chainclient.Client) {
	t.Helper()
	n := &node{base: big.NewInt(1_000_000_000), status: 1}
	s := httptest.NewServer(n)
	t.Cleanup(s.Close)
	c, err := chainclient.New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return n, c
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	result, fault := n.answer(req.Method, req.Params)
	resp := map[string]any{"jsonrpc": "2.0", "id": req.ID, "result": result}
	if fault != nil {
		resp["error"] = fault
	}
	if err := json.NewEncoder(w).Encode(resp); err != nil {
		panic(err)
	}
}

func (n *node) answer(method string, params []json.RawMessage) (any, *chainclient.RPCError) {
	switch method {
	case "eth_chainId":
		return hexutil.Uint64(chainID), nil
	case "eth_maxPriorityFeePerGas":
		return (*hexutil.Big)(big.NewInt(7)), nil
	case "eth_getTransactionCount":
		return hexutil.Uint64(uint64(len(n.taken)) + n.stolen), nil
	case "eth_getBlockByNumber":
		return &types.Header{BaseFee: n.base, Number: big.NewInt(9), Difficulty: new(big.Int)}, nil
	case "eth_call", "eth_estimateGas":
		if n.revert != nil {
			return nil, &chainclient.RPCError{Code: 3, Message: "execution reverted", Data: must(json.Marshal(hexutil.Bytes(n.revert)))}
		}
		return hexutil.Uint64(21000), nil
	case "eth_sendRawTransaction":
		var raw hexutil.Bytes
		if err := json.Unmarshal(params[0], &raw); err != nil {
			return nil, &chainclient.RPCError{Code: -32602, Message: err.Error()}
		}
		return n.take(raw)
	case "eth_getTransactionReceipt":
		var h common.Hash
		if err := json.Unmarshal(params[0], &h); err != nil {
			return nil, &chainclient.RPCError{Code: -32602, Message: err.Error()}
		}
		for i, tx := range n.taken {
			if tx.Hash() == h {
				return &types.Receipt{Status: n.status, TxHash: h, BlockNumber: big.NewInt(int64(i + 1)), Logs: []*types.Log{}}, nil
			}
		}
		return nil, nil
	case "eth_getLogs":
		return []types.Log{{Address: common.Address{7}, Topics: []common.Hash{{1}}, Data: params[0], BlockNumber: 3}}, nil
	}
	return nil, &chainclient.RPCError{Code: -32601, Message: "no method " + method}
}

func (n *node) take(raw []byte) (any, *chainclient.RPCError) {
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return nil, &chainclient.RPCError{Code: -32000, Message: err.Error()}
	}
	n.offered = append(n.offered, tx)
	if n.drop != nil && n.drop(len(n.offered), tx) {
		return tx.Hash(), nil
	}
	if tx.Nonce() < uint64(len(n.taken)) {
		return nil, &chainclient.RPCError{Code: -32000, Message: "nonce too low"}
	}
	if tx.GasFeeCap().Cmp(n.base) < 0 {
		return nil, &chainclient.RPCError{Code: -32000, Message: "max fee per gas less than block base fee"}
	}
	n.taken = append(n.taken, tx)
	return tx.Hash(), nil
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// account signs with a fixed key.
type account struct{}

func (account) Address() common.Address {
	return crypto.PubkeyToAddress(crypto.ToECDSAUnsafe(bytes.Repeat([]byte{1}, 32)).PublicKey)
}

func (account) SignDigest(d common.Hash) ([]byte, error) {
	sig, err := crypto.Sign(d[:], crypto.ToECDSAUnsafe(bytes.Repeat([]byte{1}, 32)))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}
