package chainclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/httpx"
)

// ErrNotFound reports a block, transaction or receipt that the node does not have.
var ErrNotFound = errors.New("not found on the chain")

// RPCError is what a node answers when it refuses a call.
type RPCError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func (e *RPCError) Error() string { return fmt.Sprintf("node: %s (code %d)", e.Message, e.Code) }

// revertData returns what a reverted call returned, or nil.
func (e *RPCError) revertData() []byte {
	var b hexutil.Bytes
	if json.Unmarshal(e.Data, &b) != nil {
		return nil
	}
	return b
}

// rpc is a JSON-RPC 2.0 connection.
type rpc struct {
	http *httpx.Client
	next atomic.Uint64
}

type rpcRequest struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

type rpcResponse struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *RPCError       `json:"error"`
}

// call sends one request and decodes its result into out. A null result is
// [ErrNotFound].
func (c *rpc) call(ctx context.Context, out any, method string, params any) error {
	req := rpcRequest{"2.0", c.next.Add(1), method, params}
	var resp rpcResponse
	if _, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, JSON: req}, &resp); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	switch {
	case resp.Error != nil:
		return fmt.Errorf("%s: %w", method, resp.Error)
	case resp.ID != req.ID:
		return fmt.Errorf("%s: the node answered another request", method)
	case len(resp.Result) == 0 || string(resp.Result) == "null":
		return fmt.Errorf("%s: %w", method, ErrNotFound)
	}
	if raw, ok := out.(*json.RawMessage); ok {
		*raw = resp.Result
		return nil
	}
	if err := json.Unmarshal(resp.Result, out); err != nil {
		return fmt.Errorf("%s: decode result: %w", method, err)
	}
	return nil
}

// Comet is the door to a node's consensus RPC, port 26657. It is safe for
// concurrent use.
type Comet struct{ rpc rpc }

// NewComet returns a client of the node at url. It opens no connection.
func NewComet(url string) (*Comet, error) {
	h, err := httpx.NewClient(url)
	if err != nil {
		return nil, fmt.Errorf("chain rpc: %w", err)
	}
	return &Comet{rpc{http: h}}, nil
}

// Call asks for a route with named parameters and decodes the result into out,
// which may be a *[json.RawMessage]. Refusals are a *[RPCError].
func (c *Comet) Call(ctx context.Context, out any, method string, params map[string]any) error {
	if params == nil {
		params = map[string]any{}
	}
	return c.rpc.call(ctx, out, method, params)
}

// Proof returns the node's answer to get_proof for a transaction, as it is.
func (c *Comet) Proof(ctx context.Context, tx string) (json.RawMessage, error) {
	var raw json.RawMessage
	if err := c.Call(ctx, &raw, "get_proof", map[string]any{"tx": tx}); err != nil {
		return nil, err
	}
	return raw, nil
}
