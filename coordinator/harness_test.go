package coordinator_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/httpapi"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sqlite"
	"github.com/aitbc/aitbc/coordinator/storetest"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/trace"
)

type account struct{ k *ecdsa.PrivateKey }

func (a account) Address() common.Address                  { return crypto.PubkeyToAddress(a.k.PublicKey) }
func (a account) SignDigest(d common.Hash) ([]byte, error) { return crypto.Sign(d[:], a.k) }

func newAccount(n uint64) account {
	k, err := crypto.ToECDSA(crypto.Keccak256(fmt.Append(nil, "test key ", n)))
	if err != nil {
		panic(err)
	}
	return account{k}
}

var (
	domain      = receipt.Domain{ChainID: 424242, Market: common.HexToAddress("0xA102")}
	coordKey    = newAccount(1)
	clientKey   = newAccount(2)
	modelName   = "tiny"
	modelDigest = common.Hash{7}
	rates       = market.Rates{Prompt: market.Units(1_000_000), Completion: market.Units(2_000_003)}
)

const (
	feeBps    = 250
	marginBps = 100
	class     = "exact/1;arch=llama;quant=q8_0"
)

// house is a coordinator with its HTTP interface, on a fake chain.
type house struct {
	t     *testing.T
	open  func() storetest.Store
	chain *fakeChain
	store storetest.Store
	svc   *coordinator.Service
	srv   *httptest.Server
	stop  func()
	key   string // the client's

	reconcileEvery time.Duration
	keepContent    time.Duration
	tracer         *trace.Tracer
	maxOutput      int
	voucherWait    time.Duration
	log            *slog.Logger
	alter          func(*ledger.Books) // what the ledger is made to say of money
	mute           *atomic.Bool        // while true, it cannot say that it lives
}

// tilted is a store whose books somebody changed.
type tilted struct {
	coordinator.Store
	h *house
}

func (s tilted) Books(ctx context.Context) (*ledger.Books, error) {
	b, err := s.Store.Books(ctx)
	if err == nil && s.h.alter != nil {
		s.h.alter(b)
	}
	return b, err
}

// muted is a cluster of which one replica seems to be dead for a while.
type muted struct {
	coordinator.Cluster
	mute *atomic.Bool
}

func (m muted) Beat(ctx context.Context, state []byte) (ledger.View, error) {
	if m.mute.Load() {
		return ledger.View{}, errors.New("muted")
	}
	return m.Cluster.Beat(ctx, state)
}

