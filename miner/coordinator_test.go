package miner_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

var domain = receipt.Domain{ChainID: 4242, Market: common.HexToAddress("0xA102")}

// key signs with a key made of one byte.
type key struct{ *ecdsa.PrivateKey }

func newKey(b byte) key { return key{crypto.ToECDSAUnsafe(bytes.Repeat([]byte{b}, 32))} }

func (k key) Address() common.Address { return crypto.PubkeyToAddress(k.PublicKey) }

func (k key) SignDigest(d common.Hash) ([]byte, error) { return crypto.Sign(d[:], k.PrivateKey) }

var (
	minerKey       = newKey(1)
	coordinatorKey = newKey(2)
	spenderKey     = newKey(3)
	client         = common.Address{9}
)

// coordinator is a small one: it gives out what is queued, keeps streams, and
// countersigns.
type coordinator struct {
	t      *testing.T
	key    key // it signs with
	server *httptest.Server
	board  *switchboard
	events chan string // what happened, for tests that wait for it

	mu       sync.Mutex // guards the fields below
	logins   int        // the valid key is that of the latest login
	offers   []api.Offer
	queue    []api.Assignment
	streams  map[common.Hash][]api.Piece
	results  map[common.Hash]api.ResultRequest
	accepted int // results taken for the first time
	failures map[common.Hash]api.FailureRequest
	cancel   map[common.Hash]bool
	total    market.Amount
	credited market.Amount
	limit    market.Amount
	running  []common.Hash // of the latest heartbeat
	free     int           // slots, of the latest heartbeat
	shut     []common.Hash // models that take no job, of the latest heartbeat
	stale    []common.Hash // stopped once a heartbeat names them, and then forgotten

	// faults
	down       bool                              // every connection is cut
	cutResults int                               // results that are taken and not answered
	cutStreams int                               // streams that are cut after a piece
	earn       func(market.Amount) market.Amount // what a price adds to the total
}

func newCoordinator(t *testing.T) *coordinator {
	t.Helper()
	c := &coordinator{
		t: t, key: coordinatorKey, events: make(chan string, 1000), streams: map[common.Hash][]api.Piece{}, results: map[common.Hash]api.ResultRequest{},
		failures: map[common.Hash]api.FailureRequest{}, cancel: map[common.Hash]bool{}, limit: market.Coins(1),
		earn: func(price market.Amount) market.Amount { return price },
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/network", httpx.Handler(c.network))
	mux.Handle("POST /v1/miners/register", httpx.Handler(c.register))
	for pattern, h := range map[string]httpx.Handler{
		"POST /v1/miners/heartbeat": c.heartbeat, "GET /v1/miners/jobs": c.next, "POST /v1/miners/drain": c.drain,
		"POST /v1/miners/jobs/{id}/stream": c.stream, "POST /v1/miners/jobs/{id}/result": c.result, "POST /v1/miners/jobs/{id}/failure": c.failure,
	} {
		mux.Handle(pattern, httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
			c.mu.Lock()
			valid, down := fmt.Sprintf("key %d", c.logins), c.down
			c.mu.Unlock()
			if down {
				panic(http.ErrAbortHandler)
			}
			if r.Header.Get("X-Api-Key") != valid {
				return apierr.New(apierr.Unauthorized, "register again")
			}
			return h(w, r)
		}))
	}
	c.board = newSwitchboard(mux)
	c.server = httptest.NewServer(c.board)
	t.Cleanup(func() { c.board.cut(); c.server.CloseClientConnections(); c.server.Close() })
	return c
}

func (c *coordinator) happened(what string) {
	select {
	case c.events <- what:
	default:
		panic("nobody reads events")
	}
}

// wait returns once something has happened.
func (c *coordinator) wait(what string) {
	c.t.Helper()
	late := time.After(60 * time.Second)
	for {
		select {
		case got := <-c.events:
			if got == what {
				return
			}
		case <-late:
			c.t.Fatalf("never happened: %s", what)
		}
	}
}

// set changes the coordinator while it runs.
func (c *coordinator) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// restart forgets keys and streams, as a process does that is started anew.
func (c *coordinator) restart() {
	c.set(func() { c.logins, c.streams = c.logins+1, map[common.Hash][]api.Piece{} })
	c.board.cut()
	c.server.CloseClientConnections()
}

func (c *coordinator) network(w http.ResponseWriter, _ *http.Request) error {
	httpx.WriteJSON(w, 200, api.Network{ChainID: domain.ChainID, Coordinator: c.key.Address(), Market: domain.Market, MarginBps: 100})
	return nil
}

func (c *coordinator) register(w http.ResponseWriter, r *http.Request) error {
	var in api.RegisterRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	if err := receipt.Verify(domain, in.Login(c.key.Address()), in.Signature, minerKey.Address()); err != nil {
		return apierr.Wrap(err, apierr.Forbidden, "bad login")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		panic(http.ErrAbortHandler)
	}
	var err error
	c.offers, err = in.Offers()
	c.logins++
	c.happened("register")
	httpx.WriteJSON(w, 200, api.RegisterResponse{
		APIKey: fmt.Sprintf("key %d", c.logins), HeartbeatSeconds: 1, LeaseSeconds: 3, Coordinator: c.key.Address(), ChainID: domain.ChainID, Market: domain.Market,
	})
	return err
}

func (c *coordinator) heartbeat(w http.ResponseWriter, r *http.Request) error {
	var in api.HeartbeatRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running, c.free, c.shut = in.Running, in.FreeSlots, in.Unavailable
	out := api.HeartbeatResponse{Cancel: []common.Hash{}, MinerTotal: c.total, Credited: c.credited, Limit: c.limit}
	for _, id := range in.Running {
		if c.cancel[id] || slices.Contains(c.stale, id) {
			out.Cancel = append(out.Cancel, id)
		}
	}
	if len(out.Cancel) > 0 && len(c.stale) > 0 {
		c.stale = nil
		c.happened("stale stop")
	}
	c.happened("heartbeat")
	httpx.WriteJSON(w, 200, out)
	return nil
}

