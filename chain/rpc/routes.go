package rpc

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"

	"github.com/cometbft/cometbft/rpc/core"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"

	"github.com/aitbc/aitbc/chain/intake"
)

// plain keeps CometBFT's encoder, which writes numbers as strings, away from our answers.
type plain struct{ v any }

// MarshalJSON encodes as encoding/json does.
func (p plain) MarshalJSON() ([]byte, error) { return json.Marshal(p.v) }

func answer[T any](v T, err error) (*plain, error) {
	if err != nil {
		return nil, err
	}
	return &plain{v}, nil
}

// local reports whether a request comes from this machine, through no proxy and not from a browser's page.
func local(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "Origin", "Sec-Fetch-Site"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && (ip.IsLoopback() || ip.Equal(served(r)))
}

// served is the address that the request came to: whoever has it too is this machine.
func served(r *http.Request) net.IP {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return a.IP
	}
	return nil
}

var errLocal = errors.New("check reads every account and answers only this machine")

// functions are our methods as CometBFT's JSON-RPC calls them.
func (a *API) functions() core.RoutesMap {
	return core.RoutesMap{
		"get_block":    server.NewRPCFunc(func(_ *rpctypes.Context, h Height) (*plain, error) { return answer(a.GetBlock(h)) }, "height"),
		"get_tx":       server.NewRPCFunc(func(_ *rpctypes.Context, hash string) (*plain, error) { return answer(a.GetTx(hash)) }, "hash"),
		"broadcast_tx": server.NewRPCFunc(func(_ *rpctypes.Context, tx string) (*plain, error) { return answer(a.BroadcastTx(tx)) }, "tx"),
		"get_balance": server.NewRPCFunc(func(_ *rpctypes.Context, address string, h Height) (*plain, error) {
			return answer(a.GetBalance(address, h))
		}, "address,height"),
		"get_proof": server.NewRPCFunc(func(c *rpctypes.Context, tx string) (*plain, error) {
			return answer(a.GetProof(c.Context(), tx))
		}, "tx"),
		"get_anchor": server.NewRPCFunc(func(c *rpctypes.Context, h Height) (*plain, error) {
			return answer(a.GetAnchor(c.Context(), h))
		}, "height"),
		"check": server.NewRPCFunc(func(c *rpctypes.Context, h Height) (*plain, error) {
			if c.HTTPReq == nil || !local(c.HTTPReq) {
				return nil, errLocal
			}
			return answer(a.Check(c.Context(), h))
		}, "height"),
		"chain_info": server.NewRPCFunc(func(*rpctypes.Context) (*plain, error) { return answer(a.ChainInfo()) }, ""),
	}
}

// uris are the same methods as GET URIs. CometBFT's own URI decoder takes 0x… for bytes, not for a word.
func (a *API) uris() map[string]func(r *http.Request) (any, error) {
	height := func(r *http.Request) (Height, error) {
		h, err := ParseHeight(r.URL.Query().Get("height"))
		if err != nil {
			err = errors.Join(ErrRequest, err)
		}
		return h, err
	}
	return map[string]func(r *http.Request) (any, error){
		"get_block": func(r *http.Request) (any, error) {
			h, err := height(r)
			if err != nil {
				return nil, err
			}
			return a.GetBlock(h)
		},
		"get_tx":       func(r *http.Request) (any, error) { return a.GetTx(r.URL.Query().Get("hash")) },
		"broadcast_tx": func(r *http.Request) (any, error) { return a.BroadcastTx(r.URL.Query().Get("tx")) },
		"get_balance": func(r *http.Request) (any, error) {
			h, err := height(r)
			if err != nil {
				return nil, err
			}
			return a.GetBalance(r.URL.Query().Get("address"), h)
		},
		"get_proof": func(r *http.Request) (any, error) { return a.GetProof(r.Context(), r.URL.Query().Get("tx")) },
		"get_anchor": func(r *http.Request) (any, error) {
			h, err := height(r)
			if err != nil {
				return nil, err
			}
			return a.GetAnchor(r.Context(), h)
		},
		"check": func(r *http.Request) (any, error) {
			if !local(r) {
				return nil, errLocal
			}
			h, err := height(r)
			if err != nil {
				return nil, err
			}
			return a.Check(r.Context(), h)
		},
		"chain_info": func(*http.Request) (any, error) { return a.ChainInfo() },
	}
}

// envelope is JSON-RPC's, as CometBFT answers URIs: id -1.
type envelope struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Result  any    `json:"result,omitempty"`
	Error   *fault `json:"error,omitempty"`
}

type fault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// uri serves one method as a GET URI.
func uri(f func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		out := envelope{Version: "2.0", ID: -1}
		v, err := f(r)
		if err != nil {
			status, code := status(err)
			out.Error = &fault{Code: code, Message: err.Error()}
			w.WriteHeader(status)
		} else {
			out.Result = v
		}
		_ = json.NewEncoder(w).Encode(out) // a client that has gone is no problem of ours
	})
}

// status is the HTTP status and the JSON-RPC code of an error.
func status(err error) (int, int) {
	switch {
	case errors.Is(err, ErrRequest):
		return http.StatusBadRequest, -32602
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, -32001
	case errors.Is(err, intake.ErrFull), errors.Is(err, intake.ErrSender):
		return http.StatusServiceUnavailable, -32005
	case errors.Is(err, errLocal):
		return http.StatusForbidden, -32003
	case errors.Is(err, ErrBusy):
		return http.StatusTooManyRequests, -32005
	default:
		return http.StatusInternalServerError, -32603
	}
}
