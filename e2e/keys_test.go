package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
)

// From the command line: a key with a budget is made by the wallet's login, spends no more than that, and is revoked; an
// admin sees it, keeps a miner from work, and the books and the log agree with themselves.
func TestKeysAndAdmins(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	file := filepath.Join(t.TempDir(), "ci.key")
	var made struct {
		api.Key

		File string `json:"key_file"`
	}
	n.JSON(&made, "session", "key", "--budget", "0.000001", "--name", "ci", "--rate", "600", "--file", file)
	if made.File != file || made.Budget == nil || made.RatePerMinute != 600 || made.Session != 1 {
		t.Fatalf("%+v", made)
	}
	key, err := secret.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	limited, err := client.New(n.APIURL(), key)
	if err != nil {
		t.Fatal(err)
	}
	var refused bool
	order := api.SubmitRequest{Model: model(t, n), Prompt: "hello", MaxTokens: 4}
	for range 10_000 {
		if _, err := limited.Submit(t.Context(), order, ""); err != nil {
			if refused = strings.Contains(err.Error(), "budget"); !refused {
				t.Fatal(err)
			}
			break
		}
	}
	if !refused {
		t.Fatal("the budget has no end")
	}
	var keys []api.Key
	n.JSON(&keys, "session", "keys")
	for _, k := range keys {
		if k.ID == made.ID && (k.Spent == nil || k.Spent.Total.Cmp(k.Budget.Total) > 0 || k.Name != "ci") {
			t.Fatalf("%+v", k)
		}
	}
	n.JSON(new(json.RawMessage), "session", "revoke", made.ID.Hex())
	if _, err := limited.Account(t.Context()); err == nil {
		t.Fatal("a revoked key opens the account")
	}
	in := filepath.Join(t.TempDir(), "in.jsonl")
	line := `{"custom_id":"one","method":"POST","url":"/v1/completions","body":{"model":"` + order.Model + `","prompt":"hello","max_tokens":4}}`
	if err := os.WriteFile(in, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := n.Run("batch", "create", in, "--endpoint", "/v1/completions", "--wait"); err != nil || !strings.Contains(string(out), `"custom_id":"one","response":{"status_code":200`) {
		t.Fatalf("%s, %v", out, err)
	}
	var batches []api.Batch
	n.JSON(&batches, "batch", "list")
	if len(batches) != 1 || batches[0].Status != "completed" {
		t.Fatalf("%+v", batches)
	}
	if out, err := n.Run("batch", "output", batches[0].ID); err != nil || !strings.Contains(string(out), `"one"`) {
		t.Fatalf("%s, %v", out, err)
	}
	var log []api.AuditRecord
	n.JSON(&log, "session", "log")
	if len(log) < 4 || log[0].Action != "key_revoked" || log[1].Action != "key_made" || log[2].Action != "login" {
		t.Fatalf("%+v", log)
	}

	if _, err := n.Run("coordinator", "admin", "ledger"); err == nil || !strings.Contains(err.Error(), "admin login") {
		t.Fatalf("without an admin key: %v", err)
	}
	n.JSON(new(json.RawMessage), "coordinator", "admin", "login")
	var miners []api.AdminMiner
	n.JSON(&miners, "coordinator", "admin", "miners")
	if len(miners) != 1 || miners[0].Hold != "none" {
		t.Fatalf("%+v", miners)
	}
	n.JSON(new(json.RawMessage), "coordinator", "admin", "hold", miners[0].Miner.Miner.Hex(), "drain")
	var waiting submitted
	n.JSON(&waiting, "submit", "hello", "--model", order.Model, "--no-wait")
	var jobs []api.AdminJob
	n.JSON(&jobs, "coordinator", "admin", "jobs")
	if len(jobs) != 1 || jobs[0].JobID != waiting.JobID {
		t.Fatalf("%+v", jobs)
	}
	var why api.Explanation
	n.JSON(&why, "explain", waiting.JobID.Hex())
	if len(why.Miners) != 1 || why.Miners[0].Reason != "draining" {
		t.Fatalf("%+v", why)
	}
	n.JSON(new(json.RawMessage), "coordinator", "admin", "hold", miners[0].Miner.Miner.Hex(), "none")
	settled(t, n, waiting.JobID)
	var books api.AdminLedger
	n.JSON(&books, "coordinator", "admin", "ledger")
	if books.Sessions != 1 || books.Charged.IsZero() {
		t.Fatalf("%+v", books)
	}
	var check struct {
		OK      bool          `json:"ok"`
		Records uint64        `json:"records"`
		Lost    market.Amount `json:"lost"`
	}
	n.JSON(&check, "coordinator", "admin", "reconcile")
	if !check.OK {
		t.Fatalf("%+v", check)
	}
	n.JSON(&check, "coordinator", "check")
	if !check.OK || check.Records < 7 {
		t.Fatalf("%+v", check)
	}
}
