// Package httpapi serves the wallets of a daemon over HTTP: to who has the API
// key, and to no page that a browser was lured to. docs/WALLET.md lists the
// routes and GET /openapi.json describes them.
package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/daemon"
)

// Options say who may ask.
type Options struct {
	Key     secret.Text
	Hosts   []string // names by which the daemon is asked, beside those of this machine
	Origins []string // pages that may ask, as https://wallet.example; none by default
	// AnyHost is for a unix socket, which no page can reach.
	AnyHost bool
}

type server struct {
	svc     *daemon.Service
	key     [sha256.Size]byte
	o       Options
	started time.Time
	openapi []byte
}

// New returns the handler of all routes.
func New(svc *daemon.Service, o Options) (http.Handler, error) {
	s := &server{svc: svc, key: sha256.Sum256([]byte(o.Key.Reveal())), o: o, started: time.Now()}
	var err error
	if s.openapi, err = document(s.routes()); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /health", httpx.Handler(s.health))
	mux.Handle("GET /openapi.json", httpx.Handler(s.serveOpenAPI))
	parts := map[string]httpx.Handler{} // of one wallet: the mux cannot tell them from tx/{hash}
	for _, r := range s.routes() {
		if part, ok := strings.CutPrefix(r.path, "/v1/wallet/{id}/"); ok && r.method == http.MethodGet {
			parts[part] = r.handle
			continue
		}
		if r.path != "/v1/wallet/tx/{hash}" {
			mux.Handle(r.method+" "+r.path, r.handle)
		}
	}
	mux.Handle("GET /v1/wallet/{id}/{part}", httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if r.PathValue("id") == "tx" {
			return s.transaction(w, r)
		}
		if h, ok := parts[r.PathValue("part")]; ok {
			return h(w, r)
		}
		return errNoRoute
	}))
	mux.Handle("/", httpx.Handler(func(http.ResponseWriter, *http.Request) error { return errNoRoute }))
	return s.guard(mux), nil
}

var errNoRoute = apierr.New(apierr.NotFound, "there is no such route: GET /openapi.json lists them")

// A route is one method and path, and what goes in and out.
type route struct {
	method, path string
	summary      string
	in, out      any // zero values of the types; nil for none
	handle       httpx.Handler
}

