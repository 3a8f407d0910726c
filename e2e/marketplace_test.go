package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// inBrowser has a browser go a way through the marketplace with the wallet of a key, and returns what the script printed.
func inBrowser(t *testing.T, n *network.Network, browser, key, script string, args ...string) []byte {
	t.Helper()
	return inPage(t, n.MarketplaceURL(), browser, key, script, args...)
}

// inPage has a browser go a way through the pages of a server, likewise.
func inPage(t *testing.T, url, browser, key, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join("e2e", script), url}, args...)...)
	cmd.Dir, cmd.Stderr = npmPackages(t, filepath.Join("..", "web")), os.Stderr
	cmd.Env = append(os.Environ(), "PRIVATE_KEY="+key, "CHROMIUM="+browser)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// payer makes an account with some coins, or with none.
func payer(t *testing.T, n *network.Network, coins market.Amount) (key string, a common.Address) {
	t.Helper()
	k, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	a = crypto.PubkeyToAddress(k.PublicKey)
	if coins.IsZero() {
		return hexutil.Encode(crypto.FromECDSA(k)), a
	}
	sender := chainclient.NewSender(n.Chain(), n.Key(n.Network.Client))
	if _, err := sender.Send(t.Context(), chainclient.Tx{To: a, Value: coins.Big()}); err != nil {
		t.Fatal(err)
	}
	return hexutil.Encode(crypto.FromECDSA(k)), a
}

