package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// walletClient speaks with the wallet daemon of a network as aitbc env says.
func walletClient(t *testing.T, n *network.Network) *httpx.Client {
	t.Helper()
	var env map[string]string
	n.JSON(&env, "env")
	c, err := httpx.NewClient(env["AITBC_WALLET_URL"])
	if err != nil {
		t.Fatal(err)
	}
	c.Header.Set("X-Api-Key", env["AITBC_WALLET_KEY"])
	return c
}

// A wallet is made, takes test coins, and a hundred programs send with it at
// once, while the daemon is killed: each transaction is in a block exactly once,
// in the order of their numbers.
func TestWalletSendsExactlyOnceThroughKills(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	c := walletClient(t, n)
	post := func(path string, in, out any, header http.Header) error {
		_, err := c.Do(t.Context(), httpx.Request{Method: http.MethodPost, Path: path, JSON: in, Header: header, Timeout: 2 * time.Minute}, out)
		return err
	}
	var made walletapi.CreateResponse
	if err := post("/v1/wallet/create", walletapi.CreateRequest{Name: "main", Passphrase: "correct horse"}, &made, nil); err != nil {
		t.Fatal(err)
	}
	me := made.Wallet.Accounts[0].Address
	var drip struct{ Amount market.Amount }
	n.JSON(&drip, "faucet", me.Hex())
	var balance walletapi.BalanceResponse
	if _, err := c.Do(t.Context(), httpx.Request{Method: http.MethodGet, Path: "/v1/wallet/balance"}, &balance); err != nil || balance.Balance.IsZero() || balance.Balance != drip.Amount {
		t.Fatalf("%+v, %v", balance, err)
	}
	unlock := func() http.Header {
		var out walletapi.UnlockResponse
		n.Wait("the wallet to be unlocked", func() bool {
			return post("/v1/wallet/unlock", walletapi.UnlockRequest{Passphrase: "correct horse", ExpiresInSeconds: 3600}, &out, nil) == nil
		})
		return http.Header{walletapi.CapabilityHeader: {out.Capability}}
	}
	var mu sync.Mutex // guards the following
	header := unlock()
	current := func() http.Header { mu.Lock(); defer mu.Unlock(); return header.Clone() }

	const sends = 100
	bob := common.HexToAddress("0x00000000000000000000000000000000000b0b00")
	acknowledged := make(chan struct{}, sends)
	var wg sync.WaitGroup
	nonces := make([]uint64, sends)
	hashes := make([]common.Hash, sends)
	for i := range sends {
		wg.Go(func() {
			deadline := time.Now().Add(2 * time.Minute)
			for {
				h := current()
				h.Set("Idempotency-Key", "payment "+strconv.Itoa(i))
				var out walletapi.SendResponse
				err := post("/v1/wallet/send", walletapi.SendRequest{To: bob, Amount: market.Units(uint64(1000 + i))}, &out, h)
				if err == nil {
					nonces[i], hashes[i] = out.Transaction.Nonce, out.Transaction.Hash
					acknowledged <- struct{}{}
					return
				}
				if time.Now().After(deadline) {
					t.Errorf("send %d: %v", i, err)
					return
				}
				<-time.After(50 * time.Millisecond) // locked, or not there
			}
		})
	}
	// In the middle of them the daemon dies; aitbc up starts it again, locked.
	for range 20 {
		<-acknowledged
	}
	n.Kill("wallet")
	again := unlock()
	mu.Lock()
	header = again
	mu.Unlock()
	wg.Wait()

	eth, err := chainclient.New(n.EthRPCURL())
	if err != nil {
		t.Fatal(err)
	}
	n.Wait("all to be in blocks", func() bool {
		next, err := eth.Nonce(t.Context(), me, chainclient.Latest)
		return err == nil && next == sends
	})
	var want market.Amount
	seen := map[uint64]bool{}
	for i := range sends {
		if want, err = want.Add(market.Units(uint64(1000 + i))); err != nil {
			t.Fatal(err)
		}
		if seen[nonces[i]] || nonces[i] >= sends {
			t.Errorf("send %d has the number %d, which another has", i, nonces[i])
		}
		seen[nonces[i]] = true
		if r, err := eth.Receipt(t.Context(), hashes[i]); err != nil || r.Status != 1 {
			t.Errorf("send %d: %v", i, err)
		}
	}
	if got, err := eth.Balance(t.Context(), bob, chainclient.Latest); err != nil || got != want {
		t.Errorf("bob has %s, %v, want %s", got, err, want)
	}
	var history walletapi.History
	n.Wait("the wallet to have heard of all", func() bool {
		_, err := c.Do(t.Context(), httpx.Request{Method: http.MethodGet, Path: "/v1/wallet/history?limit=1000"}, &history)
		included := 0
		for _, tx := range history.Transactions {
			if tx.State == walletapi.Included {
				included++
			}
		}
		return err == nil && included == sends
	})
	if out, err := n.Run("wallet", "audit", "verify", "main"); err != nil {
		t.Errorf("%s, %v", out, err)
	}
}

