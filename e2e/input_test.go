package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Bad input gets a clear error with the right status, and changes nothing.
func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	key, name := n.APIKey().Reveal(), model(t, n)
	before, err := n.Client().Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, path, body, code string
		status                 int
	}{
		{"malformed JSON", "/v1/jobs", `{"model"`, "invalid_argument", http.StatusBadRequest},
		{"unknown field", "/v1/jobs", `{"model":"` + name + `","prompt":"x","discount":1}`, "invalid_argument", http.StatusBadRequest},
		{"negative amount", "/v1/jobs", `{"model":"` + name + `","prompt":"x","max_price":"-5"}`, "invalid_argument", http.StatusBadRequest},
		{"10 MB prompt", "/v1/jobs", `{"model":"` + name + `","prompt":"` + strings.Repeat("a", 10<<20) + `"}`, "too_large", http.StatusRequestEntityTooLarge},
		{"OpenAI, malformed", "/v1/chat/completions", `[`, "invalid_argument", http.StatusBadRequest},
		{"OpenAI, unknown field", "/v1/chat/completions", `{"model":"` + name + `","messages":[{"role":"user","content":"x"}],"discount":1}`, "invalid_argument", http.StatusBadRequest},
		{"OpenAI, 10 MB", "/v1/chat/completions", `{"model":"` + name + `","messages":[{"role":"user","content":"` + strings.Repeat("a", 10<<20) + `"}]}`, "too_large", http.StatusRequestEntityTooLarge},
		{"registration of nobody", "/v1/miners/register", `{"miner":"0x01"}`, "invalid_argument", http.StatusBadRequest},
	} {
		t.Run(c.what, func(t *testing.T) {
			status, raw := post(t, n, "POST", c.path, key, c.body)
			refused(t, status, raw, c.status, c.code)
		})
	}
	after, err := n.Client().Account(t.Context())
	if err != nil || after != before {
		t.Errorf("the account was %+v and is %+v: %v", before, after, err)
	}
	if _, err := n.Run("submit", "hi", "--model", name, "--max-price", "-1"); err == nil || !strings.Contains(err.Error(), "aitbc: ") {
		t.Errorf("a negative price on the command line: %v", err)
	}
}