// A person with a wallet in a browser opens a session, is answered, checks the receipt, loses the page twice, closes, and
// has every coin that was not paid to the unit.
func TestMarketplaceInABrowser(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	n := network.Start(t, network.Options{Genesis: func(g *contracts.Genesis) {
		g.Market.MaxOrderDuration, g.Market.Margin, g.Market.CloseWindow = 15, 2, 20
	}})
	before := n.Audit()
	funds := market.Coins(10)
	key, account := payer(t, n, funds)
	out := t.TempDir()
	raw := inBrowser(t, n, browser, key, "play.mjs", model(t, n), out)
	var saw struct {
		Axe, Violations, Foreign, Asked []string
		Pieces                          int
		Answer, Stopped                 string
		First, Second                   market.Amount
		Receipt                         common.Hash
		Whole, Output, Root             []string
		Session                         uint64 `json:",string"`
		Deposit, Paid, Back             market.Amount
	}
	if err := json.Unmarshal(raw, &saw); err != nil {
		t.Fatalf("play.mjs printed %q: %v", raw, err)
	}
	if len(saw.Violations) > 0 || len(saw.Foreign) > 0 {
		t.Errorf("the content policy was broken, or another origin asked: %q, %q", saw.Violations, saw.Foreign)
	}
	if len(saw.Axe) > 0 {
		t.Errorf("not accessible: %q", saw.Axe)
	}
	if saw.Answer == "" || saw.Pieces < 3 || saw.First.IsZero() {
		t.Errorf("the answer %q came in %d pieces and cost %s", saw.Answer, saw.Pieces, saw.First)
	}
	if !slices.Equal(saw.Whole, []string{"true", "true"}) || saw.Output[0] != "false" || !slices.Equal(saw.Root, []string{"true", "false"}) {
		t.Errorf("the receipt holds %v, with another output %v, with another path %v", saw.Whole, saw.Output, saw.Root)
	}
	file, err := os.ReadFile(filepath.Join(out, "receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := receipt.ParseBundle(file); err != nil || b.ReceiptID != saw.Receipt {
		t.Errorf("the downloaded receipt: %v", err)
	}
	if text, err := n.Run("verify", filepath.Join(out, "receipt.json")); err != nil {
		t.Errorf("aitbc verify: %v\n%s", err, text)
	}

	// Every coin of the deposit was paid or came back, and the account has what it had but for that and its transactions' fees.
	if sum, err := saw.Paid.Add(saw.Back); err != nil || sum != saw.Deposit || saw.Deposit != market.Units(25e17) {
		t.Errorf("of %s were %s paid and %s back", saw.Deposit, saw.Paid, saw.Back)
	}
	if x := onChain(t, n, saw.Session); x.State != predeploy.StateClosed || x.Client != account || x.Debited != saw.Paid {
		t.Errorf("on the chain %+v", x)
	}
	if least, err := saw.First.Add(saw.Second); err != nil || saw.Paid.Cmp(least) < 0 {
		t.Errorf("%s were paid for answers that cost %s and %s", saw.Paid, saw.First, saw.Second)
	}
	want, err := funds.Sub(saw.Paid)
	if err != nil {
		t.Fatal(err)
	}
	sent := shown[httpapi.Page[httpapi.Tx]](t, n, "/api/addresses/"+account.Hex()+"/txs")
	fees := 0
	for _, x := range sent.Items {
		if x.From != account {
			continue
		}
		fees++
		if want, err = want.Sub(x.Fee); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Balance(account); got != want || fees != 2 {
		t.Errorf("the account has %s after %d transactions, want %s after 2", got, fees, want)
	}
	// The wallet was asked once for each declined and each granted thing, and by no answer.
	if want := []string{
		"eth_requestAccounts", "eth_requestAccounts", "wallet_switchEthereumChain", "wallet_addEthereumChain", "wallet_switchEthereumChain",
		"eth_sendTransaction", "eth_sendTransaction", "eth_signTypedData_v4", "eth_signTypedData_v4", "eth_sendTransaction",
	}; !slices.Equal(saw.Asked, want) {
		t.Errorf("the wallet was asked %v, want %v", saw.Asked, want)
	}
	n.Conserved(before, n.Audit())
}

// A person with an empty account is given coins, stakes them in a browser, moves a part to another validator, and votes
// with the rest against its validator's will.
func TestStakeAndVoteInABrowser(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	n := network.Start(t, network.Options{Genesis: func(g *contracts.Genesis) {
		g.Governance.VotingDelay, g.Governance.VotingPeriod = 10, 90
	}})
	before := n.Audit()
	key, account := payer(t, n, market.Amount{})
	inBrowser(t, n, browser, key, "stake.mjs", "begin")
	if got := n.Balance(account); got != market.Coins(100) {
		t.Errorf("the account was given %s", got)
	}
	for body, want := range map[string]int{`{"to":"` + account.Hex() + `"}`: http.StatusConflict, `{"to":"0x12"}`: http.StatusBadRequest, `{}`: http.StatusBadRequest} {
		resp, err := http.Post(n.MarketplaceURL()+"/api/faucet", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", body, resp.StatusCode, want)
		}
	}
	if _, err := n.Run("validator", "create", "--key-file", nodeKeys(t, n)("proof.json", "prove", "--operator", n.Miner.Hex()), "--stake", "10000", "--moniker", "second"); err != nil {
		t.Fatal(err)
	}
	n.Wait("the explorer to have the second validator", func() bool {
		return len(shown[httpapi.Page[httpapi.Validator]](t, n, "/api/validators").Items) == 2
	})
	inBrowser(t, n, browser, key, "stake.mjs", "stake", n.Operator.Hex(), n.Miner.Hex())
	for operator, want := range map[common.Address]market.Amount{n.Operator: market.Coins(30), n.Miner: market.Coins(10)} {
		if d, err := predeploy.NewStaking(n.Chain()).Delegation(t.Context(), account, operator, chainclient.Latest); err != nil || d.Amount != want {
			t.Fatalf("behind %s %+v, want %s: %v", operator, d, want, err)
		}
	}
	var m moved
	n.JSON(&m, "stake", "delegate", "operator", "--amount", "20000") // proposing takes some
	past(t, n, m.Block)
	var p proposal
	n.JSON(&p, "gov", "propose", "param", "--contract", "market", "--set", "feeBps=321", "--description", "<b>Raise</b> the fee")
	inBrowser(t, n, browser, key, "stake.mjs", "vote", n.Operator.Hex())
	n.JSON(&p, "gov", "show", "1")
	if p.Against != market.Coins(30) || len(p.Votes) != 1 || p.Votes[0].Voter != account {
		t.Errorf("votes: %+v", p)
	}
	n.Conserved(before, n.Audit())
}
