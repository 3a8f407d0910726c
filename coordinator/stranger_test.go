package coordinator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator/httpapi"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// openRoutes answer without a key. Whoever adds one says here that it shows nobody's data.
var openRoutes = []string{
	"GET /health", "GET /openapi.json", "GET /metrics", "GET /v1/network", "GET /v1/miners", "GET /v1/models",
	"POST /v1/sessions/prepare", "POST /v1/sessions/{session}/key", "POST /v1/login/nonce", "POST /v1/login", "POST /v1/miners/register",
}

// strangersBodies are what a stranger sends to routes that read a body. A new route needs an entry: it must get as far as it can.
func strangersBodies(h *house, victim belongings) map[string]any {
	return map[string]any{
		"POST /v1/sessions/prepare":            api.PrepareRequest{Client: clientKey.Address()},
		"POST /v1/sessions/{session}/key":      api.KeyRequest{Client: clientKey.Address(), IssuedAt: uint64(time.Now().Unix()), Signature: receipt.Signature{1}},
		"POST /v1/login/nonce":                 nil,
		"POST /v1/login":                       api.LoginRequest{Message: "x", Signature: receipt.Signature{1}},
		"POST /v1/keys":                        api.CreateKeyRequest{Scope: "client", Session: 1},
		"POST /v1/jobs":                        h.order(func(*api.SubmitRequest) {}),
		"POST /v1/jobs/quote":                  api.QuoteRequest{Model: modelName, PromptBound: 64},
		"POST /v1/sessions/{session}/vouchers": api.VoucherRequest{Through: 1, Cumulative: market.Units(1), Signature: receipt.Signature{1}},
		"POST /v1/chat/completions":            `{"model":"nobody's","messages":[{"role":"user","content":"x"}]}`,
		"POST /v1/completions":                 `{"model":"nobody's","prompt":"x"}`,
		"POST /v1/embeddings":                  `{"model":"nobody's","input":"x"}`,
		"POST /v1/messages":                    `{"model":"nobody's","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`,
		"POST /v1/files":                       "x",
		"POST /v1/batches":                     map[string]any{"input_file_id": victim.file, "endpoint": "/v1/chat/completions", "completion_window": "24h"},
		"POST /v1/batches/{id}/cancel":         nil,
		"POST /v1/miners/register":             victim.login,
		"POST /v1/miners/heartbeat":            api.HeartbeatRequest{},
		"POST /v1/miners/drain":                nil,
		"POST /v1/miners/jobs/{id}/stream":     lines("x"),
		"POST /v1/miners/jobs/{id}/result":     api.ResultRequest{Lease: "x", FinishReason: "stop"},
		"POST /v1/miners/jobs/{id}/failure":    api.FailureRequest{Lease: "x", Code: "x"},
		"POST /v1/admin/miners/{miner}/hold":   api.HoldRequest{Hold: "block"},
		"POST /v1/admin/reconcile":             nil,
	}
}

// belongings are what the test knows of whom strangers shall not see.
type belongings struct {
	ids     []string // of what it has
	secrets []string
	file    string
	login   api.RegisterRequest
}

// Every route is asked by nobody, by another client with each kind of key, and by another's miner, for what is one
// client's: none shows any of it or changes it.
func TestNoRouteShowsAnothersData(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	prompt, answer := "planted prompt 7c1e", "planted answer 9d2f"
	id := h.submit(prompt)
	m.finish(m.claim(), answer)
	done := h.until(id, "settled", func(j api.Job) bool { return j.Payment == market.Settled })
	waiting := h.submit(prompt)
	a := m.claim()
	token := h.login(clientKey)
	made := h.newKey(token, api.CreateKeyRequest{Scope: "client", Name: "planted name"})
	f := h.put(chats(1))
	kept := h.batch(h.key, f, "/v1/chat/completions")
	v := belongings{
		file:    f.ID,
		ids:     []string{f.ID, kept.ID, id.Hex(), done.ReceiptID.Hex(), waiting.Hex(), made.ID.Hex()},
		secrets: []string{f.ID[5:], kept.ID[6:], prompt, answer, h.key, m.api, token, made.APIKey, "planted", strings.ToLower(clientKey.Address().Hex())[2:], id.Hex()[2:], waiting.Hex()[2:], made.ID.Hex()[2:], a.Lease},
		login:   m.login(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates}),
	}
	v.login.Signature = receipt.Signature{1}
	stranger := newAccount(50)
	client := h.openSessionOf(stranger, 2, market.Coins(1))
	login := h.login(stranger)
	read := h.newKey(login, api.CreateKeyRequest{Scope: "read"}).APIKey
	miner := h.miner(2)
	miner.register(api.Offer{Model: "another's", Digest: [32]byte{9}, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	h.eventually("a line that waits", func() bool {
		return len(must[struct{ Jobs []api.Job }](h, 200, h.key, "GET", "/v1/jobs", nil).Jobs) == 3
	})
	before := h.account()
	bodies := strangersBodies(h, v)
	for _, r := range httpapi.Routes() {
		name := r.Method + " " + r.Path
		body, known := bodies[name]
		if r.Method == http.MethodPost && !known {
			t.Errorf("%s: no body in strangersBodies: say what a stranger sends", name)
		}
		delete(bodies, name)
		m.beat(waiting) // it is at work all the while
		free := false
		for _, open := range openRoutes {
			free = free || open == name
		}
		for who, key := range map[string]string{"nobody": "", "a client": client, "a login": login, "a reader": read, "a miner": miner.api} {
			for _, want := range v.ids {
				path := strings.NewReplacer("{id}", want, "{session}", "1", "{miner}", m.key.Address().Hex()).Replace(r.Path)
				if r.Method == http.MethodGet {
					path += fmt.Sprintf("?job_id=%s&session=1&account=%s&batch_id=%s", want, clientKey.Address().Hex(), want)
				}
				status, raw := h.call(key, r.Method, path, body)
				if status >= 500 && status != 503 || key == "" && !free && status != 401 && status != 429 {
					t.Errorf("%s, %s: %d %s", name, who, status, raw)
				}
				for _, secret := range v.secrets {
					if strings.Contains(strings.ToLower(string(raw)), strings.ToLower(secret)) {
						t.Errorf("%s shows %s %q: %s", name, who, secret, raw)
					}
				}
				if !strings.Contains(r.Path, "{id}") && r.Method != http.MethodGet {
					break // the same again
				}
			}
		}
	}
	for name := range bodies {
		t.Errorf("%s is no route", name)
	}
	if after := h.account(); after != before {
		t.Errorf("the account was %+v and is %+v", before, after)
	}
	if j := h.job(waiting); j.State != market.Assigned && j.State != market.Running {
		t.Errorf("the job is %s", j.State)
	}
	must[api.Account](h, 200, made.APIKey, "GET", "/v1/account", nil)
	m.finish(a, "still", " its", " own")
}