func newHouse(t *testing.T) *house {
	path := filepath.Join(t.TempDir(), "c.db")
	return newHouseOn(t, newFakeChain(), func() storetest.Store {
		s, err := sqlite.Open(context.WithoutCancel(t.Context()), sqlite.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func newHouseOn(t *testing.T, chain *fakeChain, open func() storetest.Store) *house {
	h := &house{t: t, chain: chain, open: open, mute: new(atomic.Bool)}
	h.start()
	t.Cleanup(func() { h.stop() })
	h.key = h.openSession(1, market.Coins(1))
	return h
}

// start opens the store and serves. It may be called again after stop.
func (h *house) start() {
	h.t.Helper()
	h.store = h.open()
	cfg := coordinator.Config{
		Domain: domain, Account: coordKey.Address(), Signer: coordKey, Store: tilted{h.store, h}, Chain: h.chain, Log: h.log, MarginBps: marginBps, MinerLimit: market.Coins(1),
		Spender:   func(n uint64) (receipt.Signer, error) { return newAccount(1000 + n), nil },
		Heartbeat: 5 * time.Second, SettleEvery: 50 * time.Millisecond, Translate: httpapi.Translate, KeepContent: h.keepContent, Tracer: h.tracer, MaxOutput: h.maxOutput, ReconcileEvery: h.reconcileEvery, VoucherWait: h.voucherWait,
	}
	if c, ok := h.store.(coordinator.Cluster); ok {
		cfg.Cluster = muted{c, h.mute}
	}
	var err error
	if h.svc, err = coordinator.New(cfg); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	ready, done := make(chan struct{}), make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { done <- h.svc.Run(ctx, func() { close(ready) }) })
	select {
	case <-ready:
	case err := <-done:
		h.t.Fatal(err)
	}
	tracer := h.tracer
	wg.Go(func() { _ = tracer.Run(ctx, func(err error) { h.t.Error(err) }) })
	h.srv = httptest.NewServer(httpapi.New(ctx, h.svc))
	h.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		h.srv.CloseClientConnections()
		h.srv.Close()
		if err := h.store.Close(); err != nil {
			h.t.Error(err)
		}
	})
}

// kill ends a replica without a word to the others.
func (h *house) kill() {
	h.t.Helper()
	if err := h.store.Close(); err != nil {
		h.t.Error(err)
	}
	h.stop()
}

func (h *house) restart() {
	h.t.Helper()
	h.stop()
	h.start()
}

// call sends a request and returns status and body.
func (h *house) call(key, method, path string, body any) (int, []byte) {
	h.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case io.Reader:
		r = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			h.t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.srv.URL+path, r)
	if err != nil {
		h.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := h.srv.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, raw
}

// must calls and decodes, and fails the test on another status.
func must[T any](h *house, want int, key, method, path string, body any) T {
	h.t.Helper()
	status, raw := h.call(key, method, path, body)
	if status != want {
		h.t.Fatalf("%s %s: %d %s, want %d", method, path, status, raw, want)
	}
	var out T
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			h.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return out
}

// refused calls and wants an error of the code.
func (h *house) refused(status int, code, key, method, path string, body any) {
	h.t.Helper()
	got, raw := h.call(key, method, path, body)
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(raw, &e); err != nil || got != status || e.Error.Code != code || e.Error.Message == "" {
		h.t.Fatalf("%s %s: %d %s, want %d %s", method, path, got, raw, status, code)
	}
}

// issued gives each login of the test a second of its own.
var issued atomic.Uint64

func issuedAt() uint64 { return uint64(time.Now().Unix()) + issued.Add(1)%200 }

// signIn has a client's wallet ask for the first key of a session.
func (h *house) signIn(client account, session uint64) string {
	h.t.Helper()
	r := api.KeyRequest{Client: client.Address(), IssuedAt: issuedAt()}
	sig, err := receipt.Sign(client, domain, receipt.KeyRequest{Client: r.Client, Session: session, IssuedAt: r.IssuedAt})
	if err != nil {
		h.t.Fatal(err)
	}
	r.Signature = sig
	return must[api.KeyResponse](h, 200, "", "POST", fmt.Sprintf("/v1/sessions/%d/key", session), r).APIKey
}

func (h *house) openSession(id uint64, deposit market.Amount) string {
	h.t.Helper()
	return h.openSessionOf(clientKey, id, deposit)
}

func (h *house) openSessionOf(client account, id uint64, deposit market.Amount) string {
	h.t.Helper()
	p := must[api.PrepareResponse](h, 200, "", "POST", "/v1/sessions/prepare", api.PrepareRequest{Client: client.Address()})
	h.chain.mu.Lock()
	end := uint64(time.Now().Add(12 * time.Hour).Unix())
	h.chain.sessions[id] = &coordinator.ChainSession{Client: client.Address(), Coordinator: p.Coordinator, Spender: p.Spender, Deposit: deposit, Expiry: end, DueAt: end, FeeBps: feeBps, State: ledger.SessionOpen}
	h.chain.mu.Unlock()
	return h.signIn(client, id)
}

func (h *house) submit(prompt string) common.Hash {
	h.t.Helper()
	zero := 0.0
	return must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: modelName, Prompt: prompt, MaxTokens: 16, Temperature: &zero}).JobID
}

func (h *house) job(id common.Hash) api.Job {
	h.t.Helper()
	return must[api.Job](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex(), nil)
}

// until polls the job until ok, or fails after some seconds.
func (h *house) until(id common.Hash, what string, ok func(api.Job) bool) api.Job {
	h.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		j := h.job(id)
		if ok(j) {
			return j
		}
		select {
		case <-tick.C:
		case <-deadline:
			h.t.Fatalf("job %s never was %s: %+v", id, what, j)
		}
	}
}

// eventually waits for ok, or fails after some seconds.
func (h *house) eventually(what string, ok func() bool) {
	h.t.Helper()
	deadline := time.After(40 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			h.t.Fatalf("there never was %s", what)
		}
	}
}

func (h *house) account() api.Account {
	h.t.Helper()
	return must[api.Account](h, 200, h.key, "GET", "/v1/account", nil)
}

