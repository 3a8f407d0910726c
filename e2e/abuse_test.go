package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// post sends JSON to the coordinator with a key and returns status and body.
func post(t *testing.T, n *network.Network, method, path, key string, body any) (int, []byte) {
	t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, n.APIURL()+path, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, raw
}

// refused wants an error of the status and code.
func refused(t *testing.T, status int, raw []byte, wantStatus int, code string) {
	t.Helper()
	if status != wantStatus || !bytes.Contains(raw, []byte(`"`+code+`"`)) {
		t.Errorf("answered %d %s, want %d %s", status, raw, wantStatus, code)
	}
}

// rogue is a second miner, registered on the chain with its own stake, that the
// test plays: its account is the validator's operator, who has coins.
type rogue struct {
	t   *testing.T
	n   *network.Network
	key receipt.Signer
	api string
	net api.RegisterResponse
}

func newRogue(t *testing.T, n *network.Network, offers ...api.Offer) *rogue {
	t.Helper()
	r := &rogue{t: t, n: n, key: n.Key(n.Operator)}
	chain := n.Chain()
	_, err := predeploy.NewRegistry(chain).Register(t.Context(), predeploy.NewSender(chain, r.key), predeploy.Registration{
		Role: predeploy.RoleMiner, Signer: r.key.Address(), Stake: market.Coins(10_000),
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := n.Client().Network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(offers)
	if err != nil {
		t.Fatal(err)
	}
	q := api.RegisterRequest{Miner: r.key.Address(), IssuedAt: uint64(time.Now().Unix()), OffersJSON: string(raw), Slots: 4}
	if q.Signature, err = receipt.Sign(r.key, receipt.Domain{ChainID: info.ChainID, Market: info.Market}, q.Login(info.Coordinator)); err != nil {
		t.Fatal(err)
	}
	status, body := post(t, n, "POST", "/v1/miners/register", "", q)
	if status != http.StatusOK {
		t.Fatalf("register: %d %s", status, body)
	}
	if err := json.Unmarshal(body, &r.net); err != nil {
		t.Fatal(err)
	}
	r.api = r.net.APIKey
	return r
}

func (r *rogue) domain() receipt.Domain {
	return receipt.Domain{ChainID: r.net.ChainID, Market: r.net.Market}
}

func submitSlow(t *testing.T, n *network.Network, tokens uint64) common.Hash {
	t.Helper()
	out, err := n.Client().Submit(t.Context(), api.SubmitRequest{Model: slowModel, Prompt: "count", MaxTokens: tokens, TTLSeconds: 60}, "")
	if err != nil {
		t.Fatal(err)
	}
	return out.JobID
}

func running(t *testing.T, n *network.Network, id common.Hash) {
	t.Helper()
	n.Wait("the job to run", func() bool { j, ok := state(t, n, id); return ok && j.State == market.Running })
}

// A1: a miner that was never assigned posts a result for another's job.
func TestA1UnassignedMinerIsRefused(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	offerSlow(t, n, slowServer(t, 50*time.Millisecond))
	r := newRogue(t, n)
	id := submitSlow(t, n, 60)
	running(t, n, id)
	x := receipt.Receipt{Version: receipt.Version, Order: id, Session: 1, Client: n.Network.Client, Coordinator: n.Coordinator, Miner: r.key.Address(), Price: market.Units(999)}
	sig, err := receipt.Sign(r.key, r.domain(), x)
	if err != nil {
		t.Fatal(err)
	}
	base := "/v1/miners/jobs/" + id.Hex()
	status, raw := post(t, n, "POST", base+"/result", r.api, api.ResultRequest{Lease: "guess", Receipt: x, Signature: sig, FinishReason: "stop"})
	refused(t, status, raw, http.StatusForbidden, "not_assigned")
	status, raw = post(t, n, "POST", base+"/stream?lease=guess", r.api, `{"i":0,"text":"mine"}`+"\n")
	refused(t, status, raw, http.StatusForbidden, "not_assigned")
	status, raw = post(t, n, "POST", base+"/failure", r.api, api.FailureRequest{Lease: "guess", Code: "x", Message: "y"})
	refused(t, status, raw, http.StatusForbidden, "not_assigned")
	j := ended(t, n, id)
	if j.State != market.Completed || *j.Miner != n.Miner {
		t.Errorf("the job was disturbed: %+v", j)
	}
	credited, err := predeploy.NewMarket(n.Chain()).Credited(t.Context(), n.Coordinator, r.key.Address(), chainclient.Latest)
	if err != nil || !credited.IsZero() {
		t.Errorf("the rogue was credited %s: %v", credited, err)
	}
	n.Audit()
}

// A2: a failure is not a completion. A10: a miner that falls silent loses the
// job within seconds. A11: nobody else's weights stand in. The rogue is the only
// one to offer its model.
func TestA2A10A11FailedSilentAndWrongMiners(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	offer := api.Offer{Model: "rare", Digest: common.Hash{42}, Class: "exact/1;test", Context: 512, MaxTokens: 64, Rates: market.Rates{Prompt: market.Coins(1), Completion: market.Coins(1)}}
	r := newRogue(t, n, offer)
	beat := func() {
		if status, raw := post(t, n, "POST", "/v1/miners/heartbeat", r.api, api.HeartbeatRequest{FreeSlots: 1, Running: []common.Hash{}}); status != http.StatusOK {
			t.Fatalf("heartbeat: %d %s", status, raw)
		}
	}
	claim := func() (api.Assignment, common.Hash) {
		t.Helper()
		beat()
		out, err := n.Client().Submit(t.Context(), api.SubmitRequest{Model: "rare", Prompt: "hello", MaxTokens: 8, TTLSeconds: 60}, "")
		if err != nil {
			t.Fatal(err)
		}
		status, raw := post(t, n, "GET", "/v1/miners/jobs?wait=5", r.api, nil)
		var a api.Assignment
		if status != http.StatusOK || json.Unmarshal(raw, &a) != nil || a.JobID != out.JobID {
			t.Fatalf("claim: %d %s", status, raw)
		}
		return a, out.JobID
	}
	// A2
	a, id := claim()
	if status, raw := post(t, n, "POST", "/v1/miners/jobs/"+id.Hex()+"/failure", r.api, api.FailureRequest{Lease: a.Lease, Code: "engine", Message: "no memory"}); status != http.StatusOK {
		t.Fatalf("failure: %d %s", status, raw)
	}
	if j := ended(t, n, id); j.State != market.Failed || j.Payment != market.Refunded || !j.Price.IsZero() {
		t.Errorf("A2: %+v", j)
	}
	// A11: the network's own miner has other weights under another digest; the
	// job waits for the right ones, is lost by the silent rogue, and never runs.
	a, id = claim()
	lost := time.Now()
	n.Wait("the lease to be lost", func() bool { j, ok := state(t, n, id); return ok && j.State == market.Queued })
	t.Logf("A10: requeued %s after the last sign of life", time.Since(lost).Round(100*time.Millisecond))
	status, raw := post(t, n, "POST", "/v1/miners/jobs/"+id.Hex()+"/stream?lease="+a.Lease, r.api, `{"i":0,"text":"late"}`+"\n")
	refused(t, status, raw, http.StatusConflict, "lease_lost")
	var why api.Explanation
	n.JSON(&why, "explain", id.Hex())
	for _, m := range why.Miners {
		if m.Miner == n.Miner && m.Reason != "model_not_offered" {
			t.Errorf("A11: the network's miner is %q for weights that it does not have", m.Reason)
		}
	}
	if _, err := n.Run("cancel", id.Hex()); err != nil {
		t.Fatal(err)
	}
	if j := ended(t, n, id); j.State != market.Canceled || j.Payment != market.Refunded {
		t.Errorf("A10: %+v", j)
	}
	// The name alone buys nothing either.
	if _, err := n.Run("submit", "hi", "--model", "llama3.2"); err == nil || !strings.Contains(err.Error(), "llama3.2") || !strings.Contains(err.Error(), model(t, n)) {
		t.Errorf("A11: a model that nobody offers: %v", err)
	}
	n.Audit()
}

// A3: money moves by its owner's signature only. A4: every hash that we return
// can be fetched from the chain. A8: what cannot be paid does not run.
func TestA3A4A8MoneyMovesBySignature(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	chain := n.Chain()
	info, err := n.Client().Network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// A3: somebody asks for a key to the client's session with a key of their own.
	thief := n.Key(n.Miner)
	q := receipt.KeyRequest{Client: n.Network.Client, Session: 1, IssuedAt: uint64(time.Now().Unix())}
	sig, err := receipt.Sign(thief, receipt.Domain{ChainID: info.ChainID, Market: info.Market}, q)
	if err != nil {
		t.Fatal(err)
	}
	status, raw := post(t, n, "POST", "/v1/sessions/1/key", "", api.KeyRequest{Client: q.Client, IssuedAt: q.IssuedAt, Signature: sig})
	refused(t, status, raw, http.StatusForbidden, "forbidden")
	// A3, on the chain: the miner settles a voucher of the client's that it signed itself.
	v := receipt.Voucher{Session: 1, Through: 9, Cumulative: market.Coins(5)}
	if sig, err = receipt.Sign(thief, receipt.Domain{ChainID: info.ChainID, Market: info.Market}, v); err != nil {
		t.Fatal(err)
	}
	m := predeploy.NewMarket(chain)
	before, err := m.Session(t.Context(), 1, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	batch := predeploy.Batch{Coordinator: n.Coordinator, Vouchers: []predeploy.SignedVoucher{{Voucher: v, Signature: sig}}}
	if _, err := m.Settle(t.Context(), predeploy.NewSender(chain, thief), batch); err == nil {
		t.Error("A3: a stranger settled for the coordinator")
	}
	r, err := m.Settle(t.Context(), predeploy.NewSender(chain, n.Key(n.Coordinator)), batch)
	if err != nil {
		t.Fatal(err)
	}
	if skipped := eventCount(t, r, func(e predeploy.Event) bool { _, ok := e.(*predeploy.EntrySkipped); return ok }); skipped != 1 {
		t.Errorf("A3: %d entries skipped", skipped)
	}
	if after, err := m.Session(t.Context(), 1, chainclient.Latest); err != nil || after.Debited != before.Debited {
		t.Errorf("A3: a forged voucher debited %s: %v", after.Debited, err)
	}
	// A8: more than the deposit can pay.
	out, err := n.Client().Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dear := out.Available
	if dear, err = dear.Add(market.Units(1)); err != nil {
		t.Fatal(err)
	}
	status, raw = post(t, n, "POST", "/v1/jobs", n.APIKey().Reveal(), map[string]any{"model": model(t, n), "prompt": "hi", "max_price": dear})
	refused(t, status, raw, http.StatusPaymentRequired, "insufficient_funds")
	// A4
	var got submitted
	n.JSON(&got, "submit", "Say hello.", "--model", model(t, n), "--max-tokens", "8")
	j := settled(t, n, got.JobID)
	if j.Tx == nil {
		t.Fatal("A4: a settled job names no transaction")
	}
	if r, err := chain.Receipt(t.Context(), *j.Tx); err != nil || r.BlockNumber.Uint64() != j.Block {
		t.Errorf("A4: transaction %s of block %d: %v", j.Tx, j.Block, err)
	}
	n.Audit()
}

func eventCount(t *testing.T, r *types.Receipt, f func(predeploy.Event) bool) int {
	t.Helper()
	count := 0
	for _, l := range r.Logs {
		e, err := predeploy.Decode(*l)
		if err != nil {
			t.Fatal(err)
		}
		if f(e) {
			count++
		}
	}
	return count
}

// proved waits for a job's bundle with its proof.
func proved(t *testing.T, n *network.Network, id common.Hash) *receipt.Bundle {
	t.Helper()
	var b *receipt.Bundle
	n.Wait("the proof", func() bool {
		list, err := n.Client().Receipts(t.Context(), id)
		if err != nil || len(list) != 1 {
			return false
		}
		b, err = receipt.ParseBundle(list[0])
		return err == nil && b.Settlement != nil
	})
	return b
}

// A6: the receipt that is served verifies byte for byte, and stays what it is.
// A7: content is in no receipt, chain, log or public answer.
func TestA6A7ReceiptIsImmutableAndHoldsNoContent(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	const planted = "xyzzy plugh 8675309"
	var got submitted
	n.JSON(&got, "submit", planted, "--model", model(t, n), "--max-tokens", "16")
	settled(t, n, got.JobID)
	proved(t, n, got.JobID)
	fetch := func() []byte {
		raw, err := n.Client().Receipt(t.Context(), got.ReceiptID)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	first := fetch()
	if out, err := n.RunWithInput(string(first), "verify", "-"); err != nil {
		t.Fatalf("A6: %v\n%s", err, out)
	}
	n.Kill("coordinator")
	n.Wait("the coordinator", func() bool { return n.Client().Healthy(t.Context()) == nil })
	if again := fetch(); !bytes.Equal(first, again) {
		t.Error("A6: the receipt changed after a restart")
	}
	for _, path := range []string{"/health", "/v1/miners", "/v1/models", "/v1/network", "/metrics"} {
		if _, raw := post(t, n, "GET", path, "", nil); bytes.Contains(raw, []byte("xyzzy")) {
			t.Errorf("A7: %s shows the prompt", path)
		}
	}
	if bytes.Contains(first, []byte("xyzzy")) {
		t.Error("A7: the receipt shows the prompt")
	}
	n.Down()
	// The coordinator's ledger alone may hold it: this client lets it sign.
	err := filepath.WalkDir(string(n.Home), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() || strings.HasPrefix(path, n.Home.Coordinator()) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil && bytes.Contains(raw, []byte("xyzzy")) {
			t.Errorf("A7: %s holds the prompt", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