// The commands of a person: create, unlock, send, sign, lock. The passphrase is
// in the file that AITBC_PASSPHRASE_FILE names.
func TestWalletCommands(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	phrase := filepath.Join(t.TempDir(), "phrase")
	var made struct{ Wallet walletapi.Wallet }
	n.JSON(&made, "wallet", "create", "main", "--phrase-file", phrase)
	me := made.Wallet.Accounts[0].Address
	if _, err := n.Run("faucet", me.Hex()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Run("wallet", "send", n.Network.Client.Hex(), "0.5", "--yes"); err == nil || !strings.Contains(err.Error(), "aitbc: hint: aitbc wallet unlock") {
		t.Fatalf("locked: %v", err)
	}
	if _, err := n.Run("wallet", "unlock", "--for", "10m"); err != nil {
		t.Fatal(err)
	}
	before := n.Balance(n.Network.Client)
	if _, err := n.Run("wallet", "send", n.Network.Client.Hex(), "0.5"); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Fatalf("nobody was asked: %v", err)
	}
	var sent walletapi.SendResponse
	n.JSON(&sent, "wallet", "send", n.Network.Client.Hex(), "0.5", "--yes")
	half, err := market.ParseCoins("0.5")
	if err != nil {
		t.Fatal(err)
	}
	after, err := before.Add(half)
	if err != nil || sent.Transaction.State != walletapi.Included || n.Balance(n.Network.Client) != after {
		t.Fatalf("%+v, %v", sent.Transaction, err)
	}
	var tx walletapi.Transaction
	n.JSON(&tx, "wallet", "tx", sent.Transaction.Hash.Hex())
	if tx.Block != sent.Transaction.Block || tx.Block == 0 {
		t.Errorf("%+v", tx)
	}
	// What is signed is what the contract would accept.
	raw := fmt.Sprintf(`{"types":{"Voucher":[{"name":"session","type":"uint64"},{"name":"through","type":"uint64"},{"name":"cumulative","type":"uint128"}]},"primaryType":"Voucher",
"domain":{"name":"AITBC","version":"1","chainId":%d,"verifyingContract":"%s"},"message":{"session":1,"through":2,"cumulative":"3"}}`, n.ChainID, contracts.MarketAddress)
	out, err := n.RunWithInput(raw, "wallet", "sign", "--yes", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var signed walletapi.SignResponse
	if err := json.Unmarshal(out, &signed); err != nil {
		t.Fatal(err)
	}
	v := receipt.Voucher{Session: 1, Through: 2, Cumulative: market.Units(3)}
	if err := receipt.Verify(receipt.Domain{ChainID: n.ChainID, Market: contracts.MarketAddress}, v, receipt.Signature(signed.Signature), me); err != nil {
		t.Errorf("%v: %+v", err, signed)
	}
	if _, err := n.RunWithInput(strings.Replace(raw, fmt.Sprint(n.ChainID), "1", 1), "wallet", "sign", "--yes"); err == nil || !strings.Contains(err.Error(), "is for chain 1") {
		t.Errorf("for another chain: %v", err)
	}
	if _, err := n.Run("wallet", "lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.RunWithInput(raw, "wallet", "sign", "--yes"); err == nil || !strings.Contains(err.Error(), "is locked") {
		t.Errorf("after lock: %v", err)
	}
	// Neither phrase nor passphrase nor capability is in what the services print.
	words, err := os.ReadFile(phrase)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(n.Home.Path("logs", "wallet.log"))
	if err != nil || strings.Contains(string(log), strings.TrimSpace(string(words))) || strings.Contains(string(log), "wcap_") {
		t.Errorf("the log holds a secret, or is not there: %v", err)
	}
}
