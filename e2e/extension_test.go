package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/market"
)

// builtExtension builds the extension, once for all tests.
var builtExtension = sync.OnceValue(func() error {
	build := exec.Command("npm", "run", "build")
	build.Dir = filepath.Join("..", "extension")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("npm run build: %w\n%s", err, out)
	}
	return nil
})

// walletBrowser builds the extension and returns a browser for it.
func walletBrowser(t *testing.T) string {
	t.Helper()
	browser := chromium(t)
	npmPackages(t, filepath.Join("..", "extension"))
	if err := builtExtension(); err != nil {
		t.Fatal(err)
	}
	return browser
}

// browserWallet builds the extension and runs one of its scripts in Chromium on a new network. It returns what the
// script printed.
func browserWallet(t *testing.T, o network.Options, script string, args ...string) (*network.Network, []byte) {
	t.Helper()
	browser := walletBrowser(t)
	n := network.Start(t, o)
	return n, drive(t, n, []string{"CHROMIUM=" + browser}, script, args...)
}

// drive runs one of the extension's scripts on a network, and returns what it printed.
func drive(t *testing.T, n *network.Network, env []string, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join("e2e", script)}, args...)...)
	cmd.Dir = filepath.Join("..", "extension")
	cmd.Env = append(append(os.Environ(), env...), "ETH_RPC_URL="+n.EthRPCURL(), "EXPLORER_URL="+n.ExplorerURL(), "COORDINATOR_URL="+n.APIURL(), "MARKETPLACE_URL="+n.MarketplaceURL(),
		"FAUCET="+filepath.Join(network.Binaries(t), "aitbc")+" faucet --home "+string(n.Home))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// A person makes a wallet in a real browser, a site asks for payments and signatures, and the browser stops the
// worker in the middle of one: what was agreed to is in a block once, and nothing else is.
func TestBrowserWalletOnARealNetwork(t *testing.T) {
	t.Parallel()
	n, out := browserWallet(t, network.Options{}, "run.mjs")
	var saw struct {
		Account common.Address `json:"account"`
		Sent    uint64         `json:"sent"`
	}
	if err := json.Unmarshal(out, &saw); err != nil || saw.Sent == 0 {
		t.Fatalf("run.mjs printed %q: %v", out, err)
	}
	nonce, err := n.Chain().Nonce(t.Context(), saw.Account, chainclient.Pending)
	if err != nil || nonce != saw.Sent {
		t.Fatalf("the account has sent %d transactions, the person agreed to %d: %v", nonce, saw.Sent, err)
	}
	n.Audit()
}

// A person who has nothing makes a wallet, takes test coins, buys an answer at the marketplace with it, checks the receipt, and has the
// rest of the deposit back to the unit.
func TestBrowserWalletAtTheMarketplace(t *testing.T) {
	t.Parallel()
	n, out := browserWallet(t, network.Options{Genesis: func(g *contracts.Genesis) {
		g.Market.MaxOrderDuration, g.Market.Margin, g.Market.CloseWindow = 15, 2, 20
	}}, "market.mjs", "aitbc-tiny")
	var saw struct {
		Account                    common.Address
		Session                    uint64 `json:",string"`
		Price, Deposit, Paid, Back market.Amount
	}
	if err := json.Unmarshal(out, &saw); err != nil {
		t.Fatalf("market.mjs printed %q: %v", out, err)
	}
	if sum, err := saw.Paid.Add(saw.Back); err != nil || sum != saw.Deposit || saw.Deposit != market.Units(25e17) || saw.Paid != saw.Price || saw.Price.IsZero() {
		t.Errorf("of %s were %s paid, for an answer of %s, and %s back", saw.Deposit, saw.Paid, saw.Price, saw.Back)
	}
	if x := onChain(t, n, saw.Session); x.State != predeploy.StateClosed || x.Client != saw.Account || x.Debited != saw.Paid {
		t.Errorf("on the chain %+v", x)
	}
	n.Audit()
}

