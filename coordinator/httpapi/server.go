// Package httpapi serves the coordinator over HTTP: the market's own routes,
// the OpenAI-compatible ones, and the miners' link. docs/PROTOCOL.md section 7
// lists them and openapi.json describes them.
package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/wire"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/httpx"
)

// Server answers requests. Use [New].
type Server struct {
	svc     *coordinator.Service
	started time.Time
	onStop  func(func()) (cancel func() bool) // what to do when the server stops
}

// A Route is one method and path of the interface.
type Route struct {
	Method, Path string
	handler      http.Handler
}

// New returns the handler of all routes. When ctx ends, requests that wait for
// work or for events are answered; those with work under way go on.
func New(ctx context.Context, svc *coordinator.Service) http.Handler {
	onStop := func(f func()) func() bool { return context.AfterFunc(ctx, f) }
	mux := http.NewServeMux()
	for _, r := range (&Server{svc, time.Now(), onStop}).routes() {
		mux.Handle(r.Method+" "+r.Path, r.handler)
	}
	mux.Handle("/", httpx.Handler(func(http.ResponseWriter, *http.Request) error {
		return apierr.New(apierr.NotFound, "there is no such route: GET /openapi.json lists them")
	}))
	return mux
}

// Routes lists method and path of every route, for the check against openapi.json.
func Routes() []Route { return (&Server{}).routes() }

type clientHandler func(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error

func (s *Server) routes() []Route {
	plain := func(h httpx.Handler) http.Handler { return h }
	as := func(scope string, h clientHandler) http.Handler {
		return httpx.Handler(func(w http.ResponseWriter, r *http.Request) error { return s.authorized(w, r, scope, h) })
	}
	client := func(h clientHandler) http.Handler { return as(ledger.ScopeClient, h) }
	miner := func(h clientHandler) http.Handler { return as(ledger.ScopeMiner, h) }
	openai := func(h clientHandler) http.Handler {
		return httpx.ErrorWriter(writeOpenAIError).Handler(func(w http.ResponseWriter, r *http.Request) error {
			return s.authorized(w, r, ledger.ScopeClient, h)
		})
	}
	anthropic := func(h clientHandler) http.Handler {
		return httpx.ErrorWriter(writeAnthropicError).Handler(func(w http.ResponseWriter, r *http.Request) error {
			return s.authorized(w, r, ledger.ScopeClient, h)
		})
	}
	return []Route{
		{"GET", "/health", plain(s.health)},
		{"GET", "/openapi.json", plain(s.openapi)},
		{"GET", "/metrics", plain(s.metrics)},
		{"GET", "/v1/network", plain(s.network)},
		{"GET", "/v1/miners", plain(s.miners)},
		{"GET", "/v1/models", plain(s.models)},

		{"POST", "/v1/sessions/prepare", plain(s.prepare)},
		{"POST", "/v1/sessions/{session}/key", plain(s.issueKey)},
		{"GET", "/v1/account", client(s.account)},
		{"GET", "/v1/keys", client(s.keys)},
		{"DELETE", "/v1/keys/{id}", client(s.revokeKey)},

		{"POST", "/v1/jobs", client(s.submit)},
		{"GET", "/v1/jobs", client(s.jobs)},
		{"GET", "/v1/jobs/{id}", client(s.job)},
		{"DELETE", "/v1/jobs/{id}", client(s.cancel)},
		{"GET", "/v1/jobs/{id}/result", client(s.result)},
		{"GET", "/v1/jobs/{id}/events", client(s.events)},
		{"GET", "/v1/jobs/{id}/explain", client(s.explain)},
		{"GET", "/v1/receipts", httpx.Handler(s.receipts)},
		{"GET", "/v1/receipts/{id}", httpx.Handler(s.receipt)},

		{"POST", "/v1/chat/completions", openai(s.chatCompletions)},
		{"POST", "/v1/completions", openai(s.completions)},
		{"POST", "/v1/embeddings", openai(s.embeddings)},
		{"POST", "/v1/messages", anthropic(s.messages)},

		{"POST", "/v1/miners/register", plain(s.register)},
		{"POST", "/v1/miners/heartbeat", miner(s.heartbeat)},
		{"GET", "/v1/miners/jobs", miner(s.claim)},
		{"POST", "/v1/miners/drain", miner(s.drain)},
		{"GET", wire.Path, miner(s.link)},
		{"POST", "/v1/miners/jobs/{id}/stream", miner(s.stream)},
		{"POST", "/v1/miners/jobs/{id}/result", miner(s.complete)},
		{"POST", "/v1/miners/jobs/{id}/failure", miner(s.fail)},
	}
}

// waiting returns the request's context, ended also when the server stops.
func (s *Server) waiting(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	forget := s.onStop(cancel)
	return ctx, func() { forget(); cancel() }
}

// apiKey returns the key of a request, from either header.
func apiKey(r *http.Request) string {
	if k := r.Header.Get("X-Api-Key"); k != "" {
		return k
	}
	if k, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(k)
	}
	return ""
}

