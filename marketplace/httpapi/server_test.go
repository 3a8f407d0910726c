package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/marketplace/history"
	"github.com/aitbc/aitbc/marketplace/httpapi"
	"github.com/aitbc/aitbc/marketplace/sqlite"
)

// rich is the account that has coins.
const rich = "0x0700000000000000000000000000000000000000"

// faucet gives once to each account, and then refuses.
type faucet map[common.Address]bool

func (f faucet) Give(_ context.Context, to common.Address) (market.Amount, error) {
	if f[to] {
		return market.Amount{}, fmt.Errorf("send: %w", &chainclient.RevertError{Name: "TooSoon", Text: "TooSoon(next 77)"})
	}
	f[to] = true
	return market.Coins(5), nil
}

type world struct {
	t     *testing.T
	url   string
	store *sqlite.Store
}

// start serves a marketplace whose coordinator, explorer and node say what they were asked.
func start(t *testing.T, gives httpapi.Giver) *world {
	t.Helper()
	said := func(name string) *httpx.Client {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"of":%q,"asked":"%s %s","key":%q,"cookie":%q}`, name, r.Method, r.URL, r.Header.Get("X-Api-Key"), r.Header.Get("Cookie"))
		}))
		t.Cleanup(s.Close)
		c, err := httpx.NewClient(s.URL)
		must(t, err)
		return c
	}
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params []any           `json:"params"`
		}
		must(t, json.NewDecoder(r.Body).Decode(&q))
		if q.Method == "eth_getBalance" {
			balance := "0x0"
			if q.Params[0] == rich {
				balance = "0x7"
			}
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%q}`, q.ID, balance)
			return
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%q}`, q.ID, q.Method)
	}))
	t.Cleanup(node.Close)
	eth, err := chainclient.New(node.URL)
	must(t, err)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "h.db"))
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	server := httpapi.New(ctx, httpapi.Config{
		Eth: eth, Coordinator: said("coordinator"), Explorer: said("explorer"), History: store, Page: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") }),
		Hosts: []string{"market.example"}, APIURL: "https://api.example", Giver: gives, Version: "test",
	})
	s := httptest.NewServer(server.Handler())
	t.Cleanup(s.Close)
	t.Cleanup(cancel)
	return &world{t, s.URL, store}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) ask(method, path, host, body string) (int, http.Header, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	must(w.t, err)
	r.Header.Set("X-Api-Key", "the-client")
	r.Header.Set("Cookie", "a=b")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if host != "" {
		r.Host = host
	}
	resp, err := http.DefaultClient.Do(r)
	must(w.t, err)
	defer resp.Body.Close() //nolint:errcheck // a test ends here
	b, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp.StatusCode, resp.Header, string(b)
}

func TestOnlyWhatThePageNeedsIsPassedOn(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	job := "0x" + strings.Repeat("ab", 32)
	for _, c := range []struct {
		method, path string
		want         int
		asked        string
	}{
		{"GET", "/coordinator/v1/miners", 200, "GET /v1/miners"},
		{"GET", "/coordinator/v1/receipts?job_id=" + job, 200, "GET /v1/receipts?job_id=" + job},
		{"POST", "/coordinator/v1/jobs", 200, "POST /v1/jobs"},
		{"DELETE", "/coordinator/v1/jobs/" + job, 200, "DELETE /v1/jobs/" + job},
		{"POST", "/coordinator/v1/sessions/7/key", 200, "POST /v1/sessions/7/key"},
		{"GET", "/coordinator/v1/jobs/a%2F..%2F..%2Fadmin%2Fkeys", 200, "GET /v1/jobs/a%2F..%2F..%2Fadmin%2Fkeys"}, // one name, there as here
		{"GET", "/explorer/api/proposals", 200, "GET /api/proposals"},
		{"GET", "/coordinator/v1/admin/keys", 404, ""},
		{"GET", "/coordinator/v1/jobs/../admin/keys", 404, ""},
		{"POST", "/coordinator/v1/miners/register", 404, ""},
		{"GET", "/coordinator/metrics", 404, ""},
		{"PUT", "/coordinator/v1/jobs", 404, ""},
		{"POST", "/explorer/api/proposals", 404, ""},
		{"POST", "/explorer/node/eth", 404, ""},
		{"GET", "/api/nothing", 404, ""},
		{"GET", "/stake", 200, ""},
	} {
		body := ""
		if c.method == "POST" {
			body = "{}"
		}
		status, _, text := w.ask(c.method, c.path, "", body)
		if status != c.want || (c.asked != "" && !strings.Contains(text, `"asked":"`+c.asked+`","key":"the-client","cookie":""`)) {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, status, text, c.want)
		}
	}
	for method, want := range map[string]int{"eth_call": 200, "eth_sendRawTransaction": 200, "eth_sendTransaction": 403, "eth_accounts": 403, "debug_setHead": 403, "admin_peers": 403} {
		if status, _, body := w.ask("POST", "/node/eth", "", `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":[]}`); status != want {
			t.Errorf("%s: %d %s, want %d", method, status, body, want)
		}
	}
}

