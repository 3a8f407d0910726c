package coordinator_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/siwe"
)

// message is what a wallet signs to log in.
func (h *house) message(a account, change func(*siwe.Message)) api.LoginRequest {
	h.t.Helper()
	n := must[api.LoginNonce](h, 200, "", "POST", "/v1/login/nonce", nil)
	m := siwe.Message{
		Domain: "localhost:5173", Address: a.Address(), Statement: "Sign in to AITBC.", URI: "http://localhost:5173/keys", ChainID: n.ChainID,
		Nonce: n.Nonce, IssuedAt: time.Now(),
	}
	change(&m)
	sig, err := siwe.Sign(a, m)
	if err != nil {
		h.t.Fatal(err)
	}
	return api.LoginRequest{Message: m.String(), Signature: sig}
}

func (h *house) login(a account) string {
	h.t.Helper()
	return must[api.LoginResponse](h, 200, "", "POST", "/v1/login", h.message(a, func(*siwe.Message) {})).Token
}

func (h *house) newKey(token string, r api.CreateKeyRequest) api.CreateKeyResponse {
	h.t.Helper()
	return must[api.CreateKeyResponse](h, 201, token, "POST", "/v1/keys", r)
}

func TestWalletLogsInOnceWithANonce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.message(clientKey, func(*siwe.Message) {})
	in := must[api.LoginResponse](h, 200, "", "POST", "/v1/login", first)
	if in.Account != clientKey.Address() || in.Admin || time.Until(time.UnixMilli(in.ExpiresAt)) > time.Hour || time.Until(time.UnixMilli(in.ExpiresAt)) < 59*time.Minute {
		t.Fatalf("%+v", in)
	}
	h.refused(403, "forbidden", "", "POST", "/v1/login", first)
	h.restart()
	h.refused(403, "forbidden", "", "POST", "/v1/login", first)
	if len(must[api.KeyList](h, 200, in.Token, "GET", "/v1/keys", nil).Keys) != 2 { // its first key, and the token
		t.Fatal("a token does not list the keys")
	}
	h.refused(403, "forbidden", in.Token, "GET", "/v1/account", nil)
	h.refused(403, "forbidden", in.Token, "POST", "/v1/jobs", h.order(func(*api.SubmitRequest) {}))
	soon := must[api.LoginResponse](h, 200, "", "POST", "/v1/login", h.message(clientKey, func(m *siwe.Message) { m.Expires = time.Now().Add(time.Minute) }))
	if time.Until(time.UnixMilli(soon.ExpiresAt)) > time.Minute {
		t.Fatalf("the token outlives the message: %+v", soon)
	}
	if !must[api.LoginResponse](h, 200, "", "POST", "/v1/login", h.message(coordKey, func(*siwe.Message) {})).Admin {
		t.Fatal("the coordinator's own account is no admin")
	}
}

func TestLoginIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, change := range map[string]func(*siwe.Message){
		"another chain":      func(m *siwe.Message) { m.ChainID++ },
		"another domain":     func(m *siwe.Message) { m.Domain = "evil.example" },
		"another URI":        func(m *siwe.Message) { m.URI = "https://evil.example/x" },
		"no web address":     func(m *siwe.Message) { m.URI = "ftp://localhost/x" },
		"old":                func(m *siwe.Message) { m.IssuedAt = time.Now().Add(-6 * time.Minute) },
		"of the future":      func(m *siwe.Message) { m.IssuedAt = time.Now().Add(3 * time.Minute) },
		"expired":            func(m *siwe.Message) { m.Expires = time.Now().Add(-time.Second) },
		"not yet":            func(m *siwe.Message) { m.NotBefore = time.Now().Add(time.Hour) },
		"own nonce":          func(m *siwe.Message) { m.Nonce = "0123456789abcdef" },
		"altered nonce":      func(m *siwe.Message) { m.Nonce = strings.Repeat("0", 16) + m.Nonce[16:] },
		"nonce in capitals":  func(m *siwe.Message) { m.Nonce = strings.ToUpper(m.Nonce) },
		"another's identity": func(m *siwe.Message) { m.Address = coordKey.Address() },
	} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			h.refused(403, "forbidden", "", "POST", "/v1/login", h.message(clientKey, change))
		})
	}
	h.t = t
	h.refused(400, "invalid_argument", "", "POST", "/v1/login", api.LoginRequest{Message: "let me in", Signature: receipt.Signature{1}})
	for range 60 {
		h.call("", "POST", "/v1/login/nonce", nil)
	}
	h.refused(429, "rate_limited", "", "POST", "/v1/login/nonce", nil)
}

