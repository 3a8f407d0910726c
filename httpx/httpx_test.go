package httpx_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
)

type pair struct {
	A string `json:"a"`
	N int    `json:"n"`
}

func server(t *testing.T, h httpx.Handler) *httpx.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := httpx.NewClient(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func echo(w http.ResponseWriter, r *http.Request) error {
	var p pair
	if err := httpx.DecodeJSON(w, r, &p); err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusAccepted, p)
	return nil
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	c := server(t, echo)
	var got pair
	status, err := c.Do(t.Context(), httpx.Request{Method: "POST", Path: "/", JSON: pair{"x", 3}}, &got)
	if err != nil || status != http.StatusAccepted || got != (pair{"x", 3}) {
		t.Fatalf("%d %+v %v", status, got, err)
	}
}

func TestBadBodiesAreNamed(t *testing.T) {
	t.Parallel()
	c := server(t, echo)
	for body, want := range map[string]struct {
		code apierr.Code
		text string
	}{
		"":                {apierr.Invalid, "empty"},
		`{"a"`:            {apierr.Invalid, "breaks off"},
		`{"a":}`:          {apierr.Invalid, "malformed JSON at byte 6"},
		`{"a":"x","b":1}`: {apierr.Invalid, `"b"`},
		`{"n":"secret"}`:  {apierr.Invalid, `"n" wants int`},
		`{} {}`:           {apierr.Invalid, "more than one"},
		`{"a":"` + strings.Repeat("x", httpx.MaxBody) + `"}`: {apierr.TooLarge, "larger than"},
	} {
		_, err := c.Do(t.Context(), httpx.Request{Method: "POST", Path: "/", Body: strings.NewReader(body), Type: "application/json"}, nil)
		e, ok := errors.AsType[*apierr.Error](err)
		if !ok || e.Code != want.code || !strings.Contains(e.Message, want.text) || strings.Contains(e.Message, "secret") {
			t.Errorf("%.20q: %v", body, err)
		}
	}
}

func TestErrorsKeepCodeAndDetailsAndHideTheCause(t *testing.T) {
	t.Parallel()
	c := server(t, func(_ http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == "/private" {
			return errors.New("dial 10.0.0.1: refused")
		}
		return apierr.Wrap(errors.New("private"), apierr.LeaseLost, "too late").With(map[string]any{"k": "v"})
	})
	status, err := c.Do(t.Context(), httpx.Request{Method: "GET", Path: "/public"}, nil)
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok || status != 409 || e.Code != apierr.LeaseLost || e.Message != "too late" || e.Details["k"] != "v" {
		t.Errorf("%d %#v", status, err)
	}
	if status, err := c.Do(t.Context(), httpx.Request{Method: "GET", Path: "/private"}, nil); status != 500 || err.Error() != "internal error" {
		t.Errorf("%d %v", status, err)
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	c := server(t, func(http.ResponseWriter, *http.Request) error { panic("bug") })
	if _, err := c.Do(t.Context(), httpx.Request{Method: "GET", Path: "/"}, nil); !apierr.HasCode(err, apierr.Internal) {
		t.Fatalf("%v", err)
	}
}

func TestFailureAfterTheFirstByteCutsTheAnswer(t *testing.T) {
	t.Parallel()
	c := server(t, func(w http.ResponseWriter, _ *http.Request) error {
		if _, err := io.WriteString(w, `{"a":`); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		return errors.New("broke")
	})
	_, err := c.Do(t.Context(), httpx.Request{Method: "GET", Path: "/"}, nil)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("a cut answer looked whole: %v", err)
	}
}

func TestOtherErrorShapes(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(httpx.ErrorWriter(func(w http.ResponseWriter, e *apierr.Error) {
		httpx.WriteJSON(w, e.Code.Status(), map[string]any{"error": map[string]string{"type": string(e.Code)}})
	}).Handler(func(http.ResponseWriter, *http.Request) error { return apierr.New(apierr.RateLimited, "slow down") }))
	t.Cleanup(s.Close)
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // a test ends here
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || string(b) != "{\"error\":{\"type\":\"rate_limited\"}}\n" {
		t.Fatalf("%d %s %v", resp.StatusCode, b, err)
	}
}

func TestClientKeepsItsTime(t *testing.T) {
	t.Parallel()
	c := server(t, func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return nil
	})
	_, err := c.Do(t.Context(), httpx.Request{Method: "GET", Path: "/", Timeout: 20 * time.Millisecond}, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
}

func TestStatusWithoutOurShape(t *testing.T) {
	t.Parallel()
	c := server(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusBadGateway)
		return nil
	})
	if _, err := c.Do(t.Context(), httpx.Request{Method: "GET", Path: "/"}, nil); !apierr.HasCode(err, apierr.Unavailable) {
		t.Fatalf("%v", err)
	}
}

func TestNewClientRefusesWhatIsNoServer(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "127.0.0.1:1", "ftp://x", "http://", "http://x?y=1"} {
		if _, err := httpx.NewClient(u); err == nil {
			t.Errorf("%q was taken", u)
		}
	}
}

func TestServeFinishesRequestsUnderWay(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	ln, err := httpx.Listen(ctx, "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	arrived, release := make(chan struct{}), make(chan struct{})
	served, answered := make(chan error, 1), make(chan error, 1)
	go func() {
		served <- httpx.Serve(ctx, ln, httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
			close(arrived)
			<-release
			httpx.WriteJSON(w, 200, pair{A: "late"})
			return r.Context().Err()
		}))
	}()
	c, err := httpx.NewClient("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := c.Do(t.Context(), httpx.Request{Method: "GET", Path: "/"}, nil)
		answered <- err
	}()
	<-arrived
	stop()
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("request: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("still listening")
	}
}

func TestCheckBind(t *testing.T) {
	t.Parallel()
	for addr, ok := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "127.8.0.1:1": true,
		"0.0.0.0:1": false, ":1": false, "192.168.0.1:1": false, "example.org:1": false, "nonsense": false,
	} {
		if err := httpx.CheckBind(addr, false); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if err := httpx.CheckBind("0.0.0.0:1", true); err != nil {
		t.Error(err)
	}
}