// What was signed for another chain, has expired or was used already, moves no money.
func TestWrongChainExpiredAndReplayedPayNothing(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	chain := n.Chain()
	m := predeploy.NewMarket(chain)
	coordinator, client, miner := n.Key(n.Coordinator), n.Key(n.Network.Client), n.Key(n.Miner)
	info, err := n.Client().Network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	domain := receipt.Domain{ChainID: info.ChainID, Market: info.Market}
	head, err := chain.Header(t.Context(), chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	// The client holds the spender key of this session itself.
	session, _, err := m.OpenSession(t.Context(), predeploy.NewSender(chain, client), predeploy.Opening{Coordinator: n.Coordinator, Spender: client.Address(), Expiry: head.Time + 3600, Deposit: market.Coins(10)})
	if err != nil {
		t.Fatal(err)
	}
	voucher := func(d receipt.Domain, through, coins uint64) predeploy.SignedVoucher {
		v := receipt.Voucher{Session: session, Through: through, Cumulative: market.Coins(coins)}
		sig, err := receipt.Sign(client, d, v)
		if err != nil {
			t.Fatal(err)
		}
		return predeploy.SignedVoucher{Voucher: v, Signature: sig}
	}
	settle := func(b predeploy.Batch) (skipped int) {
		t.Helper()
		b.Coordinator = n.Coordinator
		r, err := m.Settle(t.Context(), predeploy.NewSender(chain, coordinator), b)
		if err != nil {
			t.Fatal(err)
		}
		return eventCount(t, r, func(e predeploy.Event) bool {
			x, ok := e.(*predeploy.EntrySkipped)
			if ok {
				t.Logf("skipped: kind %d, reason %d", x.Kind, x.Reason)
			}
			return ok
		})
	}
	debited := func() market.Amount {
		t.Helper()
		s, err := m.Session(t.Context(), session, chainclient.Latest)
		if err != nil {
			t.Fatal(err)
		}
		return s.Debited
	}
	elsewhere := domain
	elsewhere.ChainID++
	if settle(predeploy.Batch{Vouchers: []predeploy.SignedVoucher{voucher(elsewhere, 1, 1)}}) != 1 || !debited().IsZero() {
		t.Errorf("a voucher for another chain debited %s", debited())
	}
	two := voucher(domain, 2, 2)
	if settle(predeploy.Batch{Vouchers: []predeploy.SignedVoucher{two}}) != 0 || debited() != market.Coins(2) {
		t.Fatalf("a good voucher debited %s", debited())
	}
	settle(predeploy.Batch{Vouchers: []predeploy.SignedVoucher{two, voucher(domain, 1, 1)}})
	if debited() != market.Coins(2) {
		t.Errorf("a replayed and a stale voucher debited %s", debited())
	}
	// An order that was answered after its deadline.
	now := uint64(time.Now().Unix())
	single := func(number, deadline, finished uint64) predeploy.SingleOrder {
		t.Helper()
		o := receipt.Order{Session: session, Number: number, Model: receipt.ClaimedModel("m"), Input: receipt.Class("x"), MaxPrice: market.Coins(1), Deadline: deadline}
		x := receipt.Receipt{
			Version: receipt.Version, Order: receipt.Digest(domain, o), Session: session, Client: client.Address(), Coordinator: n.Coordinator, Miner: miner.Address(),
			Model: o.Model, Class: receipt.Class("claimed"), PromptTokens: 1_000_000, PromptRate: market.Coins(1), Price: market.Coins(1), StartedAt: finished * 1000, FinishedAt: finished * 1000,
		}
		s := predeploy.SingleOrder{Order: o, Receipt: x, MinerTotal: market.Units(1)}
		var err error
		if s.OrderSignature, err = receipt.Sign(client, domain, o); err != nil {
			t.Fatal(err)
		}
		if s.MinerSignature, err = receipt.Sign(miner, domain, x); err != nil {
			t.Fatal(err)
		}
		if s.Countersignature, err = receipt.Sign(coordinator, domain, receipt.Countersignature{Receipt: receipt.Digest(domain, x), Miner: miner.Address(), MinerTotal: s.MinerTotal}); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if settle(predeploy.Batch{Orders: []predeploy.SingleOrder{single(3, now-60, now-30)}}) != 1 || debited() != market.Coins(2) {
		t.Errorf("an expired order debited %s", debited())
	}
	good := single(4, now+600, now)
	if settle(predeploy.Batch{Orders: []predeploy.SingleOrder{good}}) != 0 || debited() != market.Coins(3) {
		t.Fatalf("a good order debited %s", debited())
	}
	if settle(predeploy.Batch{Orders: []predeploy.SingleOrder{good}}) != 1 || debited() != market.Coins(3) {
		t.Errorf("a replayed order debited %s", debited())
	}
	n.Audit()
}

// A truncated model and a misspelled setting stop the miner with a clear word.
func TestBrokenModelAndSettingsAreNamed(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	n.Down()
	file := filepath.Join(n.Home.Miner(), "config.toml")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join("..", "engine", "exact", "model", "aitbc-tiny.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	cut := n.Home.Path("cut.gguf")
	if err := os.WriteFile(cut, weights[:len(weights)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, text, want string }{
		{"truncated model", strings.Replace(string(good), `kind = "exact"`, "kind = \"exact\"\npath = \""+cut+"\"", 1), "cut.gguf"},
		{"unknown key", string(good) + "\n[mining2]\nspeed = 9\n", "mining2"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := n.Program("aitbc-miner", "start")
			if err == nil || !strings.Contains(err.Error()+string(out), c.want) || !strings.Contains(err.Error()+string(out), "aitbc-miner: ") {
				t.Fatalf("the miner said %v %s", err, out)
			}
		})
	}
}