// A key that was overheard on its way opens nothing: what was signed counts once.
func TestSignedRequestsAreUsedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := api.KeyRequest{Client: clientKey.Address(), IssuedAt: issuedAt()}
	var err error
	if r.Signature, err = receipt.Sign(clientKey, domain, receipt.KeyRequest{Client: r.Client, Session: 1, IssuedAt: r.IssuedAt}); err != nil {
		t.Fatal(err)
	}
	must[api.KeyResponse](h, 200, "", "POST", "/v1/sessions/1/key", r)
	h.refused(409, "conflict", "", "POST", "/v1/sessions/1/key", r)
	m := h.miner(1)
	login := m.login(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	must[api.RegisterResponse](h, 200, "", "POST", "/v1/miners/register", login)
	h.refused(409, "conflict", "", "POST", "/v1/miners/register", login)
	h.restart()
	h.refused(409, "conflict", "", "POST", "/v1/sessions/1/key", r)
	h.refused(409, "conflict", "", "POST", "/v1/miners/register", login)
}

func TestScopesAndWhoManagesKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	token := h.login(clientKey)
	read := h.newKey(token, api.CreateKeyRequest{Scope: "read", Name: "board", ExpiresInSeconds: 3600})
	if read.Session != 1 || read.Scope != "read" || !read.Made || read.ExpiresAt == 0 || read.Name != "board" {
		t.Fatalf("%+v", read)
	}
	id := h.submit("hello")
	if must[api.Job](h, 200, read.APIKey, "GET", "/v1/jobs/"+id.Hex(), nil).JobID != id {
		t.Fatal("a reading key does not read")
	}
	must[api.Account](h, 200, read.APIKey, "GET", "/v1/account", nil)
	h.refused(403, "forbidden", read.APIKey, "POST", "/v1/jobs", h.order(func(*api.SubmitRequest) {}))
	h.refused(403, "forbidden", read.APIKey, "DELETE", "/v1/jobs/"+id.Hex(), nil)
	h.refused(403, "forbidden", read.APIKey, "GET", "/v1/keys", nil)
	spend := h.newKey(h.key, api.CreateKeyRequest{Scope: "client"}) // a wallet signed for this key, too
	h.refused(403, "forbidden", spend.APIKey, "POST", "/v1/keys", api.CreateKeyRequest{Scope: "client"})
	h.refused(403, "forbidden", spend.APIKey, "GET", "/v1/keys", nil)
	h.refused(403, "forbidden", spend.APIKey, "GET", "/v1/audit", nil)
	h.refused(403, "forbidden", spend.APIKey, "DELETE", "/v1/keys/"+read.ID.Hex(), nil)
	must[map[string]string](h, 200, spend.APIKey, "DELETE", "/v1/keys/"+spend.ID.Hex(), nil) // itself
	h.refused(401, "unauthorized", spend.APIKey, "GET", "/v1/account", nil)
	for _, bad := range []api.CreateKeyRequest{
		{},
		{Scope: "miner"},
		{Scope: "login"},
		{Scope: "read", Budget: &api.Budget{Total: market.Units(1)}},
		{Scope: "client", Name: strings.Repeat("x", 101)},
		{Scope: "client", ExpiresInSeconds: 1 << 60},
		{Scope: "client", RatePerMinute: 2_000_000},
	} {
		h.refused(400, "invalid_argument", token, "POST", "/v1/keys", bad)
	}
	h.refused(404, "not_found", token, "POST", "/v1/keys", api.CreateKeyRequest{Scope: "client", Session: 9})
	h.refused(403, "forbidden", token, "POST", "/v1/keys", api.CreateKeyRequest{Scope: "admin"})
	h.refused(403, "forbidden", h.key, "POST", "/v1/keys", api.CreateKeyRequest{Scope: "client", Session: 2})
	h.refused(403, "forbidden", m.api, "POST", "/v1/keys", api.CreateKeyRequest{Scope: "client"})
	h.refused(404, "not_found", h.login(newAccount(9)), "POST", "/v1/keys", api.CreateKeyRequest{Scope: "client"})
	short := h.newKey(token, api.CreateKeyRequest{Scope: "client", ExpiresInSeconds: 1})
	h.eventually("the end of a key's life", func() bool {
		status, _ := h.call(short.APIKey, "GET", "/v1/account", nil)
		return status == 401
	})
}

