package httpapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/httpx"
)

// findBlock reads the block of the path, a height or a hash.
func (s *Server) findBlock(r *http.Request) (store.Block, error) {
	text := r.PathValue("block")
	if strings.HasPrefix(text, "0x") {
		h, err := hashOf(text, "block")
		if err != nil {
			return store.Block{}, err
		}
		b, err := s.Index.BlockByHash(r.Context(), h)
		return b, found(err, "this block")
	}
	n, err := number(text, "block")
	if err != nil {
		return store.Block{}, err
	}
	b, err := s.Index.Block(r.Context(), n)
	return b, found(err, "block "+strconv.FormatUint(n, 10))
}

func (s *Server) block(w http.ResponseWriter, r *http.Request) error {
	b, err := s.findBlock(r)
	if err != nil {
		return err
	}
	said, err := s.Index.EventsOfTx(r.Context(), b.Height, index.System)
	if err != nil {
		return err
	}
	out := BlockDetail{Block: showBlock(b), System: each(said, showEvent)}
	ctx, cancel := context.WithTimeout(r.Context(), nodeWithin)
	defer cancel()
	if c, err := s.signing.of(ctx, s.Comet, b.Height); err == nil {
		out.Round, out.Signers, out.Size = &c.round, len(c.signed), len(c.set)
	}
	if op, err := predeploy.NewStaking(s.Eth).Operator(ctx, b.Proposer, chainclient.Latest); err == nil && op != (common.Address{}) {
		out.Validator = &op
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) tx(w http.ResponseWriter, r *http.Request) error {
	h, err := hashOf(r.PathValue("hash"), "hash")
	if err != nil {
		return err
	}
	t, err := s.Index.Tx(r.Context(), h)
	if err != nil {
		return found(err, "this transaction")
	}
	said, err := s.Index.EventsOfTx(r.Context(), t.Height, t.Index)
	if err != nil {
		return err
	}
	out := TxDetail{Tx: showTx(t), Events: each(said, showEvent), Logs: []Log{}}
	var raw struct {
		Input hexutil.Bytes `json:"input"`
		Logs  []index.Log   `json:"logs"`
	}
	switch err := s.Comet.Call(r.Context(), &raw, "get_tx", map[string]any{"hash": h.Hex()}); {
	case err == nil:
		out.Call = decodeCall(t.To, raw.Input)
		for _, l := range raw.Logs {
			if _, ours := index.Contracts()[l.Address]; !ours {
				out.Logs = append(out.Logs, Log{l.Address, l.Topics, l.Data[:min(len(l.Data), shown)]})
			}
		}
	case r.Context().Err() != nil:
		return err
	}
	if !t.OK {
		if out.Reason, err = s.reason(r.Context(), t); err != nil {
			if r.Context().Err() != nil {
				return err
			}
			out.Reason = "not known now: the node is busy or does not answer"
		}
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

// shown is how many bytes of a foreign contract's data are shown.
const shown = 2048

// decoded is how many bytes of a call are decoded: lists in it may share their
// items, so that what comes of it is larger by far.
const decoded = 16 << 10

// decodeCall explains what a transaction called with.
func decodeCall(to *common.Address, input []byte) *Call {
	c := &Call{Bytes: len(input), Args: json.RawMessage(`null`), Data: hexutil.Bytes{}}
	if to == nil {
		c.Method = "create contract"
		return c
	}
	if len(input) == 0 {
		c.Method = "transfer"
		return c
	}
	selector := input[:min(4, len(input))]
	c.Method = "0x" + hex.EncodeToString(selector)
	contract, ours := index.Contracts()[*to]
	if !ours {
		c.Data = input[:min(len(input), shown)]
		return c
	}
	c.Contract = contract.Name
	if len(selector) < 4 {
		return c
	}
	m, err := contract.ABI.MethodById(selector)
	if err != nil {
		return c
	}
	c.Method = m.RawName
	if len(input) > decoded {
		return c // Args stays null
	}
	if values, err := m.Inputs.Unpack(input[4:]); err == nil {
		c.Args = index.Values(m.Inputs, values)
	}
	return c
}

// traceWithin is how long the node may take to run a transaction again.
const traceWithin = 10 * time.Second

// reason has the node run a failed transaction again to tell why.
func (s *Server) reason(ctx context.Context, t store.Tx) (string, error) {
	release, err := s.busy.Claim(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, traceWithin)
	defer cancel()
	var trace struct {
		Error  string        `json:"error"`
		Output hexutil.Bytes `json:"output"`
	}
	opts := map[string]any{"tracer": "callTracer", "tracerConfig": map[string]any{"onlyTopCall": true}, "timeout": traceWithin.String()}
	if err := s.Eth.Call(ctx, &trace, "debug_traceTransaction", t.Hash, opts); err != nil {
		return "the node does not keep the state to tell why, or does not trace for others", nil //nolint:nilerr // said to who asks
	}
	if trace.Error == "" {
		return "no reason given", nil
	}
	if trace.Error != "execution reverted" {
		return trace.Error, nil
	}
	return explain(trace.Output), nil
}

// explain words what a reverted call returned.
func explain(output hexutil.Bytes) string {
	if len(output) == 0 {
		return "reverted without a reason"
	}
	data, err := json.Marshal(output)
	if err != nil {
		return "reverted"
	}
	refused := predeploy.Explain(&chainclient.RPCError{Code: 3, Message: "execution reverted", Data: data})
	if e, ok := errors.AsType[*chainclient.RevertError](refused); ok {
		if advice := predeploy.Advice(e); advice != "" {
			return e.Text + ": " + advice
		}
		return e.Text
	}
	return "reverted"
}