func (c *coordinator) next(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	for ctx.Err() == nil {
		c.mu.Lock()
		at := slices.IndexFunc(c.queue, func(a api.Assignment) bool { return !slices.Contains(c.shut, a.Order.Model) })
		if at >= 0 {
			a := c.queue[at]
			c.queue = slices.Delete(c.queue, at, at+1)
			c.mu.Unlock()
			httpx.WriteJSON(w, 200, a)
			return nil
		}
		c.mu.Unlock()
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	c.happened("poll ended")
	return nil
}

func (c *coordinator) drain(w http.ResponseWriter, _ *http.Request) error {
	c.happened("drain")
	httpx.WriteJSON(w, 200, struct{}{})
	return nil
}

func pathID(r *http.Request) common.Hash { return common.HexToHash(r.PathValue("id")) }

func (c *coordinator) stream(w http.ResponseWriter, r *http.Request) error {
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	id := pathID(r)
	if r.URL.Query().Get("lease") != "lease-"+id.Hex() {
		return apierr.New(apierr.LeaseLost, "no such lease")
	}
	w.Header().Set("Connection", "close") // the body may not be read to its end
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		var p api.Piece
		if err := api.Decode(lines.Bytes(), &p); err != nil {
			return err
		}
		stop, err := c.piece(id, p)
		if err != nil {
			return err
		}
		if stop {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	httpx.WriteJSON(w, 200, api.StreamResponse{Delivered: uint64(len(c.streams[id])), Canceled: c.cancel[id]})
	return nil
}

func (c *coordinator) piece(id common.Hash, p api.Piece) (stop bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := uint64(len(c.streams[id]))
	switch {
	case p.Index > n:
		return true, apierr.New(apierr.StreamGap, "gap")
	case p.Index < n:
		if c.streams[id][p.Index].Text != p.Text {
			return true, apierr.New(apierr.Conflict, "differs")
		}
	default:
		c.streams[id] = append(c.streams[id], p)
		c.happened("piece")
	}
	if c.cutStreams > 0 {
		c.cutStreams--
		panic(http.ErrAbortHandler)
	}
	return c.cancel[id], nil
}

func (c *coordinator) result(w http.ResponseWriter, r *http.Request) error {
	var in api.ResultRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	id := pathID(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, again := c.results[id]; !again {
		out, hidden, ids := receipt.NewOutput(salt), false, false
		for _, p := range c.streams[id] {
			hidden = hidden || p.Token
			ids = ids || p.ID != nil || p.Token
			if p.ID != nil {
				out.Token(*p.ID)
			} else {
				out.Text(p.Text)
			}
		}
		if n := uint64(out.Len()); ids && n != in.Receipt.CompletionTokens || n == 0 {
			return apierr.New(apierr.StreamGap, "send the stream again")
		}
		if !hidden && out.Root() != in.Receipt.Output {
			return apierr.New(apierr.Invalid, "output differs")
		}
		c.accepted++
		c.total = must(c.total.Add(c.earn(in.Receipt.Price)))
	}
	c.results[id] = in
	if c.cutResults > 0 {
		c.cutResults--
		c.happened("result cut")
		panic(http.ErrAbortHandler)
	}
	sig, err := receipt.Sign(c.key, domain, receipt.Countersignature{Receipt: receipt.Digest(domain, in.Receipt), Miner: minerKey.Address(), MinerTotal: c.total})
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, 200, api.ResultResponse{Countersignature: sig, MinerTotal: c.total})
	c.happened("result")
	return nil
}

func (c *coordinator) failure(w http.ResponseWriter, r *http.Request) error {
	var in api.FailureRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	c.set(func() { c.failures[pathID(r)] = in })
	c.happened("failure")
	httpx.WriteJSON(w, 200, struct{}{})
	return nil
}

func must(a market.Amount, err error) market.Amount {
	if err != nil {
		panic(err)
	}
	return a
}

var salt = receipt.Salt{7}

// order makes an assignment of a model of the miner's, changed by edit.
func order(t *testing.T, number uint64, edit func(*api.Assignment, *api.Request)) api.Assignment {
	t.Helper()
	req := api.Request{Version: 1, Model: "parrot", Prompt: "a planted secret " + strings.Repeat("x", int(number)), MaxTokens: 100, TemperatureMilli: 700, TopPMilli: 900, TopK: 40, Seed: 1 << 63}
	a := api.Assignment{
		Order: receipt.Order{Session: 5, Number: number, Model: parrotDigest, MaxPrice: market.Coins(1), Deadline: uint64(time.Now().Add(time.Minute).Unix())},
		Salt:  salt[:], Client: client, FeeBps: 250, MarginBps: 100, Rates: rates, Class: parrotClass,
	}
	if edit != nil {
		edit(&a, &req)
	}
	if a.Request == nil {
		var err error
		if a.Request, err = json.Marshal(req); err != nil {
			t.Fatal(err)
		}
	}
	if a.Order.Input == (common.Hash{}) {
		a.Order.Input = receipt.Input(salt, a.Request)
	}
	sig, err := receipt.Sign(spenderKey, domain, a.Order)
	if err != nil {
		t.Fatal(err)
	}
	if a.OrderSignature == (receipt.Signature{}) {
		a.OrderSignature = sig
	}
	if a.JobID == (common.Hash{}) {
		a.JobID = receipt.Digest(domain, a.Order)
	}
	a.Lease = "lease-" + a.JobID.Hex()
	return a
}
