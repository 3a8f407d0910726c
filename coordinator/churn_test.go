package coordinator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/httpapi"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/storetest"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/spool"
	"github.com/aitbc/aitbc/receipt"
)

// mesh is a network in memory: pipes to servers, which can be cut.
type mesh struct {
	mu      sync.Mutex // guards the fields below
	servers [replicas]*doorway
	cut     map[string]time.Time // until when a client has no network
	conns   map[net.Conn]end
}

// end is who is at the ends of a connection.
type end struct {
	client string
	server int
}

// doorway is where a server accepts.
type doorway struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

var errNoNetwork = errors.New("no network")

func (d *doorway) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *doorway) Close() error   { d.once.Do(func() { close(d.closed) }); return nil }
func (d *doorway) Addr() net.Addr { return &net.UnixAddr{Name: "doorway", Net: "unix"} }

// local is a connection that seems to come from this machine.
type local struct{ net.Conn }

func (local) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// dial connects a client to the server that it prefers or, while that is away, to another, as a balancer of load would.
func (m *mesh) dial(name string, prefers int) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		m.mu.Lock()
		at := prefers % replicas
		for range replicas {
			if m.servers[at] != nil {
				break
			}
			at = (at + 1) % replicas
		}
		d, away := m.servers[at], time.Now().Before(m.cut[name])
		m.mu.Unlock()
		if d == nil || away {
			return nil, errNoNetwork
		}
		ours, theirs := net.Pipe()
		select {
		case d.conns <- local{theirs}:
		case <-d.closed:
			return nil, errNoNetwork
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.conns[ours] = end{name, at}
		return ours, nil
	}
}

// open lets a server be reached, or no more.
func (m *mesh) open(at int, d *doorway) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.servers[at] = d
	m.closeLocked(func(e end) bool { return d == nil && e.server == at })
}

func (m *mesh) closeLocked(which func(end) bool) {
	for c, e := range m.conns {
		if which(e) {
			_ = c.Close()
			delete(m.conns, c)
		}
	}
}

// lose cuts a client's connections, and lets it make none for a while.
func (m *mesh) lose(name string, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut[name] = time.Now().Add(d)
	m.closeLocked(func(e end) bool { return e.client == name })
}

// steady is an engine of which two give the same answer to the same prompt, one token a second.
type steady struct{}

func (steady) Info() engine.Info {
	return engine.Info{Name: modelName, Digest: modelDigest, Class: class, TokenIDs: true, ContextLength: 512}
}
func (steady) Close() error { return nil }

// length is how many tokens the answer to a prompt has.
func length(prompt string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, prompt)
	return 5 + h.Sum64()%40
}

func (steady) Generate(ctx context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	r := engine.Result{PromptTokens: uint64(len(req.Prompt)), FinishReason: engine.Stopped}
	for i := range length(req.Prompt) {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			r.FinishReason = engine.Canceled
			return r, nil
		}
		if err := yield(engine.Token{Index: i, HasID: true, ID: uint32(i + 10), Text: fmt.Sprint(req.Prompt, i, " ")}); err != nil {
			return r, err
		}
		r.CompletionTokens++
	}
	return r, nil
}

// replicas is how many coordinators share the ledger.
const replicas = 2

// churn is a coordinator, its replicas and its miners, of which each may go away and come back.
type churn struct {
	t      *testing.T
	mesh   *mesh
	chain  *fakeChain
	store  *storetest.Memory
	log    *slog.Logger
	key    string
	client *http.Client

	coordinators [replicas]func(way) // what stops them
	miners       []*churned
}

// way is how a coordinator stops.
type way int

const (
	orderly way = iota
	dead        // it can write nothing any more, and leaves nothing in order
)

// churned is a miner, whose spool outlives it.
type churned struct {
	name    string
	prefers int // replica
	key     account
	dir     string
	stop    func()
}

