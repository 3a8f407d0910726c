package httpapi_test

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/explorer/bech32"
	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/indextest"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/explorer/verify"
	"github.com/aitbc/aitbc/explorer/verify/verifytest"
	"github.com/aitbc/aitbc/httpx"
)

// world is an explorer of a node whose chain is made up, with a coordinator that
// answers what it was asked.
type world struct {
	t        *testing.T
	url      string
	node     *indextest.Node
	store    *store.Store
	server   *httpapi.Server
	follower index.Follower
}

func start(t *testing.T, head uint64) *world {
	t.Helper()
	return startWith(t, indextest.New(head, 10))
}

func startWith(t *testing.T, node *indextest.Node) *world {
	t.Helper()
	w, head := &world{t: t, node: node}, node.Head.Load()
	rpc := httptest.NewServer(w.node)
	t.Cleanup(rpc.Close)
	echo := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, `{"asked":%q,"key":%q,"cookie":%q}`, r.URL.String(), r.Header.Get("X-Api-Key"), r.Header.Get("Cookie"))
	}))
	t.Cleanup(echo.Close)
	coordinator, err := httpx.NewClient(echo.URL)
	must(t, err)
	eth, err := chainclient.New(rpc.URL)
	must(t, err)
	comet, err := chainclient.NewComet(rpc.URL)
	must(t, err)
	source, err := index.NewNode(rpc.URL)
	must(t, err)
	w.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "i.db"))
	must(t, err)
	t.Cleanup(func() { _ = w.store.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	w.server = httpapi.New(ctx, httpapi.Config{Index: w.store, Contracts: w.store, Verifier: verify.New(verifytest.Compiler(t)), Eth: eth, Comet: comet, Coordinator: coordinator, Page: http.NotFoundHandler(), Version: "test"})
	s := httptest.NewServer(w.server.Handler())
	t.Cleanup(s.Close)
	t.Cleanup(cancel) // first, so that who watches the head is let go
	w.url = s.URL
	w.follower = index.Follower{Source: source, Store: w.store, Log: slog.New(slog.DiscardHandler), Added: w.server.Added}
	must(t, w.follower.CatchUp(t.Context(), head))
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) ask(method, path, kind, body string) (int, http.Header, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	must(w.t, err)
	r.Header.Set("X-Api-Key", "the-client")
	r.Header.Set("Cookie", "a=b")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(r)
	must(w.t, err)
	defer resp.Body.Close() //nolint:errcheck // a test ends here
	b, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp.StatusCode, resp.Header, string(b)
}

func get[T any](w *world, path string) T {
	w.t.Helper()
	var out T
	status, _, body := w.ask("GET", path, "", "")
	if status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, status, body)
	}
	must(w.t, json.Unmarshal([]byte(body), &out))
	return out
}

func TestListsGoOnWhereTheLastPageEnded(t *testing.T) {
	t.Parallel()
	w := start(t, 40)
	for path, want := range map[string]int{
		"/api/blocks?": 40, "/api/txs?": 400, "/api/events?name=Market.Settled&": 40, "/api/blocks/17/txs?": 10,
		"/api/addresses/" + bech32.Encode(w.node.Account(1)) + "/txs?": 80,
	} {
		var seen []string
		before := ""
		param := "before"
		if strings.Contains(path, "/blocks/") {
			param = "from"
		}
		for range 200 {
			p := get[httpapi.Page[json.RawMessage]](w, path+"limit=3&"+param+"="+before)
			for _, row := range p.Items {
				seen = append(seen, string(row))
			}
			if before = p.Next; before == "" {
				break
			}
		}
		whole := get[httpapi.Page[json.RawMessage]](w, path+"limit=1000")
		if len(seen) != want || len(whole.Items) != want {
			t.Errorf("%s: %d in pages, %d at once, want %d", path, len(seen), len(whole.Items), want)
			continue
		}
		for i, row := range whole.Items {
			if seen[i] != string(row) {
				t.Fatalf("%s: row %d differs", path, i)
			}
		}
		_, header, table := w.ask("GET", path+"limit=1000&format=csv", "", "")
		rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
		if err != nil || len(rows) != want+1 || !strings.HasPrefix(header.Get("Content-Type"), "text/csv") {
			t.Errorf("%s as CSV: %d rows, %v", path, len(rows), err)
		}
	}
}

func TestBlockAndTransactionTellWhatHappened(t *testing.T) {
	t.Parallel()
	w := start(t, 40)
	b := get[httpapi.BlockDetail](w, "/api/blocks/35")
	if b.Hash != w.node.Hash(35) || len(b.System) != 2 || b.System[1].Name != "CallRefused" {
		t.Errorf("%+v", b)
	}
	if again := get[httpapi.BlockDetail](w, "/api/blocks/"+b.Hash.Hex()); again.Height != 35 {
		t.Errorf("by its hash: %+v", again)
	}
	x := get[httpapi.TxDetail](w, "/api/txs/"+w.node.Tx(35, 5).Hex())
	if len(x.Events) != 3 || x.Events[1].Name != "Credited" || !x.OK || x.Reason != "" {
		t.Errorf("%+v", x)
	}
	failed := get[httpapi.TxDetail](w, "/api/txs/"+w.node.Tx(35, 9).Hex())
	if failed.OK || failed.Reason == "" {
		t.Errorf("%+v", failed)
	}
	s := get[httpapi.Status](w, "/api/status")
	if s.Head != 40 || s.Txs != 400 || s.Failed != 40 || s.BlockTime != 0.25 {
		t.Errorf("%+v", s)
	}
}