func TestNoAnswerMayRunOrReachAnythingElseAndOnlyItsNamesAreServed(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, path := range []string{"/", "/health", "/api/config", "/api/nothing", "/coordinator/v1/miners"} {
		_, header, _ := w.ask("GET", path, "market.example", "")
		policy := header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "connect-src 'self'") || strings.Contains(policy, "unsafe") ||
			header.Get("Access-Control-Allow-Origin") != "" || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, header)
		}
		if status, _, body := w.ask("GET", path, "evil.example", ""); status != http.StatusForbidden {
			t.Errorf("%s by another name: %d %s", path, status, body)
		}
	}
}

func TestHistoryIsWhatWasSeen(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	miner, now := common.Address{7}, time.Now()
	for i := range 3 {
		at := now.Add(time.Duration(i-2) * time.Minute)
		must(t, w.store.Add(t.Context(), history.Look{
			At: at, All: []common.Address{miner}, Online: []common.Address{miner},
			Models: map[string]history.Point{"<a>/b c": {At: at.UnixMilli(), Miners: 1, Rates: market.Rates{Completion: market.Units(uint64(5 + i))}}},
		}))
	}
	status, _, body := w.ask("GET", "/api/history?span=hour&model=%3Ca%3E%2Fb%20c", "", "")
	var out struct {
		Points []history.Point `json:"points"`
	}
	if err := json.Unmarshal([]byte(body), &out); status != http.StatusOK || err != nil || len(out.Points) != 3 || out.Points[2].Completion != market.Units(7) {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body = w.ask("GET", "/api/presence", "", ""); status != http.StatusOK || !strings.Contains(body, `"looks":3,"up":3`) {
		t.Errorf("%d %s", status, body)
	}
	for _, query := range []string{"", "?model=x", "?span=hour", "?model=x&span=year", "?span=day&model=" + strings.Repeat("x", 300)} {
		if status, _, body := w.ask("GET", "/api/history"+query, "", ""); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	if status, _, body := w.ask("GET", "/api/config", "", ""); status != http.StatusOK || !strings.Contains(body, `"api_url":"https://api.example"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestOnlyEmptyAccountsAreGivenCoinsAndOnlyWhereSomebodyGives(t *testing.T) {
	t.Parallel()
	const poor = "0x0800000000000000000000000000000000000000"
	w := start(t, faucet{})
	for i, c := range []struct {
		body string
		want int
		text string
	}{
		{`{"to":"` + poor + `"}`, 200, `"amount":"5000000000000000000"`},
		{`{"to":"` + poor + `"}`, 429, "TooSoon(next 77)"},
		{`{"to":"` + rich + `"}`, 409, "transaction of its own"},
		{`{"to":"0x08"}`, 400, ""},
		{`{}`, 400, "to is missing"},
		{`{"to":"` + poor + `","amount":"9"}`, 400, ""},
	} {
		if status, _, body := w.ask("POST", "/api/faucet", "", c.body); status != c.want || !strings.Contains(body, c.text) {
			t.Errorf("%d, %s: %d %s, want %d %s", i, c.body, status, body, c.want, c.text)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/faucet", strings.NewReader(`{"to":"`+poor+`"}`))
	must(t, err)
	r.Header.Set("Content-Type", "text/plain") // what a foreign page can send
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("from a foreign page: %d", resp.StatusCode)
	}
	if _, _, body := w.ask("GET", "/api/config", "", ""); !strings.Contains(body, `"faucet":true`) {
		t.Errorf("%s", body)
	}
	none := start(t, nil)
	if status, _, body := none.ask("POST", "/api/faucet", "", `{"to":"`+poor+`"}`); status != http.StatusNotFound {
		t.Errorf("nobody gives: %d %s", status, body)
	}
}
