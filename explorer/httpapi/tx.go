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
	show, err := s.showing(r.Context(), []store.Tx{t})
	if err != nil {
		return err
	}
	out := TxDetail{Tx: show(t), Events: each(said, showEvent), Logs: []Log{}}
	var to []spoken // what may be understood of whom it called
	var raw struct {
		Input hexutil.Bytes `json:"input"`
		Logs  []index.Log   `json:"logs"`
	}
	switch err := s.Comet.Call(r.Context(), &raw, "get_tx", map[string]any{"hash": h.Hex()}); {
	case err == nil:
		known, err := s.speaks(r.Context(), named(t.To, raw.Logs))
		if err != nil {
			return err
		}
		if t.To != nil {
			to = known[*t.To]
		}
		if out.Call = decodeCall(t.To, raw.Input, to); out.Call.Match != "" {
			out.Method = out.Call.Method
		}
		out.Logs = decodeLogs(raw.Logs, known)
	case r.Context().Err() != nil:
		return err
	}
	if !t.OK {
		if out.Reason, err = s.reason(r.Context(), t, to); err != nil {
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

// decoded is how many bytes of a call are decoded.
const decoded = 16 << 10

// named lists the contracts that a transaction called and those that spoke in it.
func named(to *common.Address, logs []index.Log) (list []common.Address) {
	if to != nil {
		list = append(list, *to)
	}
	for _, l := range logs {
		list = append(list, l.Address)
	}
	return list
}

// decodeCall explains what a transaction called with, by the interfaces of whom it called.
func decodeCall(to *common.Address, input []byte, known []spoken) *Call {
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
	if len(known) > 0 {
		c.Contract, c.Match = known[0].Name, known[0].match
	}
	if c.Match != matchNetwork {
		c.Data = input[:min(len(input), shown)]
	}
	if len(selector) < 4 {
		return c
	}
	for _, v := range known {
		m, err := v.ABI.MethodById(selector)
		if err != nil {
			continue
		}
		c.Contract, c.Match, c.Method = v.Name, v.match, m.RawName
		if len(input) <= decoded {
			if values, err := index.Unpack(m.Inputs, input[4:]); err == nil {
				c.Args = index.Values(m.Inputs, values)
			}
		}
		return c
	}
	return c
}

// decodeLogs shows the logs of contracts that are not the network's, with what is
// understood of them.
func decodeLogs(logs []index.Log, known map[common.Address][]spoken) []Log {
	out := []Log{}
	for _, l := range logs {
		if _, ours := index.Contracts()[l.Address]; ours {
			continue
		}
		one := Log{Address: l.Address, Topics: l.Topics, Data: l.Data[:min(len(l.Data), shown)], Args: json.RawMessage(`null`)}
		for _, v := range known[l.Address] {
			if len(l.Data) > decoded {
				break
			}
			if e, err := index.DecodeAs(v.Contract, l); err == nil {
				one.Contract, one.Match, one.Event, one.Args = v.Name, v.match, e.Name, e.Args
				break
			}
		}
		out = append(out, one)
	}
	return out
}

// traceWithin is how long the node may take to run a transaction again.
const traceWithin = 10 * time.Second

// reason has the node run a failed transaction again to tell why.
func (s *Server) reason(ctx context.Context, t store.Tx, to []spoken) (string, error) {
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
	return explain(trace.Output, to), nil
}

// explain words what a reverted call returned.
func explain(output hexutil.Bytes, to []spoken) string {
	if len(output) == 0 {
		return "reverted without a reason"
	}
	data, err := json.Marshal(output)
	if err != nil {
		return "reverted"
	}
	report := &chainclient.RPCError{Code: 3, Message: "execution reverted", Data: data}
	for _, v := range to {
		if v.match == matchNetwork || len(output) < 4 || len(output) > decoded {
			continue
		}
		known, err := v.ABI.ErrorByID([4]byte(output))
		if err != nil {
			continue
		}
		if _, err := index.Unpack(known.Inputs, output[4:]); err != nil {
			continue
		}
		if e, ok := errors.AsType[*chainclient.RevertError](chainclient.Explain(report, v.ABI)); ok {
			return e.Text
		}
	}
	refused := predeploy.Explain(report)
	if e, ok := errors.AsType[*chainclient.RevertError](refused); ok {
		if advice := predeploy.Advice(e); advice != "" {
			return e.Text + ": " + advice
		}
		return e.Text
	}
	return "reverted"
}
