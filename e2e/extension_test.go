package e2e_test

import (
	"encoding/json"
	"fmt"
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

// browserWallet builds the extension and runs one of its scripts in Chromium on a new network. It returns what the
// script printed.
func browserWallet(t *testing.T, o network.Options, script string, args ...string) (*network.Network, []byte) {
	t.Helper()
	browser := chromium(t)
	dir := npmPackages(t, filepath.Join("..", "extension"))
	if err := builtExtension(); err != nil {
		t.Fatal(err)
	}
	n := network.Start(t, o)
	cmd := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join("e2e", script)}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CHROMIUM="+browser, "ETH_RPC_URL="+n.EthRPCURL(), "EXPLORER_URL="+n.ExplorerURL(), "COORDINATOR_URL="+n.APIURL(), "MARKETPLACE_URL="+n.MarketplaceURL(),
		"FAUCET="+filepath.Join(network.Binaries(t), "aitbc")+" faucet --home "+string(n.Home))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return n, out
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

// Every page of the browser wallet is as wide as its window, breaks no rule of axe and asks for nothing that its
// content policy refuses.
func TestBrowserWalletsPages(t *testing.T) {
	t.Parallel()
	if os.Getenv("AITBC_LONG") == "" {
		t.Skip("160 screenshots take minutes: make nightly")
	}
	browserWallet(t, network.Options{}, "look.mjs", t.TempDir())
}
