package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// A program in Go opens a session whose key it keeps, orders, checks and vouches.
func TestGoSDKOnARealNetwork(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	ctx, key := t.Context(), n.Key(n.Network.Client)
	spender, err := key.Derive("sdk test")
	if err != nil {
		t.Fatal(err)
	}
	w := client.Wallet{Coordinator: n.Client(), Chain: n.Chain(), Key: key}
	id, err := w.OpenSelf(ctx, market.Coins(1), time.Time{}, spender.Address())
	if err != nil {
		t.Fatal(err)
	}
	k, err := w.APIKey(ctx, id, api.ModeSelf, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	remote, err := client.New(n.APIURL(), secret.New(k.APIKey))
	if err != nil {
		t.Fatal(err)
	}
	domain, err := w.Domain(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, err := remote.Session(ctx, domain, spender)
	if err != nil {
		t.Fatal(err)
	}
	s.Keys = client.ChainKeys{Chain: w.Chain}
	var orders []client.Order
	for range 3 {
		o, err := s.Submit(ctx, api.SubmitRequest{Model: model(t, n), Prompt: "Say hello.", MaxTokens: 12})
		if err != nil {
			t.Fatal(err)
		}
		orders = append(orders, o)
	}
	var sum market.Amount
	for _, o := range orders {
		a, err := s.Follow(ctx, o, nil)
		if err != nil || a.State != market.Completed || a.Receipt == nil || !a.Matches || !a.Result.Sealed {
			t.Fatalf("%+v: %v", a, err)
		}
		if sum, err = sum.Add(a.Price); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := s.Vouch(ctx); err != nil || v.Through != 3 || v.Cumulative != sum {
		t.Fatalf("voucher %+v, the jobs cost %s: %v", v, sum, err)
	}
	n.Wait("the payment", func() bool { return onChain(t, n, id).Debited == sum })
	n.Audit()
}

// The example of the TypeScript SDK, as a user runs it.
func TestTypeScriptExampleOnARealNetwork(t *testing.T) {
	t.Parallel()
	dir := npmPackages(t, filepath.Join("..", "sdk", "ts"))
	build := exec.CommandContext(t.Context(), "npm", "run", "build")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("npm run build: %v\n%s", err, out)
	}
	n := network.Start(t, network.Options{})
	payer, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	sender := chainclient.NewSender(n.Chain(), n.Key(n.Network.Client))
	if _, err := sender.Send(t.Context(), chainclient.Tx{To: crypto.PubkeyToAddress(payer.PublicKey), Value: market.Coins(3).Big()}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("build", "examples", "self-signed.js"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "API_URL="+n.APIURL(), "ETH_RPC_URL="+n.EthRPCURL(), "PRIVATE_KEY="+hexutil.Encode(crypto.FromECDSA(payer)))
	cmd.Stderr = os.Stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("self-signed.js: %v\n%s", err, raw)
	}
	var saw struct {
		Session  uint64          `json:"session"`
		Spender  common.Address  `json:"spender"`
		Job      common.Hash     `json:"job"`
		Streamed string          `json:"streamed"`
		Output   string          `json:"output"`
		Price    market.Amount   `json:"price"`
		Matches  bool            `json:"matches"`
		Sealed   bool            `json:"sealed"`
		Receipt  common.Hash     `json:"receipt"`
		Voucher  receipt.Voucher `json:"voucher"`
		Deposit  market.Amount   `json:"deposit"`
	}
	if err := json.Unmarshal(raw, &saw); err != nil {
		t.Fatalf("self-signed.js printed %q: %v", raw, err)
	}
	if saw.Output == "" || saw.Streamed != saw.Output || !saw.Matches || !saw.Sealed || saw.Voucher.Through != 1 || saw.Voucher.Cumulative != saw.Price || saw.Price.IsZero() || saw.Deposit != market.Units(15e17) {
		t.Fatalf("saw %+v", saw)
	}
	n.Wait("the payment", func() bool { return onChain(t, n, saw.Session).Debited == saw.Price })
	if x := onChain(t, n, saw.Session); x.Spender != saw.Spender || x.Through != 1 || x.Client != crypto.PubkeyToAddress(payer.PublicKey) {
		t.Fatalf("on the chain %+v", x)
	}
	n.Audit()
}
