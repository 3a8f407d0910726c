// Package client talks to a coordinator as a client of the market does: it
// submits jobs, follows them, and fetches receipts.
//
// Every method returns an *apierr.Error for what the coordinator refuses, and
// another error when it cannot be reached.
package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/secret"
)

// Client is a client of one coordinator, safe for concurrent use.
type Client struct{ http *httpx.Client }

// New returns a client of the coordinator at base, such as
// http://127.0.0.1:18000. The key may be empty for what needs none.
func New(base string, key secret.Text) (*Client, error) {
	h, err := httpx.NewClient(base)
	if err != nil {
		return nil, err
	}
	if !key.Empty() {
		h.Header.Set("X-Api-Key", key.Reveal())
	}
	return &Client{h}, nil
}

// Submit orders a job. Repeating it with the same idempotency key gives the
// same job; the key may be empty.
func (c *Client) Submit(ctx context.Context, r api.SubmitRequest, idempotencyKey string) (api.SubmitResponse, error) {
	var out api.SubmitResponse
	req := httpx.Request{Method: http.MethodPost, Path: "/v1/jobs", JSON: r}
	if idempotencyKey != "" {
		req.Header = http.Header{"Idempotency-Key": {idempotencyKey}}
	}
	_, err := c.http.Do(ctx, req, &out)
	return out, err
}

// Job returns a job as it stands.
func (c *Client) Job(ctx context.Context, id common.Hash) (api.Job, error) {
	return get[api.Job](ctx, c, "/v1/jobs/"+id.Hex())
}

// Jobs returns the client's jobs, the newest first.
func (c *Client) Jobs(ctx context.Context) ([]api.Job, error) {
	list, err := get[struct{ Jobs []api.Job }](ctx, c, "/v1/jobs")
	return list.Jobs, err
}

// Result returns the output of a job that has ended. Before that the error has
// the code too_early.
func (c *Client) Result(ctx context.Context, id common.Hash) (api.Result, error) {
	return get[api.Result](ctx, c, "/v1/jobs/"+id.Hex()+"/result")
}

// Cancel asks for a job to end now. What was delivered is still paid for.
func (c *Client) Cancel(ctx context.Context, id common.Hash) (api.Job, error) {
	var out api.Job
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodDelete, Path: "/v1/jobs/" + id.Hex()}, &out)
	return out, err
}

// Explain says why a job is not running, for each miner.
func (c *Client) Explain(ctx context.Context, id common.Hash) (api.Explanation, error) {
	return get[api.Explanation](ctx, c, "/v1/jobs/"+id.Hex()+"/explain")
}

// Receipts returns the receipt bundles of a job, byte for byte as they were sent.
func (c *Client) Receipts(ctx context.Context, job common.Hash) ([]json.RawMessage, error) {
	list, err := get[struct{ Receipts []json.RawMessage }](ctx, c, "/v1/receipts?job_id="+url.QueryEscape(job.Hex()))
	return list.Receipts, err
}

// Receipt returns one receipt bundle, byte for byte as it was sent.
func (c *Client) Receipt(ctx context.Context, id common.Hash) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "/v1/receipts/"+id.Hex())
}

// Miners returns who is there and what they sell.
func (c *Client) Miners(ctx context.Context) ([]api.Miner, error) {
	list, err := get[api.MinerList](ctx, c, "/v1/miners")
	return list.Miners, err
}

// Models returns what is on offer.
func (c *Client) Models(ctx context.Context) ([]api.Model, error) {
	list, err := get[api.ModelList](ctx, c, "/v1/models")
	return list.Data, err
}

// Network returns what a client must know to pay.
func (c *Client) Network(ctx context.Context) (api.Network, error) {
	return get[api.Network](ctx, c, "/v1/network")
}

// Account returns the session that the API key spends from.
func (c *Client) Account(ctx context.Context) (api.Account, error) {
	return get[api.Account](ctx, c, "/v1/account")
}

// Keys lists the API keys of the account.
func (c *Client) Keys(ctx context.Context) ([]api.Key, error) {
	list, err := get[api.KeyList](ctx, c, "/v1/keys")
	return list.Keys, err
}

// RevokeKey forgets an API key of the account, by its id.
func (c *Client) RevokeKey(ctx context.Context, id common.Hash) error {
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodDelete, Path: "/v1/keys/" + id.Hex()}, nil)
	return err
}

// Prepare asks for the key that a new session must name as its spender.
func (c *Client) Prepare(ctx context.Context, client common.Address) (api.PrepareResponse, error) {
	var out api.PrepareResponse
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/sessions/prepare", JSON: api.PrepareRequest{Client: client}}, &out)
	return out, err
}

// SessionKey exchanges a signed request for the API key of a session.
func (c *Client) SessionKey(ctx context.Context, session uint64, r api.KeyRequest) (api.KeyResponse, error) {
	var out api.KeyResponse
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/sessions/" + strconv.FormatUint(session, 10) + "/key", JSON: r}, &out)
	return out, err
}

// Healthy returns nil if the coordinator answers that it is well.
func (c *Client) Healthy(ctx context.Context) error {
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/health", Timeout: 2 * time.Second}, nil)
	return err
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var out T
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodGet, Path: path}, &out)
	return out, err
}