func (s *Server) authorized(w http.ResponseWriter, r *http.Request, scope string, h clientHandler) error {
	c, err := s.svc.Authenticate(r.Context(), apiKey(r), scope)
	if err != nil {
		return err
	}
	return h(w, r, c)
}

// either authenticates a client or a miner.
func (s *Server) either(r *http.Request) (coordinator.Caller, error) {
	c, err := s.svc.Authenticate(r.Context(), apiKey(r), ledger.ScopeClient)
	if apierr.HasCode(err, apierr.Forbidden) {
		return s.svc.Authenticate(r.Context(), apiKey(r), ledger.ScopeMiner)
	}
	return c, err
}

func pathID(r *http.Request) (common.Hash, error) { return parseHash(r.PathValue("id"), "id") }

func parseHash(text, name string) (common.Hash, error) {
	var h common.Hash
	if err := h.UnmarshalText([]byte(text)); err != nil || len(text) != 66 {
		return h, apierr.New(apierr.Invalid, "%s is not 0x and 64 hex digits", name)
	}
	return h, nil
}

func limit(r *http.Request) (int, error) {
	const most = 1000
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, apierr.New(apierr.Invalid, "limit must be from 1 to %d", most)
	}
	return n, nil
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	out := map[string]any{"status": "ok", "service": "coordinator", "uptime_seconds": int(time.Since(s.started).Seconds())}
	if _, differences := s.svc.Reconciled(); len(differences) > 0 {
		out["status"], out["reason"] = "degraded", "ledger and chain differ: see the log, or run aitbc coordinator check"
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(api.OpenAPI)
	return err
}

func (s *Server) network(w http.ResponseWriter, _ *http.Request) error {
	httpx.WriteJSON(w, http.StatusOK, s.svc.Network())
	return nil
}

func (s *Server) miners(w http.ResponseWriter, r *http.Request) error {
	list, err := s.svc.Miners(r.Context())
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, list)
	return nil
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) error {
	httpx.WriteJSON(w, http.StatusOK, s.svc.Models())
	return nil
}

func (s *Server) prepare(w http.ResponseWriter, r *http.Request) error {
	var in api.PrepareRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.Prepare(r.Context(), in)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) issueKey(w http.ResponseWriter, r *http.Request) error {
	session, err := strconv.ParseUint(r.PathValue("session"), 10, 63)
	if err != nil {
		return apierr.New(apierr.Invalid, "the session is not a number")
	}
	var in api.KeyRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.IssueKey(r.Context(), session, in)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) account(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	out, err := s.svc.Account(r.Context(), c)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	out, err := s.svc.Keys(r.Context(), c)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if err := s.svc.RevokeKey(r.Context(), c, id); err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]string{"revoked": id.Hex()})
	return nil
}