func TestSearchFindsEachKind(t *testing.T) {
	t.Parallel()
	w := start(t, 40)
	a := w.node.Account(3)
	root := get[httpapi.Page[httpapi.Event]](w, "/api/events?name=Market.Settled&limit=1").Items[0]
	var args struct{ Root string }
	must(t, json.Unmarshal(root.Args, &args))
	for q, want := range map[string]string{
		"7":                  "block session",
		w.node.Hash(7).Hex(): "block",
		strings.TrimPrefix(w.node.Hash(7).Hex(), "0x"): "block",
		w.node.Tx(7, 3).Hex():                          "transaction",
		args.Root:                                      "transaction",
		a.Hex():                                        "address",
		bech32.Encode(a):                               "address",
		strings.ToUpper(bech32.Encode(a)):              "address",
		"0x" + strings.Repeat("12", 32):                "job",
		"99999999":                                     "",
	} {
		var kinds []string
		for _, f := range get[httpapi.Results](w, "/api/search?q="+q).Items {
			kinds = append(kinds, f.Kind)
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("%s is found as %q, want %q", q, got, want)
		}
	}
	typo := bech32.Encode(a)[:len(bech32.Encode(a))-1] + "q"
	if typo == bech32.Encode(a) {
		typo = typo[:len(typo)-1] + "p"
	}
	if status, _, body := w.ask("GET", "/api/search?q="+typo, "", ""); status != http.StatusBadRequest || !strings.Contains(body, "checksum") {
		t.Errorf("a mistyped address: %d %s", status, body)
	}
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t, 3)
	for _, c := range []struct {
		path string
		want int
	}{
		{"/api/blocks/4", 404},
		{"/api/blocks/x", 400},
		{"/api/blocks?limit=0", 400},
		{"/api/blocks?limit=1001", 400},
		{"/api/blocks?before=-1", 400},
		{"/api/blocks?format=xml", 400},
		{"/api/txs/0x12", 400},
		{"/api/txs/" + w.node.Tx(4, 0).Hex(), 404},
		{"/api/events", 400},
		{"/api/events?session=1&job=1", 400},
		{"/api/events?name=Settled", 400},
		{"/api/addresses/0x12", 400},
		{"/api/search", 400},
		{"/api/nothing", 404},
		{"/coordinator/v1/jobs", 403},
		{"/coordinator/v1/admin/keys", 403},
		{"/coordinator/v1/receipts/../admin", 403},
		{"/coordinator/v1/receipts/12", 400},
		{"/coordinator/v1/models/x", 403},
	} {
		if status, _, body := w.ask("GET", c.path, "", ""); status != c.want {
			t.Errorf("%s: %d %s, want %d", c.path, status, body, c.want)
		}
	}
	for _, c := range []struct {
		kind, body string
		want       int
	}{
		{"application/json", `{"jsonrpc":"2.0","id":1,"method":"debug_setHead","params":[]}`, 403},
		{"application/json", `{"jsonrpc":"2.0","id":1,"method":"eth_sign","params":[]}`, 403},
		{"application/json", `[]`, 400},
		{"text/plain", `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}`, 400},
		{"application/json", `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}`, 200},
	} {
		if status, _, body := w.ask("POST", "/node/eth", c.kind, c.body); status != c.want {
			t.Errorf("%s as %s: %d %s, want %d", c.body, c.kind, status, body, c.want)
		}
	}
}

// The client's key reaches the coordinator, and nothing else of the browser's does.
func TestCoordinatorIsAskedWithTheClientsKeyAlone(t *testing.T) {
	t.Parallel()
	w := start(t, 1)
	job := "0x" + strings.Repeat("ab", 32)
	_, header, body := w.ask("GET", "/coordinator/v1/receipts?job_id="+job, "", "")
	if want := fmt.Sprintf(`{"asked":"/v1/receipts?job_id=%s","key":"the-client","cookie":""}`, job); body != want {
		t.Errorf("%s, want %s", body, want)
	}
	if header.Get("Cache-Control") != "no-store" {
		t.Error("a client's receipts may be cached")
	}
}

func TestNoAnswerMayRunOrReachAnythingElse(t *testing.T) {
	t.Parallel()
	w := start(t, 1)
	for _, path := range []string{"/", "/api/status", "/api/nothing", "/health", "/api/blocks?format=csv"} {
		_, header, _ := w.ask("GET", path, "", "")
		policy := header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %s", path, part)
			}
		}
		if strings.Contains(policy, "unsafe") || header.Get("Access-Control-Allow-Origin") != "" || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, header)
		}
	}
}

func TestHeadTellsOfEachNewBlock(t *testing.T) {
	t.Parallel()
	w := start(t, 5)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/head", nil)
	must(t, err)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close() //nolint:errcheck // a test ends here
	lines := bufio.NewScanner(resp.Body)
	for head := uint64(5); head < 9; head++ {
		if head > 5 {
			w.node.Head.Store(head)
			must(t, w.follower.CatchUp(ctx, head))
		}
		for {
			if !lines.Scan() {
				t.Fatalf("the stream ended before block %d: %v", head, lines.Err())
			}
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var tick httpapi.Tick
			must(t, json.Unmarshal([]byte(data), &tick))
			if tick.Height != head || tick.Status.Head != head || tick.Hash != w.node.Hash(head) {
				t.Fatalf("%+v, want block %d", tick, head)
			}
			break
		}
	}
}
