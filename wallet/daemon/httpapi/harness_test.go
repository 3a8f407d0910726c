package httpapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/daemon"
	"github.com/aitbc/aitbc/wallet/daemon/httpapi"
	"github.com/aitbc/aitbc/wallet/ledger"
	"github.com/aitbc/aitbc/wallet/ledger/ledgertest"
	"github.com/aitbc/aitbc/wallet/vault"
)

const (
	apiKey = "key of the wallet"
	page   = "https://wallet.example" // that may ask, and use passkeys
	pass   = "correct horse"
	phrase = "test test test test test test test test test test test junk"
)

var (
	first = common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266") // of the phrase
	bob   = common.HexToAddress("0x00000000000000000000000000000000000000b0")
)

// rig is a running daemon with a chain of its own.
type rig struct {
	t     testing.TB
	dir   string
	chain *chain
	node  daemon.Options
	svc   *daemon.Service
	api   *httpx.Client
	base  string
	stop  func()

	ledger *ledgertest.Device // nil when none is plugged in

	mu  sync.Mutex
	now time.Time // zero for the clock
}

func (r *rig) plugged(context.Context) (io.ReadWriteCloser, error) {
	if r.ledger == nil {
		return nil, ledger.ErrNoDevice
	}
	return r.ledger, nil
}

func start(t testing.TB) *rig {
	t.Helper()
	n, client := newChain(t)
	r := &rig{t: t, dir: t.TempDir(), chain: n}
	r.node = daemon.Options{Dir: r.dir, Chain: client, Cost: vault.Floor, Now: r.clock, Log: slog.New(slog.DiscardHandler), Pages: []string{page, "chrome-extension://abcdefghijklmnop"}, PasskeyDomain: "wallet.example", Ledger: r.plugged}
	r.up()
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.IsZero() {
		return time.Now()
	}
	return r.now
}

// set stops the clock at a time, and moves it.
func (r *rig) set(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = now
}

// up starts the daemon, again after stop.
func (r *rig) up() {
	r.t.Helper()
	svc, err := daemon.New(r.node)
	if err != nil {
		r.t.Fatal(err)
	}
	h, err := httpapi.New(svc, httpapi.Options{Key: secret.New(apiKey), Hosts: []string{"wallet.lan"}, Origins: []string{page}})
	if err != nil {
		r.t.Fatal(err)
	}
	server := httptest.NewServer(h)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := svc.Run(ctx); !errors.Is(err, context.Canceled) {
			r.t.Error(err)
		}
	})
	r.svc, r.base = svc, server.URL
	if r.api, err = httpx.NewClient(server.URL); err != nil {
		r.t.Fatal(err)
	}
	r.api.Header.Set("X-Api-Key", apiKey)
	r.stop = sync.OnceFunc(func() {
		r.api.Close()
		server.Close()
		cancel()
		wg.Wait()
		if err := svc.Close(); err != nil {
			r.t.Error(err)
		}
	})
}

// ask sends a request and decodes the answer into out.
func (r *rig) ask(method, path string, in, out any, headers ...string) error {
	r.t.Helper()
	req := httpx.Request{Method: method, Path: path, JSON: in, Header: http.Header{}, Timeout: 3 * time.Minute}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	_, err := r.api.Do(r.t.Context(), req, out)
	return err
}

// must is ask for what has to work.
func (r *rig) must(method, path string, in, out any, headers ...string) {
	r.t.Helper()
	if err := r.ask(method, path, in, out, headers...); err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// refused is ask for what must be refused with a code.
func (r *rig) refused(code apierr.Code, method, path string, in any, headers ...string) {
	r.t.Helper()
	if err := r.ask(method, path, in, nil, headers...); !apierr.HasCode(err, code) {
		r.t.Errorf("%s %s: %v, want %s", method, path, err, code)
	}
}

// imported makes a wallet of the test phrase, funds it and returns it.
func (r *rig) imported() walletapi.Wallet {
	r.t.Helper()
	var w walletapi.Wallet
	r.must("POST", "/v1/wallet/import", walletapi.ImportRequest{Name: "Main", Passphrase: pass, Mnemonic: phrase}, &w)
	r.chain.fund(first, market.Coins(1000))
	return w
}

// unlock returns the header of a capability.
func (r *rig) unlock(change ...func(*walletapi.UnlockRequest)) []string {
	r.t.Helper()
	in := walletapi.UnlockRequest{Wallet: "Main", Passphrase: pass}
	for _, f := range change {
		f(&in)
	}
	var out walletapi.UnlockResponse
	r.must("POST", "/v1/wallet/unlock", in, &out)
	return []string{walletapi.CapabilityHeader, out.Capability}
}

func send(n uint64) walletapi.SendRequest {
	return walletapi.SendRequest{To: bob, Amount: market.Coins(n), WaitSeconds: 30}
}

func coins(n uint64) *market.Amount { a := market.Coins(n); return &a }