// The wallet is on another network, is locked, declines, and the coordinator is away before a deposit, after it, and
// between two answers: the page says each time what is up, nothing is sent unasked, and every coin is paid or back.
func TestBrowserWalletInTroubleAtTheMarketplace(t *testing.T) {
	t.Parallel()
	browser := walletBrowser(t)
	other := network.Start(t, network.Options{})
	n := network.Start(t, network.Options{Genesis: func(g *contracts.Genesis) {
		g.Market.MaxOrderDuration, g.Market.Margin, g.Market.CloseWindow = 15, 2, 20
	}})
	before := n.Audit()
	// The script has the coordinator go and come back.
	back := func() error { return nil }
	mux := http.NewServeMux()
	tell := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	mux.HandleFunc("POST /away", func(w http.ResponseWriter, _ *http.Request) {
		var err error
		back, err = n.Hold("coordinator")
		tell(w, err)
	})
	mux.HandleFunc("POST /back", func(w http.ResponseWriter, _ *http.Request) { tell(w, back()) })
	control := httptest.NewServer(mux)
	defer control.Close()

	out := drive(t, n, []string{"CHROMIUM=" + browser, "OTHER_ETH_RPC_URL=" + other.EthRPCURL(), "CONTROL_URL=" + control.URL}, "trouble.mjs", "aitbc-tiny")
	var saw struct {
		Account  common.Address
		Given    market.Amount
		Price    market.Amount
		Sessions []struct {
			Session             uint64 `json:",string"`
			Deposit, Paid, Back market.Amount
		}
	}
	if err := json.Unmarshal(out, &saw); err != nil || len(saw.Sessions) != 2 {
		t.Fatalf("trouble.mjs printed %q: %v", out, err)
	}
	for i, paid := range []market.Amount{{}, saw.Price} {
		s := saw.Sessions[i]
		if sum, err := s.Paid.Add(s.Back); err != nil || sum != s.Deposit || s.Deposit != market.Units(25e17) || s.Paid != paid {
			t.Errorf("of %s were %s paid, want %s, and %s back", s.Deposit, s.Paid, paid, s.Back)
		}
		if x := onChain(t, n, s.Session); x.State != predeploy.StateClosed || x.Client != saw.Account || x.Debited != s.Paid {
			t.Errorf("on the chain %+v", x)
		}
	}
	want, err := saw.Given.Sub(saw.Price)
	if err != nil || saw.Price.IsZero() {
		t.Fatalf("an answer cost %s of %s: %v", saw.Price, saw.Given, err)
	}
	sent := 0
	n.Wait("the explorer to have all four transactions", func() bool {
		sent = 0
		for _, x := range shown[httpapi.Page[httpapi.Tx]](t, n, "/api/addresses/"+saw.Account.Hex()+"/txs").Items {
			if x.From == saw.Account {
				sent++
			}
		}
		return sent >= 4
	})
	for _, x := range shown[httpapi.Page[httpapi.Tx]](t, n, "/api/addresses/"+saw.Account.Hex()+"/txs").Items {
		if x.From != saw.Account {
			continue
		}
		if want, err = want.Sub(x.Fee); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Balance(saw.Account); got != want || sent != 4 {
		t.Errorf("the account has %s after %d transactions, want %s after 4", got, sent, want)
	}
	if nonce, err := other.Chain().Nonce(t.Context(), saw.Account, chainclient.Pending); err != nil || nonce != 0 {
		t.Errorf("%d transactions on the other network: %v", nonce, err)
	}
	n.Conserved(before, n.Audit())
}

// Every page of the browser wallet is as wide as its window, breaks no rule of axe and asks for nothing that its
// content policy refuses.
func TestBrowserWalletsPages(t *testing.T) {
	t.Parallel()
	if os.Getenv("AITBC_LONG") == "" {
		t.Skip("160 screenshots take minutes: make nightly")
	}
	browserWallet(t, network.Options{}, "look.mjs", t.TempDir())
}