func (c *churn) coordinate(at int) {
	store := c.store.Replica()
	svc, err := coordinator.New(coordinator.Config{
		Domain: domain, Account: coordKey.Address(), Signer: coordKey, Store: store, Cluster: store, Chain: c.chain, Log: c.log, MarginBps: marginBps, MinerLimit: market.Coins(1),
		Spender:   func(n uint64) (receipt.Signer, error) { return newAccount(1000 + n), nil },
		Heartbeat: 10 * time.Second, SettleEvery: 20 * time.Second, Translate: httpapi.Translate,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	ready := make(chan struct{})
	var ended error
	var wg sync.WaitGroup
	wg.Go(func() { ended = svc.Run(ctx, func() { close(ready) }) })
	<-ready
	d := &doorway{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: httpapi.New(ctx, svc), ReadHeaderTimeout: time.Minute}
	wg.Go(func() { _ = srv.Serve(d) }) // closed
	c.mesh.open(at, d)
	c.coordinators[at] = func(how way) {
		c.mesh.open(at, nil)
		if how == dead {
			if err := store.Close(); err != nil {
				c.t.Error(err)
			}
		}
		cancel()
		_ = srv.Close() // connections that the test cut
		wg.Wait()
		if how == orderly && ended != nil {
			c.t.Errorf("replica %d: %v", at, ended)
		}
	}
}

func (c *churn) mine(m *churned) {
	link := httpx.NewClientOver("http://coordinator", c.mesh.dial(m.name, m.prefers))
	kept, err := spool.Open(m.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	svc, err := miner.New(miner.Config{
		Signer: m.key, Coordinator: link, Offerings: []miner.Offering{{Model: steady{}, Rates: rates, MaxTokens: 64}}, Slots: 2, Spool: kept, Version: "churn", Log: c.log,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	m.stop = func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("%s: %v", m.name, err)
		}
		link.Close()
	}
}

// ask sends a request until it is answered, as a client does that gives up on nothing.
func (c *churn) ask(method, path, idem string, in, out any) {
	c.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	for {
		req, err := http.NewRequestWithContext(c.t.Context(), method, "http://coordinator"+path, bytes.NewReader(raw))
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", c.key)
		req.Header.Set("Content-Type", "application/json")
		if idem != "" {
			req.Header.Set("Idempotency-Key", idem)
		}
		resp, err := c.client.Do(req)
		if err == nil {
			body, rerr := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if rerr == nil && resp.StatusCode < 300 {
				if err := json.Unmarshal(body, out); err != nil {
					c.t.Fatal(err)
				}
				return
			}
			// Nobody may have come yet after a restart.
			if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusServiceUnavailable && rerr == nil {
				c.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, body)
			}
		}
		time.Sleep(time.Second)
	}
}

// open opens a session that outlives the test.
func (c *churn) open() {
	c.t.Helper()
	var p api.PrepareResponse
	c.ask("POST", "/v1/sessions/prepare", "", api.PrepareRequest{Client: clientKey.Address()}, &p)
	end := uint64(time.Now().Add(72 * time.Hour).Unix())
	c.chain.mu.Lock()
	c.chain.sessions[1] = &coordinator.ChainSession{Client: clientKey.Address(), Coordinator: p.Coordinator, Spender: p.Spender, Deposit: market.Coins(1), Expiry: end, DueAt: end, FeeBps: feeBps, State: ledger.SessionOpen}
	c.chain.mu.Unlock()
	r := api.KeyRequest{Client: clientKey.Address(), IssuedAt: uint64(time.Now().Unix())}
	var err error
	if r.Signature, err = receipt.Sign(clientKey, domain, receipt.KeyRequest{Client: r.Client, Session: 1, IssuedAt: r.IssuedAt}); err != nil {
		c.t.Fatal(err)
	}
	var k api.KeyResponse
	c.ask("POST", "/v1/sessions/1/key", "", r, &k)
	c.key = k.APIKey
}

// fault lets something go wrong, and returns what.
func (c *churn) fault(chance *rand.Rand) string {
	m := c.miners[chance.IntN(len(c.miners))]
	pause := time.Duration(chance.IntN(90)) * time.Second
	at := chance.IntN(replicas)
	switch chance.IntN(7) {
	case 0:
		for _, stop := range c.coordinators {
			stop(orderly)
		}
		time.Sleep(pause)
		for at := range c.coordinators {
			c.coordinate(at)
		}
		return "the coordinator restarts"
	case 1:
		c.coordinators[at](orderly)
		time.Sleep(pause)
		c.coordinate(at)
		return "a replica restarts"
	case 2:
		c.coordinators[at](dead)
		time.Sleep(pause)
		c.coordinate(at)
		return "a replica dies"
	case 3:
		m.stop()
		time.Sleep(pause)
		c.mine(m)
		return "a miner restarts"
	case 4:
		for _, m := range c.miners {
			c.mesh.lose(m.name, pause)
		}
		return "no miner has a network"
	case 5:
		c.chain.mu.Lock()
		c.chain.lose = true
		c.chain.mu.Unlock()
		return "a settlement's answer is lost"
	default:
		c.mesh.lose(m.name, pause)
		return "a miner loses its network"
	}
}

// inMemory returns a folder for what is not the disk's matter.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "aitbc-churn-") //nolint:usetesting // in memory
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A day of restarts, deaths and lost connections of miners and of two replicas of their coordinator, in fake time, or a quarter of one without AITBC_LONG: every job ends completed, for what its answer costs, and each coin
// that clients paid is where it belongs.
func TestADayOfChurnLosesNoJobAndPaysNoneTwice(t *testing.T) {
	t.Parallel()
	day := 6 * time.Hour
	if os.Getenv("AITBC_LONG") != "" {
		day *= 4
	}
	dirs := []string{inMemory(t), inMemory(t), inMemory(t)}
	synctest.Test(t, func(t *testing.T) {
		c := &churn{t: t, chain: newFakeChain(), store: storetest.NewMemory(), log: slog.New(slog.DiscardHandler), mesh: &mesh{cut: map[string]time.Time{}, conns: map[net.Conn]end{}}}
		transport := &http.Transport{DialContext: c.mesh.dial("client", 0)}
		c.client = &http.Client{Transport: transport, Timeout: time.Minute}
		for at := range c.coordinators {
			c.coordinate(at)
		}
		for i, dir := range dirs {
			m := &churned{name: fmt.Sprint("miner ", i), prefers: i, key: newAccount(uint64(100 + i)), dir: dir}
			c.chain.mu.Lock()
			c.chain.signers[m.key.Address()] = m.key.Address()
			c.chain.mu.Unlock()
			c.miners = append(c.miners, m)
			c.mine(m)
		}
		c.open()

		chance := rand.New(rand.NewPCG(1, 2))
		end := time.Now().Add(day)
		faults := map[string]int{}
		var troubles sync.WaitGroup
		troubles.Go(func() {
			own := rand.New(rand.NewPCG(3, 4))
			for {
				time.Sleep(time.Duration(20+own.IntN(400)) * time.Second)
				if time.Now().After(end) {
					return
				}
				faults[c.fault(own)]++
			}
		})
		type ordered struct {
			id     common.Hash
			prompt string
		}
		var jobs []ordered
		zero := 0.0
		for n := 0; time.Now().Before(end); n++ {
			prompt := fmt.Sprint("job ", n)
			var got api.SubmitResponse
			c.ask("POST", "/v1/jobs", fmt.Sprint("order ", n), api.SubmitRequest{Model: modelName, Prompt: prompt, MaxTokens: 64, Temperature: &zero, TTLSeconds: 1800}, &got)
			jobs = append(jobs, ordered{got.JobID, prompt})
			time.Sleep(time.Duration(5+chance.IntN(60)) * time.Second)
		}
		troubles.Wait()
		time.Sleep(40 * time.Minute) // longer than any order's deadline

		earned, paid := map[common.Address]market.Amount{}, market.Amount{}
		attempts := 0
		for _, want := range jobs {
			j, err := c.store.Job(t.Context(), want.id)
			if err != nil {
				t.Fatal(err)
			}
			price, err := market.Price(rates, market.Usage{PromptTokens: uint64(len(want.prompt)), CompletionTokens: length(want.prompt), Items: 1})
			if err != nil || j.State != market.Completed || j.Payment != market.Settled || j.Price != price {
				t.Fatalf("%s: %s, %s, %s, want %s; %s %s; %v", want.prompt, j.State, j.Payment, j.Price, price, j.ErrorCode, j.ErrorMessage, err)
			}
			attempts += j.Attempts
			if earned[j.Miner], err = earned[j.Miner].Add(j.Earned); err != nil {
				t.Fatal(err)
			}
			if paid, err = paid.Add(j.Price); err != nil {
				t.Fatal(err)
			}
		}
		for _, stop := range c.coordinators {
			stop(orderly)
		}
		for _, m := range c.miners {
			m.stop()
			if got := c.chain.credited[m.key.Address()]; got != earned[m.key.Address()] {
				t.Errorf("%s earned %s and was paid %s", m.name, earned[m.key.Address()], got)
			}
			kept, err := spool.Open(m.dir)
			if err != nil {
				t.Fatal(err)
			}
			if unsent, err := kept.Results(); err != nil || len(unsent) > 0 {
				t.Errorf("%s has %d results that nobody took: %v", m.name, len(unsent), err)
			}
			if iou, err := kept.IOU(coordKey.Address()); err != nil || iou.Total != earned[m.key.Address()] {
				t.Errorf("%s has the coordinator's word for %s and earned %s: %v", m.name, iou.Total, earned[m.key.Address()], err)
			}
		}
		if s := c.chain.sessions[1]; s.Debited != paid {
			t.Errorf("the session was debited %s for jobs of %s", s.Debited, paid)
		}
		transport.CloseIdleConnections()
		t.Logf("%d jobs in %d leases through %v", len(jobs), attempts, faults)
		if len(faults) < 7 || attempts <= len(jobs) {
			t.Errorf("too little went wrong: %v", faults)
		}
	})
}
