package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/siwe"
)

// with returns a client of the same coordinator with another key.
func (c *Client) with(key secret.Text) *Client {
	h := *c.http
	h.Header = h.Header.Clone()
	h.Header.Set("X-Api-Key", key.Reveal())
	return &Client{&h}
}

// Login signs in by EIP-4361 with an account's key. The token manages the account's keys for a while.
func (c *Client) Login(ctx context.Context, key receipt.Signer) (api.LoginResponse, error) {
	var n api.LoginNonce
	if _, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/login/nonce"}, &n); err != nil {
		return api.LoginResponse{}, fmt.Errorf("log in: %w", err)
	}
	base, err := url.Parse(c.http.Base())
	if err != nil {
		return api.LoginResponse{}, fmt.Errorf("log in: %w", err)
	}
	m := siwe.Message{
		Domain: base.Host, Address: key.Address(), Statement: "Sign in to manage API keys.", URI: base.String(), ChainID: n.ChainID, Nonce: n.Nonce, IssuedAt: time.Now(),
	}
	sig, err := siwe.Sign(key, m)
	if err != nil {
		return api.LoginResponse{}, fmt.Errorf("log in: %w", err)
	}
	var out api.LoginResponse
	if _, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/login", JSON: api.LoginRequest{Message: m.String(), Signature: sig}}, &out); err != nil {
		return api.LoginResponse{}, fmt.Errorf("log in: %w", err)
	}
	return out, nil
}

// SignedIn logs in and returns a client that has the token for its key.
func (c *Client) SignedIn(ctx context.Context, key receipt.Signer) (*Client, error) {
	r, err := c.Login(ctx, key)
	if err != nil {
		return nil, err
	}
	return c.with(secret.New(r.Token)), nil
}

// CreateKey makes an API key of the account. The coordinator shows it this once.
func (c *Client) CreateKey(ctx context.Context, r api.CreateKeyRequest) (api.CreateKeyResponse, error) {
	var out api.CreateKeyResponse
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/keys", JSON: r}, &out)
	return out, err
}

// Audit returns the newest records of what was done about the account.
func (c *Client) Audit(ctx context.Context, limit int) ([]api.AuditRecord, error) {
	list, err := get[api.AuditLog](ctx, c, "/v1/audit?limit="+strconv.Itoa(limit))
	return list.Records, err
}

// Admin is what an admin's key may do. Its methods show whose things are, and never their content.
type Admin struct{ c *Client }

// Admin returns what the client may do if its key is an admin's.
func (c *Client) Admin() Admin { return Admin{c} }

// Accounts lists the accounts that have or had a session.
func (a Admin) Accounts(ctx context.Context) ([]api.AdminAccount, error) {
	list, err := get[api.AdminAccounts](ctx, a.c, "/v1/admin/accounts")
	return list.Accounts, err
}

// ofAccount is a query for an account, or for all.
func ofAccount(account common.Address, limit int) string {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if account != (common.Address{}) {
		q.Set("account", account.Hex())
	}
	return "?" + q.Encode()
}

// Keys lists the newest API keys of an account, or of all for the zero account.
func (a Admin) Keys(ctx context.Context, account common.Address, limit int) ([]api.Key, error) {
	list, err := get[api.KeyList](ctx, a.c, "/v1/admin/keys"+ofAccount(account, limit))
	return list.Keys, err
}

// Revoke forgets anybody's key.
func (a Admin) Revoke(ctx context.Context, id common.Hash) error {
	_, err := a.c.http.Do(ctx, httpx.Request{Method: http.MethodDelete, Path: "/v1/admin/keys/" + id.Hex()}, nil)
	return err
}

// Miners lists the miners with their accounts.
func (a Admin) Miners(ctx context.Context) ([]api.AdminMiner, error) {
	list, err := get[api.AdminMiners](ctx, a.c, "/v1/admin/miners")
	return list.Miners, err
}

// Hold decides about a miner: none, drain or block.
func (a Admin) Hold(ctx context.Context, miner common.Address, hold string) error {
	_, err := a.c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/admin/miners/" + miner.Hex() + "/hold", JSON: api.HoldRequest{Hold: hold}}, nil)
	return err
}

// Jobs lists the open jobs, or the newest of a session.
func (a Admin) Jobs(ctx context.Context, session uint64, limit int) ([]api.AdminJob, error) {
	path := "/v1/admin/jobs?limit=" + strconv.Itoa(limit)
	if session != 0 {
		path += "&session=" + strconv.FormatUint(session, 10)
	}
	list, err := get[api.AdminJobs](ctx, a.c, path)
	return list.Jobs, err
}

// Ledger returns the books, added up.
func (a Admin) Ledger(ctx context.Context) (api.AdminLedger, error) {
	return get[api.AdminLedger](ctx, a.c, "/v1/admin/ledger")
}

// Reconcile has ledger and chain compared now, and decodes what was found into out.
func (a Admin) Reconcile(ctx context.Context, out any) error {
	_, err := a.c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/admin/reconcile", Timeout: time.Minute}, out)
	return err
}

// Audit returns the newest records about an account, or about all for the zero account.
func (a Admin) Audit(ctx context.Context, account common.Address, limit int) ([]api.AuditRecord, error) {
	list, err := get[api.AuditLog](ctx, a.c, "/v1/admin/audit"+ofAccount(account, limit))
	return list.Records, err
}
