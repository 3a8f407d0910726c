package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// state asks for a job through whatever restarts are going on.
func state(t *testing.T, n *network.Network, id common.Hash) (api.Job, bool) {
	t.Helper()
	j, err := n.Client().Job(t.Context(), id)
	return j, err == nil
}

// ended waits until a job is paid in a block or refunded.
func ended(t *testing.T, n *network.Network, id common.Hash) api.Job {
	t.Helper()
	var last api.Job
	n.Wait("the end of "+id.Hex(), func() bool {
		j, ok := state(t, n, id)
		if ok {
			last = j
		}
		return ok && j.State.Terminal() && j.Payment != market.Reserved && j.Payment != market.Charged
	})
	return last
}

// exactlyOnce compares ledger and chain: what the sessions' jobs cost is what
// the chain debited, and what the miner earned is what the chain credited.
func exactlyOnce(t *testing.T, n *network.Network, jobs []common.Hash) {
	t.Helper()
	var sum market.Amount
	for _, id := range jobs {
		j, ok := state(t, n, id)
		if !ok {
			t.Fatalf("job %s cannot be read", id)
		}
		if (j.Payment == market.Refunded) != j.Price.IsZero() {
			t.Errorf("job %s is %s at %s", id, j.Payment, j.Price)
		}
		var err error
		if sum, err = sum.Add(j.Price); err != nil {
			t.Fatal(err)
		}
	}
	acc, err := n.Client().Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if acc.Charged != sum || acc.Debited != sum || !acc.Reserved.IsZero() {
		t.Errorf("jobs cost %s; the ledger charged %s and holds %s, the chain debited %s", sum, acc.Charged, acc.Reserved, acc.Debited)
	}
	credited, err := predeploy.NewMarket(n.Chain()).Credited(t.Context(), n.Coordinator, n.Miner, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	fee, err := market.Fee(market.Amount{}, sum, 250)
	if err != nil {
		t.Fatal(err)
	}
	most, err := sum.Sub(fee)
	if err != nil || credited.Cmp(most) > 0 || (!sum.IsZero() && credited.IsZero()) {
		t.Errorf("the miner was credited %s of at most %s", credited, most)
	}
}

// reconciled fails the test unless the coordinator's ledger agrees with itself
// and with the chain, to the unit.
func reconciled(t *testing.T, n *network.Network) {
	t.Helper()
	raw, err := n.Run("coordinator", "check", "--json")
	var out coordinator.Reconciliation
	if err != nil || json.Unmarshal(raw, &out) != nil || !out.OK || out.Sessions == 0 || out.Miners == 0 {
		t.Errorf("aitbc coordinator check: %v\n%s", err, raw)
	}
}

// Node, coordinator and miner are killed in the middle of a job. It ends paid or
// refunded, once.
func TestKillInTheMiddleOfAJob(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	offerSlow(t, n, slowServer(t, 100*time.Millisecond))
	before := n.Audit()
	var jobs []common.Hash
	for _, service := range []string{"node", "coordinator", "miner"} {
		out, err := n.Client().Submit(t.Context(), api.SubmitRequest{Model: slowModel, Prompt: "count", MaxTokens: 30, TTLSeconds: 60}, "")
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, out.JobID)
		n.Wait("the job to run", func() bool { j, ok := state(t, n, out.JobID); return ok && j.State == market.Running })
		n.Kill(service)
		j := ended(t, n, out.JobID)
		t.Logf("%s killed: %s, %s, %d attempts", service, j.State, j.Payment, j.Attempts)
		if service == "node" && j.Payment != market.Settled {
			t.Errorf("the node's death cost the job: %+v", j)
		}
	}
	n.Wait("rest", func() bool { a, err := n.Client().Account(t.Context()); return err == nil && a.Charged == a.Debited })
	exactlyOnce(t, n, jobs)
	reconciled(t, n)
	n.Conserved(before, n.Audit())
}

// Node, coordinator and miner are killed around the settlement of a job, at
// moments that differ from round to round.
func TestKillInTheMiddleOfASettlement(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	m := model(t, n)
	before := n.Audit()
	var jobs []common.Hash
	for round := range 2 {
		for _, service := range []string{"coordinator", "node", "miner"} {
			var id common.Hash
			n.Wait("a job to be taken", func() bool {
				out, err := n.Client().Submit(t.Context(), api.SubmitRequest{Model: m, Prompt: "Say hello.", MaxTokens: 8, TTLSeconds: 60}, fmt.Sprintf("%s-%d", service, round))
				id = out.JobID
				return err == nil
			})
			jobs = append(jobs, id)
			n.Wait("the charge", func() bool {
				j, ok := state(t, n, id)
				return ok && slices.Contains([]market.PaymentState{market.Charged, market.Settled, market.Refunded}, j.Payment)
			})
			<-time.After(time.Duration(round*len(jobs)) * 37 * time.Millisecond)
			n.Kill(service)
			if j := ended(t, n, id); j.State == market.Completed && j.Payment != market.Settled {
				t.Errorf("%s killed: %+v", service, j)
			}
		}
	}
	n.Wait("rest", func() bool { a, err := n.Client().Account(t.Context()); return err == nil && a.Charged == a.Debited })
	exactlyOnce(t, n, jobs)
	reconciled(t, n)
	n.Conserved(before, n.Audit())
}
