package origin_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/web/origin"
)

// relayed serves what a handler does over a relay, whose streams end with ctx.
func relayed(t *testing.T, ctx context.Context, h http.HandlerFunc) string { //nolint:revive // the test comes first
	t.Helper()
	to := httptest.NewServer(h)
	t.Cleanup(to.Close)
	client, err := httpx.NewClient(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	onStop := func(f func()) func() bool { return context.AfterFunc(ctx, f) }
	relay := origin.Relay{To: client, Name: "service", OnStop: onStop}
	s := httptest.NewServer(origin.Secured(httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
		return relay.Forward(w, r, "/v1"+r.URL.EscapedPath())
	})))
	t.Cleanup(s.Close)
	return s.URL
}

func ask(t *testing.T, method, url, body string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", "the-client")
	r.Header.Set("Cookie", "a=b")
	r.Header.Set("Authorization", "Basic x")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // a test ends here
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

func TestTheKeyAndTheBodyArePassedOnAndNothingElse(t *testing.T) {
	t.Parallel()
	url := relayed(t, t.Context(), func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "c=d")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		fmt.Fprintf(w, "%s %s %s|%s%s|%s", r.Method, r.URL, r.Header.Get("X-Api-Key"), r.Header.Get("Cookie"), r.Header.Get("Authorization"), body)
	})
	_, h, got := ask(t, http.MethodPost, url+"/jobs/a%2Fb?x=1", "the body")
	if want := "POST /v1/jobs/a%2Fb?x=1 the-client||the body"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if h.Get("Set-Cookie") != "" || h.Get("Access-Control-Allow-Origin") != "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", h)
	}
}

func TestARefusalComesAsItIsAndASilentServiceAsUnavailable(t *testing.T) {
	t.Parallel()
	url := relayed(t, t.Context(), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/gone" {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"error":{"code":"conflict","message":"the number was taken","details":{"next":7}}}`)
	})
	if status, _, body := ask(t, http.MethodGet, url+"/jobs", ""); status != http.StatusConflict || !strings.Contains(body, `"next":7`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body := ask(t, http.MethodGet, url+"/gone", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "the service does not answer") {
		t.Errorf("%d %s", status, body)
	}
}

// Each event comes when it was sent, and the end of the server ends the stream.
func TestEventsComeOneByOneUntilTheServerStops(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	next := make(chan string)
	url := relayed(t, ctx, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case text := <-next:
				fmt.Fprintf(w, "data: %s %s\n\n", text, r.Header.Get("Last-Event-Id"))
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/jobs/1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "4")
	answer := make(chan *http.Response, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r) //nolint:bodyclose // closed below
		if err == nil {
			answer <- resp
		}
	}()
	next <- "one"
	resp := <-answer
	defer resp.Body.Close() //nolint:errcheck // a test ends here
	piece := make([]byte, 64)
	for _, want := range []string{"one", "two", "three"} {
		if want != "one" {
			next <- want
		}
		n, err := resp.Body.Read(piece)
		if err != nil || string(piece[:n]) != "data: "+want+" 4\n\n" {
			t.Fatalf("%q, %v", piece[:n], err)
		}
	}
	stop()
	ended := make(chan struct{})
	go func() { _, _ = io.ReadAll(resp.Body); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the stream goes on though the server stops")
	}
}

func TestOnlyThisMachineAndNamedHostsAreServed(t *testing.T) {
	t.Parallel()
	h := origin.Hosts([]string{"market.example"}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{
		"127.0.0.1:5173": 200, "localhost": 200, "[::1]:5173": 200, "market.example:443": 200, "MARKET.example.": 200,
		"evil.example": 403, "127.0.0.1.evil.example:5173": 403, "": 403, "192.168.0.1:5173": 403,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestTurnsAreGivenBack(t *testing.T) {
	t.Parallel()
	turns := make(origin.Turns, 1)
	release, err := turns.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.Claim(gone); err == nil {
		t.Error("two have the one turn")
	}
	release()
	if _, err := turns.Claim(t.Context()); err != nil {
		t.Error(err)
	}
}
