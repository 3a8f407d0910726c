package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

func hexAmount(text string) (market.Amount, error) {
	n, err := hexutil.DecodeBig(text)
	if err != nil {
		return market.Amount{}, err
	}
	return market.AmountFromBig(n)
}

// ethMethods are what a page may ask a node for.
var ethMethods = []string{
	"eth_blockNumber", "eth_call", "eth_chainId", "eth_estimateGas", "eth_feeHistory", "eth_gasPrice", "eth_getBalance", "eth_getBlockByHash",
	"eth_getBlockByNumber", "eth_getCode", "eth_getProof", "eth_getTransactionByHash", "eth_getTransactionCount", "eth_getTransactionReceipt",
	"eth_maxPriorityFeePerGas", "eth_sendRawTransaction", "net_version",
}

// requestMost bounds a JSON-RPC request: a transaction is at most 128 KiB, in hex.
const requestMost = 300 << 10

// eth hands one JSON-RPC request on to the node.
func (s *Server) eth(w http.ResponseWriter, r *http.Request) error {
	if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(t) != "application/json" {
		return apierr.New(apierr.Invalid, "the content type is not application/json")
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
	if !slices.Contains(ethMethods, req.Method) {
		return apierr.New(apierr.Forbidden, "the explorer does not pass this method on: ask a node of your own")
	}
	release, err := s.claim(r.Context())
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
	switch err := s.Eth.Call(r.Context(), &result, req.Method, params...); {
	case err == nil:
		out["result"] = result
	default:
		if err := rpcAnswer(out, err); err != nil {
			return err
		}
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

// coordinatorPaths are what a page may ask a coordinator for; receipts need the
// client's own key.
var coordinatorPaths = []string{"network", "models", "miners", "receipts"}

// coordinatorMost bounds an answer of the coordinator's.
const coordinatorMost = 8 << 20

func (s *Server) coordinator(w http.ResponseWriter, r *http.Request) error {
	path := r.PathValue("path")
	first, id, _ := strings.Cut(path, "/")
	if !slices.Contains(coordinatorPaths, first) || (id != "" && first != "receipts") || strings.Contains(id, "/") {
		return apierr.New(apierr.Forbidden, "the explorer does not pass this on: ask the coordinator")
	}
	if id != "" {
		if _, err := hashOf(id, "receipt"); err != nil {
			return err
		}
	}
	to := "/v1/" + path
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	header := http.Header{}
	if key := r.Header.Get("X-Api-Key"); key != "" {
		header.Set("X-Api-Key", key)
	}
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	resp, err := s.Coordinator.Open(ctx, httpx.Request{Method: http.MethodGet, Path: to, Header: header})
	if err != nil {
		if _, refused := errors.AsType[*apierr.Error](err); refused {
			return err
		}
		return apierr.Wrap(err, apierr.Unavailable, "the coordinator does not answer: try again")
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end, or given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, coordinatorMost+1))
	if err != nil || len(body) > coordinatorMost {
		return apierr.Wrap(err, apierr.Unavailable, "the coordinator's answer broke off or is too large")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(body)
	return err
}

// rpcAnswer puts a node's refusal into a JSON-RPC answer; what is none comes back.
func rpcAnswer(out map[string]any, err error) error {
	if e, ok := errors.AsType[*chainclient.RPCError](err); ok {
		out["error"] = e
		return nil
	}
	if errors.Is(err, chainclient.ErrNotFound) {
		out["result"] = nil
		return nil
	}
	return node(err)
}
