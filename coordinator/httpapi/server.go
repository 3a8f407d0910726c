// Package httpapi serves the coordinator over HTTP: the market's own routes,
// the OpenAI-compatible ones, and the miners' link. docs/PROTOCOL.md section 7
// lists them and openapi.json describes them.
package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
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
	return httpx.Watch{Tracer: svc.Tracer(), Quiet: quiet, Answered: svc.Observe}.Observe(mux)
}

// quiet requests come all the time, and belong to nothing that a client asked for.
func quiet(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/v1/") || strings.HasPrefix(r.URL.Path, "/v1/miners") || r.Method == http.MethodGet
}

// Routes lists method and path of every route, for the check against openapi.json.
func Routes() []Route { return (&Server{}).routes() }

type clientHandler func(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error

func (s *Server) routes() []Route {
	plain := func(h httpx.Handler) http.Handler { return h }
	as := func(h clientHandler, scopes ...string) http.Handler {
		return httpx.Handler(func(w http.ResponseWriter, r *http.Request) error { return s.authorized(w, r, h, scopes...) })
	}
	open := func(h httpx.Handler) http.Handler { return s.limited(h) } // needs no key, and costs something
	client := func(h clientHandler) http.Handler { return as(h, ledger.ScopeClient) }
	reader := func(h clientHandler) http.Handler { return as(h, ledger.ScopeClient, ledger.ScopeRead) }
	owner := func(h clientHandler) http.Handler { return as(h, ledger.ScopeClient, ledger.ScopeLogin) }
	holder := func(h clientHandler) http.Handler {
		return as(h, ledger.ScopeClient, ledger.ScopeLogin, ledger.ScopeRead, ledger.ScopeAdmin)
	}
	admin := func(h clientHandler) http.Handler { return as(h, ledger.ScopeAdmin) }
	miner := func(h clientHandler) http.Handler { return as(h, ledger.ScopeMiner) }
	shaped := func(h clientHandler, scopes ...string) http.Handler {
		return httpx.ErrorWriter(writeOpenAIError).Handler(func(w http.ResponseWriter, r *http.Request) error {
			return s.authorized(w, r, h, scopes...)
		})
	}
	openai := func(h clientHandler) http.Handler { return shaped(h, ledger.ScopeClient) }
	openaiReader := func(h clientHandler) http.Handler { return shaped(h, ledger.ScopeClient, ledger.ScopeRead) }
	anthropic := func(h clientHandler) http.Handler {
		return httpx.ErrorWriter(writeAnthropicError).Handler(func(w http.ResponseWriter, r *http.Request) error {
			return s.authorized(w, r, h, ledger.ScopeClient)
		})
	}
	return []Route{
		{"GET", "/health", plain(s.health)},
		{"GET", "/openapi.json", plain(s.openapi)},
		{"GET", "/metrics", plain(s.metrics)},
		{"GET", "/v1/network", plain(s.network)},
		{"GET", "/v1/miners", plain(s.miners)},
		{"GET", "/v1/models", plain(s.models)},

		{"POST", "/v1/sessions/prepare", open(s.prepare)},
		{"POST", "/v1/sessions/{session}/key", open(s.issueKey)},
		{"POST", "/v1/login/nonce", open(s.loginNonce)},
		{"POST", "/v1/login", open(s.login)},
		{"GET", "/v1/sessions", reader(s.sessions)},
		{"POST", "/v1/sessions/{session}/vouchers", client(s.vouch)},
		{"GET", "/v1/account", reader(s.account)},
		{"GET", "/v1/keys", owner(s.keys)},
		{"POST", "/v1/keys", owner(s.createKey)},
		{"DELETE", "/v1/keys/{id}", holder(s.revokeKey)},
		{"GET", "/v1/audit", owner(s.audit)},

		{"GET", "/v1/admin/accounts", admin(s.adminAccounts)},
		{"GET", "/v1/admin/keys", admin(s.adminKeys)},
		{"DELETE", "/v1/admin/keys/{id}", admin(s.adminRevoke)},
		{"GET", "/v1/admin/miners", admin(s.adminMiners)},
		{"POST", "/v1/admin/miners/{miner}/hold", admin(s.adminHold)},
		{"GET", "/v1/admin/jobs", admin(s.adminJobs)},
		{"GET", "/v1/admin/ledger", admin(s.adminLedger)},
		{"POST", "/v1/admin/reconcile", admin(s.adminReconcile)},
		{"GET", "/v1/admin/audit", admin(s.adminAudit)},

		{"POST", "/v1/jobs", client(s.submit)},
		{"POST", "/v1/jobs/quote", client(s.quote)},
		{"GET", "/v1/jobs", reader(s.jobs)},
		{"GET", "/v1/jobs/{id}", reader(s.job)},
		{"DELETE", "/v1/jobs/{id}", client(s.cancel)},
		{"GET", "/v1/jobs/{id}/result", reader(s.result)},
		{"GET", "/v1/jobs/{id}/events", reader(s.events)},
		{"GET", "/v1/jobs/{id}/explain", reader(s.explain)},
		{"GET", "/v1/receipts", httpx.Handler(s.receipts)},
		{"GET", "/v1/receipts/{id}", httpx.Handler(s.receipt)},

		{"POST", "/v1/chat/completions", openai(s.chatCompletions)},
		{"POST", "/v1/completions", openai(s.completions)},
		{"POST", "/v1/embeddings", openai(s.embeddings)},
		{"POST", "/v1/messages", anthropic(s.messages)},

		{"POST", "/v1/files", openai(s.putFile)},
		{"GET", "/v1/files", openaiReader(s.files)},
		{"GET", "/v1/files/{id}", openaiReader(s.file)},
		{"GET", "/v1/files/{id}/content", openaiReader(s.fileContent)},
		{"DELETE", "/v1/files/{id}", openai(s.removeFile)},
		{"POST", "/v1/batches", openai(s.createBatch)},
		{"GET", "/v1/batches", openaiReader(s.batches)},
		{"GET", "/v1/batches/{id}", openaiReader(s.batch)},
		{"POST", "/v1/batches/{id}/cancel", openai(s.cancelBatch)},

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

// limited serves who does not ask too often.
func (s *Server) limited(h httpx.Handler) http.Handler {
	return httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return fmt.Errorf("address of a client: %w", err)
		}
		if err := s.svc.AllowAddress(from.Addr()); err != nil {
			return err
		}
		return h(w, r)
	})
}

