package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// submitted is what submit --json promises.
type submitted struct {
	JobID     common.Hash     `json:"job_id"`
	State     market.JobState `json:"state"`
	Model     string          `json:"model"`
	Output    string          `json:"output"`
	Usage     market.Usage    `json:"usage"`
	Price     market.Amount   `json:"price"`
	Fee       market.Amount   `json:"fee"`
	ReceiptID common.Hash     `json:"receipt_id"`
}

// model returns the model on offer.
func model(t *testing.T, n *network.Network) string {
	t.Helper()
	var models []api.Model
	n.JSON(&models, "models")
	if len(models) == 0 {
		t.Fatal("no model is on offer")
	}
	return models[0].ID
}

// settled waits until a job's payment is in a block.
func settled(t *testing.T, n *network.Network, id common.Hash) api.Job {
	t.Helper()
	var job api.Job
	n.Wait("the payment of "+id.Hex(), func() bool {
		n.JSON(&job, "status", id.Hex())
		if job.Payment == market.Refunded {
			t.Fatalf("refunded: %+v", job)
		}
		return job.Payment == market.Settled
	})
	return job
}

// The main path: a job is ordered, run, paid for in a block and proved, and no
// unit of money is made or lost on the way.
func TestJobIsRunPaidAndProved(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	before := n.Audit()
	chain := n.Chain()
	deposit, err := chain.Balance(t.Context(), contracts.MarketAddress, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if deposit.IsZero() {
		t.Fatal("the Market holds no deposit")
	}

	var got submitted
	n.JSON(&got, "submit", "What is AITBC?", "--model", model(t, n), "--max-tokens", "40", "--temperature", "0")
	if got.State != market.Completed || got.Output == "" || got.Usage.CompletionTokens == 0 || got.Price.IsZero() || got.ReceiptID == (common.Hash{}) {
		t.Fatalf("submit: %+v", got)
	}
	job := settled(t, n, got.JobID)
	if job.State != market.Completed || job.Price != got.Price || job.Block == 0 || job.ReceiptID == nil || *job.ReceiptID != got.ReceiptID {
		t.Fatalf("status: %+v", job)
	}
	after := n.Audit()
	n.Conserved(before, after)

	// The signatures over a block stand in the next one, and so the proof comes a little later.
	var bundles []json.RawMessage
	n.Wait("the receipt's proof", func() bool {
		n.JSON(&bundles, "receipts", "--job-id", got.JobID.Hex())
		if len(bundles) != 1 {
			t.Fatalf("%d receipts", len(bundles))
		}
		b, err := receipt.ParseBundle(bundles[0])
		return err == nil && b.Settlement != nil
	})
	served, err := n.Client().Receipt(t.Context(), got.ReceiptID)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(served, bundles[0]) {
		t.Error("the receipt is not the same by its id and by its job")
	}
	checkBundle(t, n, served, got)

	// The proof needs no network.
	n.Down()
	if out, err := n.RunWithInput(string(served), "verify", "-"); err != nil {
		t.Fatalf("verify: %v\n%s", err, out)
	}
	// And money outlives a restart.
	stopped := n.Audit()
	n.Conserved(after, stopped)
	n.Up()
	if again := n.Audit(); again.Supply.Total != stopped.Supply.Total {
		n.Conserved(stopped, again)
	}
	if b := n.Balance(n.Network.Client); b.IsZero() {
		t.Error("the client's balance is gone")
	}
}

// checkBundle verifies a receipt in process, shows that it is about the job,
// and that no byte of it may be changed.
func checkBundle(t *testing.T, n *network.Network, raw []byte, got submitted) {
	t.Helper()
	out, err := n.Run("trust")
	if err != nil {
		t.Fatal(err)
	}
	var trust receipt.Trust
	if err := json.Unmarshal(out, &trust); err != nil {
		t.Fatal(err)
	}
	report, err := receipt.VerifyBundle(raw, trust)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	r := report.Bundle.Receipt
	if r.Order != got.JobID || r.Price != got.Price || r.CompletionTokens != got.Usage.CompletionTokens || r.Miner != n.Miner || r.Client != n.Network.Client {
		t.Errorf("the receipt is of something else: %+v", r)
	}
	if bytes.Contains(raw, []byte(got.Output)) {
		t.Error("the receipt holds the output")
	}
	// A prime step visits every part of the bundle, from another byte in each run.
	step := 11
	if os.Getenv("AITBC_LONG") != "" {
		step = 1
	}
	for i := int(got.ReceiptID[31]) % step; i < len(raw); i += step {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		if _, err := receipt.VerifyBundle(changed, trust); err == nil && !sameJSON(raw, changed) {
			t.Errorf("byte %d changed from %q to %q and the receipt still verifies", i, raw[i], changed[i])
		}
	}
	file := n.Home.Path("changed.json")
	if err := os.WriteFile(file, bytes.Replace(raw, []byte(`"completionTokens"`), []byte(`"completionTokenz"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Run("verify", file); err == nil || !strings.Contains(err.Error(), `check "format" failed`) {
		t.Errorf("verify of a changed file: %v", err)
	}
}

// sameJSON reports whether two texts are the same value.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