func TestBudgetOfAKeyIsHard(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	most := market.Units(200)
	key := h.newKey(h.login(clientKey), api.CreateKeyRequest{Scope: "client", Budget: &api.Budget{Total: market.Units(500), Day: market.Units(450)}})
	order := func() api.SubmitRequest {
		return h.order(func(r *api.SubmitRequest) { r.MaxPrice = &most })
	}
	one := must[api.SubmitResponse](h, 202, key.APIKey, "POST", "/v1/jobs", order()).JobID
	two := must[api.SubmitResponse](h, 202, key.APIKey, "POST", "/v1/jobs", order()).JobID
	h.refused(402, "insufficient_funds", key.APIKey, "POST", "/v1/jobs", order())
	h.refused(402, "insufficient_funds", key.APIKey, "POST", "/v1/jobs", order())
	must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", order()) // another key of the session may
	a := m.claim()
	m.finish(a, "a", "b") // costs less than it might have
	done := h.job(a.JobID)
	must[api.Job](h, 200, key.APIKey, "DELETE", "/v1/jobs/"+two.Hex(), nil)
	list := must[api.KeyList](h, 200, h.key, "GET", "/v1/keys", nil)
	if list.Keys[0].Spent == nil || list.Keys[0].Spent.Total != done.Price || list.Keys[0].Spent.Day != done.Price || a.JobID != one {
		t.Fatalf("%+v, the job cost %s", list.Keys[0], done.Price)
	}
	must[api.SubmitResponse](h, 202, key.APIKey, "POST", "/v1/jobs", order())
	h.balanced()
}

func TestRateOfAKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.newKey(h.login(clientKey), api.CreateKeyRequest{Scope: "read", RatePerMinute: 3})
	for range 3 {
		must[api.Account](h, 200, key.APIKey, "GET", "/v1/account", nil)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.srv.URL+"/v1/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key.APIKey)
	resp, err := h.srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode != http.StatusTooManyRequests || err != nil || n < 1 || n > 20 {
		t.Fatalf("%d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	must[api.Account](h, 200, h.key, "GET", "/v1/account", nil)
}

func TestSessionsArePreparedAtARate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	other := newAccount(77)
	for range 30 {
		must[api.PrepareResponse](h, 200, "", "POST", "/v1/sessions/prepare", api.PrepareRequest{Client: other.Address()})
	}
	h.refused(429, "rate_limited", "", "POST", "/v1/sessions/prepare", api.PrepareRequest{Client: other.Address()})
	must[api.PrepareResponse](h, 200, "", "POST", "/v1/sessions/prepare", api.PrepareRequest{Client: newAccount(78).Address()})
	for n := range 60 { // whoever varies the account is one address still
		h.call("", "POST", "/v1/sessions/prepare", api.PrepareRequest{Client: newAccount(uint64(100 + n)).Address()})
	}
	h.refused(429, "rate_limited", "", "POST", "/v1/sessions/prepare", api.PrepareRequest{Client: newAccount(500).Address()})
}

func TestAuditLogSaysWhoDidWhat(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := h.login(clientKey)
	key := h.newKey(token, api.CreateKeyRequest{Scope: "client"})
	must[map[string]string](h, 200, token, "DELETE", "/v1/keys/"+key.ID.Hex(), nil)
	log := must[api.AuditLog](h, 200, token, "GET", "/v1/audit", nil).Records
	var got []string
	for _, r := range log {
		if r.Account != clientKey.Address() || r.Actor != clientKey.Address() || r.At == 0 || !strings.HasPrefix(r.Subject, "key 0x") {
			t.Fatalf("%+v", r)
		}
		got = append(got, r.Action)
	}
	if want := "key_revoked key_made login key_made"; strings.Join(got, " ") != want {
		t.Fatalf("%v, want %s", got, want)
	}
	if !strings.HasPrefix(log[0].Via, "key 0x") || log[2].Via != "wallet" || log[0].Subject != "key "+key.ID.Hex() {
		t.Fatalf("%+v", log)
	}
	if rest := must[api.AuditLog](h, 200, token, "GET", fmt.Sprintf("/v1/audit?before=%d&limit=1", log[0].N), nil).Records; len(rest) != 1 || rest[0].N != log[1].N {
		t.Fatalf("%+v", rest)
	}
	all, err := h.store.Records(t.Context(), common.Address{}, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := ledger.CheckChain(func(yield func(ledger.Record, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}); err != nil || n != 4 {
		t.Fatalf("%d records: %v", n, err)
	}
}
