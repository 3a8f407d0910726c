package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/receipt"
)

// explorer asks the network's explorer for a path, with a client's key if given,
// and returns the status and the body.
func explorer(t *testing.T, n *network.Network, path, key string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.ExplorerURL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("X-Api-Key", key)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil // it starts again, perhaps
	}
	defer resp.Body.Close() //nolint:errcheck // a test's
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// shown reads what the explorer shows at a path.
func shown[T any](t *testing.T, n *network.Network, path string) T {
	t.Helper()
	var out T
	status, body := explorer(t, n, path, "")
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// A job is found in the explorer with its settlement and its block, its receipt
// by its client alone, and what it was about nowhere; the supply is the node's own
// to the unit, before and after the explorer was killed.
func TestExplorerShowsAJobAndNeverWhatItWasAbout(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	const secret = "zanzibar-marmalade-7731"
	var got submitted
	n.JSON(&got, "submit", "Remember "+secret+".", "--model", model(t, n), "--max-tokens", "8", "--ttl", "60s")
	job := settled(t, n, got.JobID)
	caughtUp := func() {
		n.Wait("the explorer to have the settlement", func() bool {
			status, body := explorer(t, n, "/api/status", "")
			var s httpapi.Status
			return status == http.StatusOK && json.Unmarshal(body, &s) == nil && s.Head >= job.Block
		})
	}
	caughtUp()

	x := shown[httpapi.TxDetail](t, n, "/api/txs/"+job.Tx.Hex())
	if x.Height != job.Block || !x.OK || x.Method != "settle" || x.Call == nil || x.Call.Contract != "Market" {
		t.Errorf("the settlement: %+v", x)
	}
	list := shown[httpapi.Page[httpapi.Event]](t, n, fmt.Sprintf("/api/events?session=%d", n.Session))
	if len(list.Items) < 2 || list.Items[len(list.Items)-1].Name != "SessionOpened" {
		t.Errorf("the session's events: %+v", list.Items)
	}
	for _, path := range []string{"/coordinator/v1/receipts?job_id=" + got.JobID.Hex(), "/coordinator/v1/receipts/" + job.ReceiptID.Hex()} {
		if status, body := explorer(t, n, path, ""); status != http.StatusUnauthorized {
			t.Errorf("%s without a key: %d %s", path, status, body)
		}
		status, body := explorer(t, n, path, n.APIKey().Reveal())
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		var answer struct{ Receipts []json.RawMessage }
		if json.Unmarshal(body, &answer) == nil && len(answer.Receipts) == 1 {
			body = answer.Receipts[0]
		}
		b, err := receipt.ParseBundle([]byte(strings.TrimSpace(string(body))))
		if err != nil || b.ReceiptID != *job.ReceiptID {
			t.Errorf("%s: %v", path, err)
		}
	}

	paths := []string{
		"/", "/job/" + got.JobID.Hex(), "/api/status", "/api/blocks?limit=1000", "/api/txs?limit=1000", "/api/validators", "/api/miners", "/api/proposals", "/api/supply",
		"/api/parameters", "/api/txs/" + job.Tx.Hex(), fmt.Sprintf("/api/blocks/%d", job.Block), fmt.Sprintf("/api/sessions/%d", n.Session), "/api/addresses/" + n.Network.Client.Hex(),
		"/api/addresses/" + n.Miner.Hex(), "/api/events?limit=1000&address=" + n.Miner.Hex(), "/api/search?q=" + got.JobID.Hex(), "/api/search?q=" + secret,
	}
	for _, path := range paths {
		status, body := explorer(t, n, path, "")
		if status != http.StatusOK || strings.Contains(string(body), secret) {
			t.Errorf("%s: %d, with what the job was about: %t", path, status, strings.Contains(string(body), secret))
		}
	}
	if a := shown[httpapi.Address](t, n, "/api/addresses/"+n.Operator.Hex()); !a.Validator || len(a.Delegations) != 1 {
		t.Errorf("the validator's operator: %+v", a)
	}
	if v := shown[httpapi.Page[httpapi.Validator]](t, n, "/api/validators").Items; len(v) != 1 || !strings.HasSuffix(v[0].Signing, "sss") || v[0].Power == 0 {
		t.Errorf("validators: %+v", v)
	}
	if m := shown[httpapi.Page[httpapi.Miner]](t, n, "/api/miners").Items; len(m) != 1 || m[0].Miner != n.Miner || m[0].Earned.IsZero() || m[0].Stake.IsZero() {
		t.Errorf("miners: %+v", m)
	}

	before := shown[httpapi.Supply](t, n, "/api/supply")
	n.Kill("explorer")
	n.Wait("the explorer", func() bool { status, _ := explorer(t, n, "/health", ""); return status == http.StatusOK })
	caughtUp()
	after := shown[httpapi.Supply](t, n, "/api/supply")
	raw, err := n.Check(int64(after.Height))
	if err != nil {
		t.Fatal(err)
	}
	var audit network.Audit
	if err := json.Unmarshal(raw, &audit); err != nil {
		t.Fatal(err)
	}
	if !after.Whole || after.Height < before.Height || after.Burned.Cmp(before.Burned) < 0 ||
		after.Genesis.Cmp(audit.Supply.Genesis) != 0 || after.Issued.Cmp(audit.Supply.Issued) != 0 || after.Burned.Cmp(audit.Supply.Burned) != 0 || after.Total.Cmp(audit.Supply.Total) != 0 {
		t.Errorf("the explorer's supply %+v is not the node's %+v", after, audit.Supply)
	}
}
