package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// door is the Ethereum JSON-RPC of a node.
type door struct {
	url  string
	http *http.Client
}

// answerLimit bounds what is read of an answer: a block of hashes is far below it.
const answerLimit = 64 << 20

func newDoor(url string, connections int) *door {
	return &door{url: url, http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}, Timeout: time.Minute,
	}}
}

type call struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// ask sends the body and decodes what comes back.
func (d *door) ask(ctx context.Context, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := d.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask node: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	out, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("ask node: %w", err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("node answered %.200q: %w", out, err)
	}
	return nil
}

// one makes a call and decodes its result.
func (d *door) one(ctx context.Context, into any, method string, params ...any) error {
	var r reply
	if err := d.ask(ctx, call{"2.0", 1, method, params}, &r); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if r.Error != nil {
		return fmt.Errorf("%s: node says %s", method, r.Error.Message)
	}
	return json.Unmarshal(r.Result, into)
}

// send gives transactions to the pool. The i-th answer is "" or why the i-th was refused.
func (d *door) send(ctx context.Context, raws []string) ([]string, error) {
	calls := make([]call, len(raws))
	for i, raw := range raws {
		calls[i] = call{"2.0", i, "eth_sendRawTransaction", []any{raw}}
	}
	replies := make([]reply, 1)
	var err error
	if len(calls) == 1 {
		err = d.ask(ctx, calls[0], &replies[0])
	} else {
		err = d.ask(ctx, calls, &replies)
	}
	if err != nil {
		return nil, err
	}
	out := make([]string, len(raws))
	for i := range out {
		out[i] = "no answer"
	}
	for _, r := range replies {
		if r.ID < 0 || r.ID >= len(out) {
			return nil, fmt.Errorf("node answered call %d, which was not made", r.ID)
		}
		if out[r.ID] = ""; r.Error != nil {
			out[r.ID] = r.Error.Message
		}
	}
	return out, nil
}
