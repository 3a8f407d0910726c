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
	"github.com/aitbc/aitbc/e2e/network"
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
func browserWallet(t *testing.T, script string, args ...string) (*network.Network, []byte) {
	t.Helper()
	browser := chromium(t)
	dir := npmPackages(t, filepath.Join("..", "extension"))
	if err := builtExtension(); err != nil {
		t.Fatal(err)
	}
	n := network.Start(t, network.Options{})
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
	n, out := browserWallet(t, "run.mjs")
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

// Every page of the browser wallet is as wide as its window, breaks no rule of axe and asks for nothing that its
// content policy refuses.
func TestBrowserWalletsPages(t *testing.T) {
	t.Parallel()
	if os.Getenv("AITBC_LONG") == "" {
		t.Skip("160 screenshots take minutes: make nightly")
	}
	browserWallet(t, "look.mjs", t.TempDir())
}
