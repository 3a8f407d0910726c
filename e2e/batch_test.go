package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// The coordinator is killed again and again while it works on a batch. Each line is answered, by one job, and is paid for
// once.
func TestABatchOutlivesKills(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	m := model(t, n)
	before := n.Audit()
	const lines = 120
	var in strings.Builder
	for i := range lines {
		fmt.Fprintf(&in, `{"custom_id":"line-%d","method":"POST","url":"/v1/completions","body":{"model":%q,"prompt":"line %d","max_tokens":8,"temperature":0}}`+"\n", i, m, i)
	}
	c := n.Client()
	f, err := c.PutFile(t.Context(), "in.jsonl", []byte(in.String()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.CreateBatch(t.Context(), api.BatchRequest{InputFileID: f.ID, Endpoint: "/v1/completions", CompletionWindow: "24h"}, "once")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		n.Wait("some lines more", func() bool {
			acc, err := c.Jobs(t.Context())
			return err == nil && len(acc) > 10+25*round
		})
		n.Kill("coordinator")
	}
	n.Wait("the batch's end", func() bool {
		now, err := c.Batch(t.Context(), b.ID)
		if err == nil {
			b = now
		}
		return b.Status == "completed"
	})
	if b.Counts != (api.BatchCounts{Total: lines, Completed: lines}) {
		t.Fatalf("%+v", b)
	}
	var out bytes.Buffer
	if err := c.FileContent(t.Context(), b.OutputFileID, &out); err != nil {
		t.Fatal(err)
	}
	ids, jobs := map[string]bool{}, map[string]bool{}
	for line := range bytes.Lines(out.Bytes()) {
		var l struct {
			CustomID string `json:"custom_id"`
			Response struct {
				RequestID string `json:"request_id"`
			}
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		ids[l.CustomID], jobs[l.Response.RequestID] = true, true
	}
	if len(ids) != lines || len(jobs) != lines {
		t.Fatalf("%d lines, of %d jobs", len(ids), len(jobs))
	}
	if again, err := c.CreateBatch(t.Context(), api.BatchRequest{InputFileID: f.ID, Endpoint: "/v1/completions", CompletionWindow: "24h"}, "once"); err != nil || again.ID != b.ID {
		t.Fatalf("%+v, %v", again, err)
	}
	n.Wait("rest", func() bool { a, err := c.Account(t.Context()); return err == nil && a.Charged == a.Debited })
	all, err := c.Jobs(t.Context()) // the newest hundred
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range all {
		if !jobs[j.JobID.Hex()] && j.Payment != market.Refunded {
			t.Errorf("job %s is no line's, and %s", j.JobID, j.Payment)
		}
	}
	reconciled(t, n)
	n.Conserved(before, n.Audit())
}
