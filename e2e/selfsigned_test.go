package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// impatient gives a network whose coordinator settles orders alone that wait
// longer than a second for their voucher.
func impatient(t *testing.T) *network.Network {
	t.Helper()
	n := network.Start(t, network.Options{})
	if err := os.WriteFile(filepath.Join(n.Home.Coordinator(), "config.toml"), []byte("voucher_wait = \"1s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Kill("coordinator")
	n.Wait("the miner", func() bool {
		out, err := n.Client().Models(t.Context())
		return err == nil && len(out) > 0
	})
	return n
}

// onChain returns a session as the real Market has it.
func onChain(t *testing.T, n *network.Network, id uint64) predeploy.Session {
	t.Helper()
	x, err := predeploy.NewMarket(n.Chain()).Session(t.Context(), id, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// A client that keeps its key signs orders and vouchers by the command line. One
// that orders, takes its answer and is never heard of again has paid all the same.
func TestClientSignsItselfAndMayGoAway(t *testing.T) {
	t.Parallel()
	n := impatient(t)
	before := n.Audit()
	var opened struct {
		Session uint64 `json:"session"`
		Mode    string `json:"mode"`
	}
	n.JSON(&opened, "session", "open", "--self", "--deposit", "5")
	x := onChain(t, n, opened.Session)
	if opened.Mode != api.ModeSelf || !slices.Contains(keysOf(t, n), x.Spender) || x.Spender == n.Network.Client {
		t.Fatalf("opened %+v, on the chain %+v", opened, x)
	}

	// It waits for its answer and signs a voucher.
	name := model(t, n)
	var first submitted
	n.JSON(&first, "submit", "Say hello.", "--model", name, "--max-tokens", "8")
	if first.State != market.Completed || first.Output == "" || first.Price.IsZero() {
		t.Fatalf("submit: %+v", first)
	}
	settled(t, n, first.JobID)
	if x = onChain(t, n, opened.Session); x.Through != 1 || x.Debited != first.Price {
		t.Fatalf("by voucher: %+v, the job cost %s", x, first.Price)
	}

	// It goes away.
	var gone api.SubmitResponse
	n.JSON(&gone, "submit", "Say hello again.", "--model", name, "--max-tokens", "8", "--no-wait")
	job := settled(t, n, gone.JobID)
	if x = onChain(t, n, opened.Session); x.Through != 1 {
		t.Fatalf("somebody vouched: %+v", x)
	}
	if sum, err := first.Price.Add(job.Price); err != nil || x.Debited != sum || job.Price.IsZero() {
		t.Fatalf("debited %s, the jobs cost %s and %s: %v", x.Debited, first.Price, job.Price, err)
	}
	if ok, err := predeploy.NewMarket(n.Chain()).OrderSettled(t.Context(), opened.Session, 2, chainclient.Latest); err != nil || !ok {
		t.Fatalf("the order was not settled alone: %v", err)
	}
	verified(t, n, gone.JobID)

	// Its next voucher pays for what was settled alone once, and for the next.
	var third submitted
	n.JSON(&third, "submit", "And again.", "--model", name, "--max-tokens", "8")
	settled(t, n, third.JobID)
	n.JSON(&receipt.Voucher{}, "session", "voucher")
	acc := accountOf(t, n)
	x = onChain(t, n, opened.Session)
	if acc.Session != opened.Session || x.Debited != acc.Charged || acc.Debited != acc.Charged || acc.Orders != 3 {
		t.Fatalf("account %+v, on the chain %+v", acc, x)
	}
	n.Conserved(before, n.Audit())
	if out, err := n.Run("coordinator", "check"); err != nil {
		t.Fatalf("coordinator check: %v\n%s", err, out)
	}
}

// A session is topped up, and followed by the next when it is spent; each keeps its mode.
func TestSessionsAreToppedUpAndRenewed(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	name := model(t, n)
	least := "0.001"
	var opened struct {
		Session uint64 `json:"session"`
	}
	n.JSON(&opened, "session", "open", "--self", "--deposit", least)
	dear := []string{"submit", "Say hello.", "--model", name, "--max-tokens", "8", "--max-price", "0.0011"}
	if out, err := n.Run(dear...); err == nil || !strings.Contains(err.Error(), "session topup") {
		t.Fatalf("an order above the deposit: %s %v", out, err)
	}
	n.JSON(&json.RawMessage{}, "session", "topup", strconv.FormatUint(opened.Session, 10), "--amount", least)
	n.Wait("the larger deposit", func() bool { return accountOf(t, n).Deposit == market.Units(2e15) })
	var got submitted
	n.JSON(&got, append(dear, "--wait")...)

	// What one session cannot pay any more, the next does.
	dear[len(dear)-1] = "0.002"
	n.JSON(&got, append(dear, "--wait", "--renew")...)
	next := accountOf(t, n)
	if next.Session == opened.Session || next.Mode != api.ModeSelf || next.Deposit != market.Units(2e15) || next.Orders != 1 {
		t.Fatalf("renewed %+v", next)
	}
	var list []api.Account
	n.JSON(&list, "session", "list")
	if len(list) < 3 || list[0].Mode != api.ModeDelegated || list[len(list)-1].Session != next.Session {
		t.Fatalf("sessions %+v", list)
	}
	n.JSON(&json.RawMessage{}, "session", "use", strconv.FormatUint(opened.Session, 10))
	if acc := accountOf(t, n); acc.Session != opened.Session || acc.Mode != api.ModeSelf {
		t.Fatalf("used %+v", acc)
	}
	n.JSON(&json.RawMessage{}, "session", "use", strconv.FormatUint(list[0].Session, 10))
	n.JSON(&json.RawMessage{}, "session", "renew", "--deposit", "3")
	if acc := accountOf(t, n); acc.Session <= next.Session || acc.Mode != api.ModeDelegated || acc.Deposit != market.Coins(3) {
		t.Fatalf("renewed %+v", acc)
	}
	n.Audit()
}

func accountOf(t *testing.T, n *network.Network) (a api.Account) {
	t.Helper()
	n.JSON(&a, "account")
	return a
}

func keysOf(t *testing.T, n *network.Network) (keys []common.Address) {
	t.Helper()
	n.JSON(&keys, "keys", "list")
	return keys
}

// verified waits for a receipt's proof and verifies it without the network's word.
func verified(t *testing.T, n *network.Network, job common.Hash) {
	t.Helper()
	var bundles []json.RawMessage
	n.Wait("the receipt's proof", func() bool {
		n.JSON(&bundles, "receipts", "--job-id", job.Hex())
		if len(bundles) != 1 {
			t.Fatalf("%d receipts", len(bundles))
		}
		b, err := receipt.ParseBundle(bundles[0])
		return err == nil && b.Settlement != nil
	})
	if out, err := n.RunWithInput(string(bundles[0]), "verify", "-"); err != nil {
		t.Fatalf("verify: %v\n%s", err, out)
	}
}
