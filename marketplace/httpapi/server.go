// Package httpapi serves the marketplace: the page, what was seen of the market,
// and narrow ways to the coordinator, the explorer and the node, under one origin.
// It keeps nothing of its clients', and holds no key but one, if there is one, that
// asks a test network's faucet for who is new.
package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/marketplace/history"
	"github.com/aitbc/aitbc/web/origin"
)

// History is what the server reads of what was seen.
type History interface {
	Points(ctx context.Context, model string, since time.Time, step time.Duration) ([]history.Point, error)
	Presences(ctx context.Context) ([]history.Presence, error)
}

// Config is what a server needs.
type Config struct {
	Eth         *chainclient.Client
	Coordinator *httpx.Client
	Explorer    *httpx.Client
	History     History
	Page        http.Handler // what is no route: the page
	Hosts       []string     // names that the marketplace is asked by, beside this machine's
	APIURL      string       // by which a person's own programs reach the coordinator
	Giver       Giver        // nil: nobody asks the faucet for others
	Version     string
}

// Server answers requests. Use [New].
type Server struct {
	Config
	started     time.Time
	turns       origin.Turns
	giving      origin.Turns // one at a time: an account's transactions follow one another
	coordinator origin.Relay
	explorer    origin.Relay
}

// costly is how many questions that cost the node much are asked at a time.
const costly = 16

// New returns a server. When ctx ends, streams end.
func New(ctx context.Context, cfg Config) *Server {
	onStop := func(f func()) func() bool { return context.AfterFunc(ctx, f) }
	return &Server{
		Config: cfg, started: time.Now(), turns: make(origin.Turns, costly), giving: make(origin.Turns, 1),
		coordinator: origin.Relay{To: cfg.Coordinator, Name: "coordinator", OnStop: onStop},
		explorer:    origin.Relay{To: cfg.Explorer, Name: "explorer", OnStop: onStop},
	}
}

// coordinatorRoutes are what a page may ask the coordinator for: what all may
// know, and what is the client's own, with the client's key.
var coordinatorRoutes = []string{
	"GET /v1/network", "GET /v1/miners", "GET /v1/models",
	"POST /v1/login/nonce", "POST /v1/login",
	"POST /v1/sessions/prepare", "POST /v1/sessions/{session}/key", "POST /v1/sessions/{session}/vouchers", "GET /v1/sessions", "GET /v1/account",
	"GET /v1/keys", "POST /v1/keys", "DELETE /v1/keys/{id}",
	"POST /v1/jobs/quote", "POST /v1/jobs", "GET /v1/jobs", "GET /v1/jobs/{id}", "DELETE /v1/jobs/{id}", "GET /v1/jobs/{id}/result", "GET /v1/jobs/{id}/events",
	"GET /v1/jobs/{id}/explain", "GET /v1/receipts", "GET /v1/receipts/{id}",
}

// explorerRoutes are what a page may ask the explorer for.
var explorerRoutes = []string{
	"GET /api/status", "GET /api/blocks/{block}", "GET /api/blocks/{block}/txs", "GET /api/txs/{hash}", "GET /api/events", "GET /api/addresses/{address}",
	"GET /api/sessions/{id}", "GET /api/validators", "GET /api/miners", "GET /api/proposals", "GET /api/parameters", "GET /api/supply",
}

// Handler returns the handler of all routes and of the page.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /health", httpx.Handler(s.health))
	mux.Handle("GET /api/config", httpx.Handler(s.config))
	mux.Handle("GET /api/history", httpx.Handler(s.history))
	mux.Handle("GET /api/presence", httpx.Handler(s.presence))
	mux.Handle("POST /api/faucet", httpx.Handler(s.give))
	mux.Handle("POST /node/eth", httpx.Handler(origin.Node{Eth: s.Eth, Turns: s.turns}.Serve))
	pass(mux, "/coordinator", coordinatorRoutes, s.coordinator)
	pass(mux, "/explorer", explorerRoutes, s.explorer)
	for _, prefix := range []string{"/api/", "/node/", "/coordinator/", "/explorer/"} {
		mux.Handle(prefix, httpx.Handler(func(http.ResponseWriter, *http.Request) error {
			return apierr.New(apierr.NotFound, "the marketplace has no such route, or does not pass it on: docs/MARKETPLACE.md lists them")
		}))
	}
	mux.Handle("/", s.Page)
	return origin.Secured(origin.Hosts(s.Hosts, mux))
}

// pass passes some routes below a prefix on.
func pass(mux *http.ServeMux, prefix string, routes []string, to origin.Relay) {
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		mux.Handle(method+" "+prefix+path, httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
			return to.Forward(w, r, strings.TrimPrefix(r.URL.EscapedPath(), prefix))
		}))
	}
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"status": "ok", "service": "marketplace", "uptime_seconds": int(time.Since(s.started).Seconds())})
	return nil
}

func (s *Server) config(w http.ResponseWriter, _ *http.Request) error {
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"api_url": s.APIURL, "faucet": s.Giver != nil, "version": s.Version})
	return nil
}

// spans are the times that a history may go back, and their steps: each has some
// hundreds of points.
var spans = map[string]struct{ back, step time.Duration }{
	"hour": {time.Hour, history.Every}, "day": {24 * time.Hour, 5 * time.Minute}, "month": {history.Keep, 2 * time.Hour},
}

// nameMost is the longest name of a model.
const nameMost = 256

func (s *Server) history(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	model := q.Get("model")
	if model == "" || len(model) > nameMost {
		return apierr.New(apierr.Invalid, "model is missing, or is no name")
	}
	span, ok := spans[q.Get("span")]
	if !ok {
		return apierr.New(apierr.Invalid, "span is hour, day or month")
	}
	points, err := s.History.Points(r.Context(), model, time.Now().Add(-span.back), span.step)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"points": points, "step_seconds": int(span.step.Seconds())})
	return nil
}

func (s *Server) presence(w http.ResponseWriter, r *http.Request) error {
	list, err := s.History.Presences(r.Context())
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"miners": list})
	return nil
}