// balanced fails the test unless the books agree with their journal.
func (h *house) balanced() {
	h.t.Helper()
	audit, err := h.store.Audit(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if bad := audit.Check(); len(bad) > 0 {
		h.t.Fatalf("the books do not balance: %+v", bad)
	}
}

// rig is a miner that the test plays.
type rig struct {
	h   *house
	key account
	api string
}

func (h *house) miner(n uint64) *rig {
	h.t.Helper()
	r := &rig{h: h, key: newAccount(100 + n)}
	h.chain.mu.Lock()
	h.chain.signers[r.key.Address()] = r.key.Address()
	h.chain.mu.Unlock()
	r.register(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	return r
}

func (r *rig) login(offers ...api.Offer) api.RegisterRequest {
	raw, err := json.Marshal(offers)
	if err != nil {
		r.h.t.Fatal(err)
	}
	q := api.RegisterRequest{Miner: r.key.Address(), IssuedAt: issuedAt(), OffersJSON: string(raw), Slots: 2}
	if q.Signature, err = receipt.Sign(r.key, domain, q.Login(coordKey.Address())); err != nil {
		r.h.t.Fatal(err)
	}
	return q
}

func (r *rig) register(offers ...api.Offer) {
	r.h.t.Helper()
	r.api = must[api.RegisterResponse](r.h, 200, "", "POST", "/v1/miners/register", r.login(offers...)).APIKey
}

func (r *rig) claim() api.Assignment {
	r.h.t.Helper()
	return must[api.Assignment](r.h, 200, r.api, "GET", "/v1/miners/jobs?wait=5", nil)
}

func (r *rig) path(a api.Assignment, what string) string {
	return "/v1/miners/jobs/" + a.JobID.Hex() + "/" + what
}

// send streams the words as tokens.
func (r *rig) send(a api.Assignment, words ...string) {
	r.h.t.Helper()
	must[api.StreamResponse](r.h, 200, r.api, "POST", r.path(a, "stream?lease="+a.Lease), lines(words...))
}

func lines(words ...string) string {
	var b strings.Builder
	for i, w := range words {
		id := uint32(i + 10)
		raw, err := json.Marshal(api.Piece{Index: uint64(i), ID: &id, Text: w})
		if err != nil {
			panic(err)
		}
		b.Write(append(raw, '\n'))
	}
	return b.String()
}

// receiptFor makes the receipt of an answer of n words.
func (r *rig) receiptFor(a api.Assignment, n int) receipt.Receipt {
	r.h.t.Helper()
	var req api.Request
	if err := json.Unmarshal(a.Request, &req); err != nil {
		r.h.t.Fatal(err)
	}
	out := receipt.NewOutput(receipt.Salt(a.Salt))
	for i := range n {
		out.Token(uint32(i + 10))
	}
	const millis = 7
	price, err := market.Price(a.Rates, market.Usage{PromptTokens: 5, CompletionTokens: uint64(n), ComputeMillis: millis, Items: req.Items()})
	if err != nil {
		r.h.t.Fatal(err)
	}
	now := uint64(time.Now().UnixMilli())
	return receipt.Receipt{
		Version: receipt.Version, Order: a.JobID, Session: a.Order.Session, Client: a.Client, Coordinator: coordKey.Address(), Miner: r.key.Address(),
		Model: a.Order.Model, Class: receipt.Class(a.Class), Output: out.Root(), PromptTokens: 5, CompletionTokens: uint64(n), ComputeMillis: millis, Items: req.Items(),
		PromptRate: a.Prompt, CompletionRate: a.Completion, SecondRate: a.Second, ItemRate: a.Item, Price: price, TemperatureMilli: req.TemperatureMilli, TopPMilli: req.TopPMilli, TopK: req.TopK, Seed: req.Seed,
		StartedAt: now - millis, FinishedAt: now,
	}
}

func (r *rig) signed(a api.Assignment, x receipt.Receipt, reason string) api.ResultRequest {
	r.h.t.Helper()
	sig, err := receipt.Sign(r.key, domain, x)
	if err != nil {
		r.h.t.Fatal(err)
	}
	return api.ResultRequest{Lease: a.Lease, Receipt: x, Signature: sig, FinishReason: reason}
}

// finish streams the words and posts the result.
func (r *rig) finish(a api.Assignment, words ...string) api.ResultResponse {
	r.h.t.Helper()
	r.send(a, words...)
	return must[api.ResultResponse](r.h, 200, r.api, "POST", r.path(a, "result"), r.signed(a, r.receiptFor(a, len(words)), "stop"))
}

func (r *rig) beat(running ...common.Hash) api.HeartbeatResponse {
	r.h.t.Helper()
	return must[api.HeartbeatResponse](r.h, 200, r.api, "POST", "/v1/miners/heartbeat", api.HeartbeatRequest{FreeSlots: 1, Running: append([]common.Hash{}, running...)})
}
