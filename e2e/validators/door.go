package validators

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// askWithin bounds a request: a node that was stopped never answers.
const askWithin = 4 * time.Second

// errNothing is the answer null.
var errNothing = errors.New("there is none")

// door asks one node. No proxy stands between: the addresses are this machine's.
type door struct {
	url    string
	client *http.Client
}

func newDoor(address string) door {
	return door{"http://" + address, &http.Client{Timeout: askWithin, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// call makes one JSON-RPC request, of either protocol.
func (d door) call(ctx context.Context, out any, method string, params any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	var answer struct {
		Result json.RawMessage
		Error  *struct {
			Message string
			Data    json.RawMessage
		}
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s %s", method, answer.Error.Message, answer.Error.Data)
	}
	if string(answer.Result) == "null" {
		return fmt.Errorf("%s: %w", method, errNothing)
	}
	return json.Unmarshal(answer.Result, out)
}

// height is that of the newest block of a node's EVM.
func (n *Node) height(ctx context.Context) (uint64, error) {
	var h hexutil.Uint64
	err := n.eth.call(ctx, &h, "eth_blockNumber", []any{})
	return uint64(h), err
}

// header is that of a block. Its hash, the chain's app hash, is computed here.
func (n *Node) header(ctx context.Context, height uint64) (*types.Header, error) {
	var h types.Header
	if err := n.eth.call(ctx, &h, "eth_getBlockByNumber", []any{hexutil.Uint64(height), false}); err != nil {
		return nil, err
	}
	return &h, nil
}

// receipt is where a transaction came to be.
func (n *Node) receipt(ctx context.Context, tx common.Hash) (*types.Receipt, error) {
	var r types.Receipt
	if err := n.eth.call(ctx, &r, "eth_getTransactionReceipt", []any{tx}); err != nil {
		return nil, err
	}
	return &r, nil
}
