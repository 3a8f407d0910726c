package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// A miner needs nobody's help to be paid: when the coordinator settles nothing
// and is gone, its countersignature is worth coins out of its bond.
func TestMinerClaimsWithoutItsCoordinator(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{Genesis: func(g *contracts.Genesis) { g.Market.ClaimDelay = 1 }})
	file := filepath.Join(n.Home.Coordinator(), "config.toml")
	if err := os.WriteFile(file, []byte("settle_every = \"1h\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Kill("coordinator")
	n.Wait("the miner", func() bool {
		out, err := n.Client().Models(t.Context())
		return err == nil && len(out) > 0
	})
	well := func() error { _, err := n.Program("aitbc-miner", "doctor", "--json"); return err }
	n.Wait("a doctor who finds nothing", func() bool { return well() == nil })
	out, err := n.Client().Submit(t.Context(), api.SubmitRequest{Model: model(t, n), Prompt: "Say hello.", MaxTokens: 8}, "")
	if err != nil {
		t.Fatal(err)
	}
	n.Wait("the charge", func() bool { j, ok := state(t, n, out.JobID); return ok && j.Payment == market.Charged })
	n.Signal("coordinator", stopSignal)
	defer n.Signal("coordinator", contSignal)
	if err := well(); err == nil || !strings.Contains(err.Error(), "until the problems above are mended") {
		t.Errorf("the doctor sees no coordinator that is away: %v", err)
	}

	before := n.Balance(n.Miner)
	var lines []struct {
		State    string        `json:"state"`
		Due      market.Amount `json:"due"`
		Paid     market.Amount `json:"paid"`
		FromBond market.Amount `json:"from_bond"`
	}
	claim := func() {
		t.Helper()
		raw, err := n.Program("aitbc-miner", "claim", "--json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &lines); err != nil || len(lines) != 1 {
			t.Fatalf("%v in %s", err, raw)
		}
	}
	n.Wait("the claim", func() bool { claim(); return lines[0].State == "claimed" })
	raw, err := n.Program("aitbc-miner", "earnings", "--json", "--days", "2")
	var earned struct {
		Days  []struct{ Earned market.Amount } `json:"days"`
		Total market.Amount                    `json:"total"`
	}
	if err != nil || json.Unmarshal(raw, &earned) != nil || len(earned.Days) != 2 || earned.Total != lines[0].Paid {
		t.Errorf("earnings after a claim of %s: %v\n%s", lines[0].Paid, err, raw)
	}
	if lines[0].Paid.IsZero() || lines[0].Paid != lines[0].Due || lines[0].FromBond != lines[0].Paid {
		t.Errorf("claimed %+v", lines[0])
	}
	if after := n.Balance(n.Miner); after == before {
		t.Error("the miner's balance did not change")
	}
	p, err := predeploy.NewRegistry(n.Chain()).Participant(t.Context(), predeploy.RoleCoordinator, n.Coordinator, chainclient.Latest)
	if err != nil || p.JailedUntil == 0 {
		t.Errorf("the coordinator is not jailed: %+v, %v", p, err)
	}
	claim()
	if lines[0].State != "paid" {
		t.Errorf("a second claim: %+v", lines[0])
	}
	reconciled(t, n) // a claim out of the bond is no difference
	n.Audit()
}