func (s *server) routes() []route {
	return []route{
		{"POST", "/v1/wallet/create", "Make a wallet of a new phrase, which is shown once.", walletapi.CreateRequest{}, walletapi.CreateResponse{}, body(s.svc.Create)},
		{"POST", "/v1/wallet/import", "Make a wallet of a phrase, a Web3 key file, a key, addresses to watch, or another program that signs.", walletapi.ImportRequest{}, walletapi.Wallet{}, body(s.svc.Import)},
		{"GET", "/v1/wallet", "List the wallets.", nil, walletapi.WalletList{}, s.list},
		{"POST", "/v1/wallet/unlock", "Unlock a wallet, for a capability with scope, amount and end.", walletapi.UnlockRequest{}, walletapi.UnlockResponse{}, body(s.svc.Unlock)},
		{"POST", "/v1/wallet/lock", "Lock a wallet, or all of them.", walletapi.LockRequest{}, walletapi.LockResponse{}, body(s.lock)},
		{"GET", "/v1/wallet/balance", "What a wallet's accounts have, or one address: ?wallet= and ?address=.", nil, walletapi.BalanceResponse{}, s.balance},
		{"POST", "/v1/wallet/send", "Send coins, and call contracts. Needs a capability; with an Idempotency-Key a repetition sends nothing twice.", walletapi.SendRequest{}, walletapi.SendResponse{}, s.send},
		{"POST", "/v1/wallet/sign", "Sign typed data, a message or a transaction, as what it is shown to be. Needs a capability.", walletapi.SignRequest{}, walletapi.SignResponse{}, s.sign},
		{"GET", "/v1/wallet/tx/{hash}", "How a transaction stands.", nil, walletapi.Transaction{}, s.transaction},
		{"GET", "/v1/wallet/history", "What was sent, newest first: ?wallet= and ?limit=.", nil, walletapi.History{}, s.history},
		{"GET", "/v1/wallet/{id}/policy", "What the owner has set. The wallet must be unlocked.", nil, walletapi.PolicyResponse{}, get(s.svc.Policy)},
		{"PUT", "/v1/wallet/{id}/policy", "Set limits, the allow-list and when a second factor is asked for.", walletapi.PolicyRequest{}, walletapi.PolicyResponse{}, change(s.svc.SetPolicy)},
		{"GET", "/v1/wallet/{id}/audit", "What was done with the wallet, newest first, and whether the log is whole: ?limit=.", nil, walletapi.AuditResponse{}, s.audit},
		{"POST", "/v1/wallet/{id}/backup", "An age file that restores the wallet.", walletapi.BackupRequest{}, walletapi.BackupResponse{}, change(s.svc.Backup)},
		{"POST", "/v1/wallet/{id}/restore", "Make the wallet of an age file again.", walletapi.RestoreRequest{}, walletapi.Wallet{}, change(s.svc.Restore)},
		{"POST", "/v1/wallet/{id}/drill", "Prove that an age file restores to the wallet's addresses. Changes nothing.", walletapi.DrillRequest{}, walletapi.DrillResponse{}, change(s.svc.Drill)},
		{"POST", "/v1/wallet/{id}/export", "Give out the phrase, or an account's key.", walletapi.ExportRequest{}, walletapi.ExportResponse{}, change(s.svc.Export)},
		{"POST", "/v1/wallet/{id}/accounts", "Derive one more account of the phrase.", walletapi.AccountRequest{}, walletapi.Wallet{}, change(s.svc.AddAccount)},
		{"POST", "/v1/wallet/{id}/passphrase", "Change the passphrase.", walletapi.PassphraseRequest{}, nil, s.passphrase},
		{"GET", "/v1/wallet/{id}/2fa", "How the second factor stands.", nil, walletapi.FactorStatus{}, get(s.svc.Factor)},
		{"POST", "/v1/wallet/{id}/2fa", "Begin, confirm or remove a second factor, or make new recovery codes.", walletapi.FactorRequest{}, walletapi.FactorResponse{}, change(s.svc.SetFactor)},
	}
}

// guard lets through what comes from this machine's programs with the API key:
// no page of another origin, and no name that was bent to this address.
func (s *server) guard(next http.Handler) http.Handler {
	return httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if !s.o.AnyHost && !s.knownHost(r.Host) {
			return apierr.New(apierr.Forbidden, "the wallet is not asked by this name: use 127.0.0.1, or name the host in allowed_hosts")
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if !slices.Contains(s.o.Origins, origin) {
				return apierr.New(apierr.Forbidden, "pages of this origin may not ask the wallet")
			}
			allowOrigin(w.Header(), origin)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				w.WriteHeader(http.StatusNoContent)
				return nil
			}
		} else if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "none" && site != "same-origin" {
			return apierr.New(apierr.Forbidden, "other pages may not ask the wallet")
		}
		w.Header().Set("Cache-Control", "no-store")
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return nil
		}
		given := sha256.Sum256([]byte(r.Header.Get("X-Api-Key")))
		if subtle.ConstantTimeCompare(given[:], s.key[:]) != 1 {
			return apierr.New(apierr.Unauthorized, "the API key is missing or wrong: send it as X-Api-Key; aitbc env prints it as AITBC_WALLET_KEY")
		}
		if r.Method == http.MethodPost || r.Method == http.MethodPut {
			if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
				return apierr.New(apierr.Invalid, "send JSON, with Content-Type: application/json")
			}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

func allowOrigin(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT")
	h.Set("Access-Control-Allow-Headers", "Content-Type, X-Api-Key, Idempotency-Key, "+walletapi.CapabilityHeader)
	h.Add("Vary", "Origin")
}

