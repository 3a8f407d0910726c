package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/api/walletapi"
)

// raw sends a request as it is and returns status, headers and body.
func (r *rig) raw(method, path, body string, change func(*http.Request)) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", apiKey)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// A page whose name was bent to 127.0.0.1, a page of another origin, and a form
// that a page submits reach nothing.
func TestPagesReachNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	header := func(kv ...string) func(*http.Request) {
		return func(q *http.Request) {
			for i := 0; i < len(kv); i += 2 {
				if kv[i] == "Host" {
					q.Host = kv[i+1]
				} else {
					q.Header.Set(kv[i], kv[i+1])
				}
			}
		}
	}
	const ask = `{"wallet":""}`
	for name, c := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		want               int
	}{
		"no key":                 {"GET", "/v1/wallet", "", header("X-Api-Key", ""), 401},
		"wrong key":              {"GET", "/v1/wallet", "", header("X-Api-Key", apiKey+"x"), 401},
		"the key":                {"GET", "/v1/wallet", "", nil, 200},
		"rebinding":              {"GET", "/v1/wallet", "", header("Host", "evil.example:18002"), 403},
		"rebinding of health":    {"GET", "/health", "", header("Host", "evil.example"), 403},
		"localhost":              {"GET", "/v1/wallet", "", header("Host", "LOCALHOST:18002"), 200},
		"version 6":              {"GET", "/v1/wallet", "", header("Host", "[::1]:18002"), 200},
		"a host of the settings": {"GET", "/v1/wallet", "", header("Host", "wallet.lan"), 200},
		"no host":                {"GET", "/v1/wallet", "", header("Host", "127.0.0.1.evil.example"), 403},
		"another origin":         {"GET", "/v1/wallet", "", header("Origin", "https://evil.example"), 403},
		"its own origin as page": {"GET", "/v1/wallet", "", header("Origin", "http://127.0.0.1:18002"), 403},
		"a null origin":          {"POST", "/v1/wallet/lock", ask, header("Origin", "null"), 403},
		"an origin of ours":      {"GET", "/v1/wallet", "", header("Origin", "https://wallet.example"), 200},
		"an image of a page":     {"GET", "/v1/wallet", "", header("Sec-Fetch-Site", "cross-site"), 403},
		"a form":                 {"POST", "/v1/wallet/lock", ask, header("Content-Type", "text/plain"), 400},
		"a form with fields":     {"POST", "/v1/wallet/lock", ask, header("Content-Type", "application/x-www-form-urlencoded"), 400},
		"no type":                {"POST", "/v1/wallet/lock", ask, header("Content-Type", ""), 400},
		"JSON":                   {"POST", "/v1/wallet/lock", `{}`, header("Content-Type", "application/json; charset=utf-8"), 200},
		"unknown field":          {"POST", "/v1/wallet/lock", `{"x":1}`, nil, 400},
		"two values":             {"POST", "/v1/wallet/lock", `{}{}`, nil, 400},
		"a huge body":            {"POST", "/v1/wallet/lock", `{"wallet":"` + strings.Repeat("x", 2<<20) + `"}`, nil, 413},
		"a preflight of others":  {"OPTIONS", "/v1/wallet/send", "", header("Origin", "https://evil.example", "Access-Control-Request-Method", "POST", "X-Api-Key", ""), 403},
		"a preflight of ours":    {"OPTIONS", "/v1/wallet/send", "", header("Origin", "https://wallet.example", "Access-Control-Request-Method", "POST", "X-Api-Key", ""), 204},
	} {
		t.Run(name, func(t *testing.T) {
			status, h, body := r.raw(c.method, c.path, c.body, c.change)
			if status != c.want {
				t.Fatalf("%d %s, want %d", status, body, c.want)
			}
			allowed := h.Get("Access-Control-Allow-Origin")
			if ours := strings.HasSuffix(name, "of ours"); ours != (allowed == "https://wallet.example") || !ours && allowed != "" {
				t.Errorf("Access-Control-Allow-Origin: %q", allowed)
			}
			if status == 200 && h.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control: %q", h.Get("Cache-Control"))
			}
		})
	}
}

// The statuses that clients tell apart.
func TestStatuses(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.imported()
	capability := r.unlock(func(u *walletapi.UnlockRequest) { u.Amount = coins(3) })
	with := func(q *http.Request) { q.Header.Set(capability[0], capability[1]) }
	for name, c := range map[string]struct {
		path, body string
		change     func(*http.Request)
		want       int
		code       string
	}{
		"locked":   {"/v1/wallet/send", `{"to":"0x00000000000000000000000000000000000000b0","amount":"1"}`, nil, 423, "wallet_locked"},
		"a limit":  {"/v1/wallet/send", `{"to":"0x00000000000000000000000000000000000000b0","amount":"4000000000000000000"}`, with, 402, "limit_exceeded"},
		"blind":    {"/v1/wallet/sign", `{"message_hex":"0x00ff"}`, with, 403, "policy_refused"},
		"too poor": {"/v1/wallet/send", `{"to":"0x00000000000000000000000000000000000000b0","amount":"4000000000000000000000"}`, with, 402, "insufficient_funds"},
	} {
		status, _, body := r.raw("POST", c.path, c.body, c.change)
		var e struct{ Error struct{ Code string } }
		if err := json.Unmarshal([]byte(body), &e); err != nil || status != c.want || e.Error.Code != c.code {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func FuzzRequests(f *testing.F) {
	f.Add("create", []byte(`{"name":"x","passphrase":"correct horse"}`))
	f.Add("import", []byte(`{"name":"x","passphrase":"correct horse","keystore":{"version":3}}`))
	f.Add("unlock", []byte(`{"passphrase":"x","scope":["send"],"amount":"1"}`))
	f.Add("send", []byte(`{"to":"0x00000000000000000000000000000000000000b0","amount":"1","data":"0x01"}`))
	f.Add("sign", []byte(`{"transaction":{"nonce":"0x1","gas":"0x1","gasPrice":"0x1"}}`))
	f.Add("sign", []byte(`{"typed_data":{"types":{},"primaryType":"A","domain":{},"message":{}}}`))
	f.Add("x/drill", []byte(`{"file":"-----BEGIN AGE ENCRYPTED FILE-----","backup_passphrase":"x"}`))
	f.Add("x/restore", []byte(`{"file":"age-encryption.org/v1","backup_passphrase":"x","passphrase":"correct horse"}`))
	r := start(f)
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.base+"/v1/wallet/"+strings.Map(plain, path), bytes.NewReader(body))
		if err != nil {
			t.Skip()
		}
		req.Header.Set("X-Api-Key", apiKey)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only the status counts
		if resp.StatusCode == http.StatusInternalServerError {
			b, _ := io.ReadAll(resp.Body)
			t.Fatalf("%d %s", resp.StatusCode, b)
		}
	})
}

func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r == '/' {
		return r
	}
	return -1
}
