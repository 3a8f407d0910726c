package origin

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
)

// methods are what a page may ask a node for.
var methods = []string{
	"eth_blockNumber", "eth_call", "eth_chainId", "eth_estimateGas", "eth_feeHistory", "eth_gasPrice", "eth_getBalance", "eth_getBlockByHash",
	"eth_getBlockByNumber", "eth_getCode", "eth_getProof", "eth_getTransactionByHash", "eth_getTransactionCount", "eth_getTransactionReceipt",
	"eth_maxPriorityFeePerGas", "eth_sendRawTransaction", "net_version",
}

// requestMost bounds a JSON-RPC request: a transaction is at most 128 KiB, in hex.
const requestMost = 300 << 10

// Node passes Ethereum JSON-RPC on: methods that read, and eth_sendRawTransaction.
type Node struct {
	Eth   *chainclient.Client
	Turns Turns
}

// Serve hands one JSON-RPC request on to the node. It is a [httpx.Handler].
func (n Node) Serve(w http.ResponseWriter, r *http.Request) error {
	if err := CheckJSON(r); err != nil {
		return err
	}
	body, err := httpx.ReadBody(w, r, requestMost)
	if err != nil {
		return err
	}
	var req struct {
		Version string            `json:"jsonrpc"`
		ID      json.RawMessage   `json:"id"`
		Method  string            `json:"method"`
		Params  []json.RawMessage `json:"params"`
	}
	if err := api.Decode(body, &req); err != nil {
		return apierr.Wrap(err, apierr.Invalid, "the body is not one JSON-RPC request")
	}
	if !slices.Contains(methods, req.Method) {
		return apierr.New(apierr.Forbidden, "this method is not passed on: ask a node of your own")
	}
	release, err := n.Turns.Claim(r.Context())
	if err != nil {
		return err
	}
	defer release()
	params := make([]any, len(req.Params))
	for i, p := range req.Params {
		params[i] = p
	}
	out := map[string]any{"jsonrpc": "2.0", "id": req.ID}
	var result json.RawMessage
	if err := n.Eth.Call(r.Context(), &result, req.Method, params...); err == nil {
		out["result"] = result
	} else if err := refused(out, err); err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

// refused puts a node's refusal into a JSON-RPC answer; what is none comes back.
func refused(out map[string]any, err error) error {
	if e, ok := errors.AsType[*chainclient.RPCError](err); ok {
		out["error"] = e
		return nil
	}
	if errors.Is(err, chainclient.ErrNotFound) {
		out["result"] = nil
		return nil
	}
	return apierr.Wrap(err, apierr.Unavailable, "the node does not answer this now: try again")
}