func (s *Server) authorized(w http.ResponseWriter, r *http.Request, h clientHandler, scopes ...string) error {
	c, err := s.svc.Authenticate(r.Context(), apiKey(r), scopes...)
	if err != nil {
		return err
	}
	return h(w, r, c)
}

// either authenticates a client or a miner.
func (s *Server) either(r *http.Request) (coordinator.Caller, error) {
	return s.svc.Authenticate(r.Context(), apiKey(r), ledger.ScopeClient, ledger.ScopeRead, ledger.ScopeMiner)
}

func pathID(r *http.Request) (common.Hash, error) { return parseHash(r.PathValue("id"), "id") }

func parseHash(text, name string) (common.Hash, error) {
	var h common.Hash
	if err := h.UnmarshalText([]byte(text)); err != nil || len(text) != 66 {
		return h, apierr.New(apierr.Invalid, "%s is not 0x and 64 hex digits", name)
	}
	return h, nil
}

func limit(r *http.Request) (int, error) { return httpx.Limit(r, 100, 1000) }

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
	return httpx.Answer(w, list, err)
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
	return httpx.Answer(w, out, err)
}

func (s *Server) issueKey(w http.ResponseWriter, r *http.Request) error {
	session, err := pathSession(r)
	if err != nil {
		return err
	}
	var in api.KeyRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.IssueKey(r.Context(), session, in)
	return httpx.Answer(w, out, err)
}

func (s *Server) account(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	out, err := s.svc.Account(r.Context(), c)
	return httpx.Answer(w, out, err)
}