// knownHost reports whether a Host header names this machine, or a host that was
// named in the settings.
func (s *server) knownHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.TrimSuffix(strings.Trim(strings.ToLower(host), "[]"), ".")
	return host == "localhost" || host == "127.0.0.1" || host == "::1" || slices.Contains(s.o.Hosts, host)
}

// body is a handler of a request with a body.
func body[In, Out any](f func(context.Context, In) (Out, error)) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in In
		if err := httpx.DecodeJSON(w, r, &in); err != nil {
			return err
		}
		out, err := f(r.Context(), in)
		if err != nil {
			return err
		}
		httpx.WriteJSON(w, http.StatusOK, out)
		return nil
	}
}

// change is a handler of a request with a body about one wallet.
func change[In, Out any](f func(context.Context, string, In) (Out, error)) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return body(func(ctx context.Context, in In) (Out, error) { return f(ctx, r.PathValue("id"), in) })(w, r)
	}
}

// get is a handler of a question about one wallet.
func get[Out any](f func(context.Context, string) (Out, error)) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		out, err := f(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		httpx.WriteJSON(w, http.StatusOK, out)
		return nil
	}
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) error {
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"status": "ok", "service": "wallet", "uptime_seconds": int(time.Since(s.started).Seconds())})
	return nil
}

func (s *server) serveOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(s.openapi)
	return err
}

func (s *server) list(w http.ResponseWriter, r *http.Request) error {
	out, err := s.svc.List(r.Context())
	return httpx.Answer(w, out, err)
}

func (s *server) lock(ctx context.Context, in walletapi.LockRequest) (walletapi.LockResponse, error) {
	return s.svc.Lock(ctx, in.Wallet)
}

func caller(r *http.Request) daemon.Caller {
	return daemon.Caller{Capability: r.Header.Get(walletapi.CapabilityHeader), IdempotencyKey: r.Header.Get("Idempotency-Key")}
}

func (s *server) send(w http.ResponseWriter, r *http.Request) error {
	return body(func(ctx context.Context, in walletapi.SendRequest) (walletapi.SendResponse, error) {
		return s.svc.Send(ctx, caller(r), in)
	})(w, r)
}

func (s *server) sign(w http.ResponseWriter, r *http.Request) error {
	return body(func(ctx context.Context, in walletapi.SignRequest) (walletapi.SignResponse, error) {
		return s.svc.Sign(ctx, caller(r), in)
	})(w, r)
}

func (s *server) passphrase(w http.ResponseWriter, r *http.Request) error {
	var in walletapi.PassphraseRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	if err := s.svc.SetPassphrase(r.Context(), r.PathValue("id"), in); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) balance(w http.ResponseWriter, r *http.Request) error {
	var address *common.Address
	if text := r.URL.Query().Get("address"); text != "" {
		if !common.IsHexAddress(text) || len(text) != 42 {
			return apierr.New(apierr.Invalid, "address is not 0x and 40 hex digits")
		}
		a := common.HexToAddress(text)
		address = &a
	}
	out, err := s.svc.Balances(r.Context(), r.URL.Query().Get("wallet"), address)
	return httpx.Answer(w, out, err)
}

func (s *server) transaction(w http.ResponseWriter, r *http.Request) error {
	text := r.PathValue("hash")
	if text == "" {
		text = r.PathValue("part")
	}
	var h common.Hash
	if err := h.UnmarshalText([]byte(text)); err != nil || len(text) != 66 {
		return apierr.New(apierr.Invalid, "the hash is not 0x and 64 hex digits")
	}
	out, err := s.svc.Transaction(r.Context(), h)
	return httpx.Answer(w, out, err)
}

func (s *server) history(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	out, err := s.svc.History(r.URL.Query().Get("wallet"), n)
	return httpx.Answer(w, out, err)
}

func (s *server) audit(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	return get(func(ctx context.Context, id string) (walletapi.AuditResponse, error) { return s.svc.Audit(ctx, id, n) })(w, r)
}

func limit(r *http.Request) (int, error) { return httpx.Limit(r, 100, 1000) }
