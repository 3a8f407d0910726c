package coordinator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/market"
)

func (h *house) admin() string {
	h.t.Helper()
	return h.newKey(h.login(coordKey), api.CreateKeyRequest{Scope: "admin"}).APIKey
}

func TestAdminSeesWhatThereIsAndNoContent(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	admin := h.admin()
	id := h.submit("a planted prompt")
	jobs := must[api.AdminJobs](h, 200, admin, "GET", "/v1/admin/jobs", nil).Jobs
	if len(jobs) != 1 || jobs[0].JobID != id || jobs[0].Client != clientKey.Address() || jobs[0].Session != 1 || jobs[0].Number != 1 {
		t.Fatalf("%+v", jobs)
	}
	m.finish(m.claim(), "a", " planted", " answer")
	price := h.until(id, "settled", func(j api.Job) bool { return j.Payment == market.Settled }).Price
	var seen strings.Builder
	for _, path := range []string{"jobs?session=1", "accounts", "keys", "miners", "ledger", "audit"} {
		status, raw := h.call(admin, "GET", "/v1/admin/"+path, nil)
		if status != 200 {
			t.Fatalf("%s: %d %s", path, status, raw)
		}
		seen.Write(raw)
	}
	for _, secret := range []string{"planted", h.key, admin} {
		if strings.Contains(seen.String(), secret) {
			t.Errorf("an admin is shown %q", secret)
		}
	}
	if got := must[api.AdminJobs](h, 200, admin, "GET", "/v1/admin/jobs?session=1", nil).Jobs; len(got) != 1 || got[0].Price != price {
		t.Fatalf("%+v", got)
	}
	a := must[api.AdminAccounts](h, 200, admin, "GET", "/v1/admin/accounts", nil).Accounts
	if len(a) != 1 || a[0].Account != clientKey.Address() || a[0].Charged != price || a[0].OpenSessions != 1 {
		t.Fatalf("%+v", a)
	}
	l := must[api.AdminLedger](h, 200, admin, "GET", "/v1/admin/ledger", nil)
	if l.Charged != price || l.Settled != price || !l.Unsettled.IsZero() || l.Earned.IsZero() || l.Sessions != 1 || l.Miners != 1 {
		t.Fatalf("%+v", l)
	}
	if got := must[api.AdminMiners](h, 200, admin, "GET", "/v1/admin/miners", nil).Miners; len(got) != 1 || got[0].Earned != l.Earned || got[0].Hold != "none" || got[0].State != "online" {
		t.Fatalf("%+v", got)
	}
	if got := must[coordinator.Reconciliation](h, 200, admin, "POST", "/v1/admin/reconcile", nil); !got.OK || got.Sessions != 1 {
		t.Fatalf("%+v", got)
	}
	h.refused(404, "not_found", admin, "GET", "/v1/admin/jobs?session=9", nil)
	h.refused(403, "forbidden", admin, "GET", "/v1/account", nil)
	h.refused(403, "forbidden", admin, "POST", "/v1/keys", api.CreateKeyRequest{Scope: "admin"})
}

func TestAdminRevokesAndHoldsMiners(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	admin := h.admin()
	path := "/v1/admin/miners/" + m.key.Address().Hex() + "/hold"
	hold := func(what string) { must[api.HoldRequest](h, 200, admin, "POST", path, api.HoldRequest{Hold: what}) }
	hold("drain")
	id := h.submit("waits")
	if status, raw := h.call(m.api, "GET", "/v1/miners/jobs", nil); status != 204 {
		t.Fatalf("a miner that drains got work: %s", raw)
	}
	if why := must[api.Explanation](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex()+"/explain", nil).Miners; len(why) != 1 || why[0].Reason != "draining" {
		t.Fatalf("%+v", why)
	}
	m.beat()
	h.restart() // it is remembered
	m.register(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	if status, _ := h.call(m.api, "GET", "/v1/miners/jobs", nil); status != 204 {
		t.Fatal("a miner that drains got work after a restart")
	}
	hold("none")
	a := m.claim()
	hold("block")
	h.refused(403, "forbidden", m.api, "POST", m.path(a, "result"), m.signed(a, m.receiptFor(a, 0), "stop"))
	h.refused(403, "forbidden", "", "POST", "/v1/miners/register", m.login(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates}))
	h.until(id, "queued again", func(j api.Job) bool { return j.State == market.Queued })
	other := h.miner(2)
	other.finish(other.claim(), "x")
	h.refused(400, "invalid_argument", admin, "POST", path, api.HoldRequest{Hold: "jail"})
	h.refused(404, "not_found", admin, "POST", "/v1/admin/miners/"+common.Address{9}.Hex()+"/hold", api.HoldRequest{Hold: "block"})

	keys := must[api.KeyList](h, 200, admin, "GET", "/v1/admin/keys?account="+clientKey.Address().Hex(), nil).Keys
	if len(keys) != 1 || keys[0].Account == nil || *keys[0].Account != clientKey.Address() {
		t.Fatalf("%+v", keys)
	}
	must[map[string]string](h, 200, admin, "DELETE", "/v1/admin/keys/"+keys[0].ID.Hex(), nil)
	h.refused(401, "unauthorized", h.key, "GET", "/v1/account", nil)
	log := must[api.AuditLog](h, 200, admin, "GET", "/v1/admin/audit?account="+clientKey.Address().Hex(), nil).Records
	if log[0].Action != "key_revoked" || log[0].Actor != coordKey.Address() {
		t.Fatalf("%+v", log[0])
	}
	raw, err := json.Marshal(must[api.AuditLog](h, 200, admin, "GET", "/v1/admin/audit", nil))
	if err != nil || strings.Count(string(raw), "miner_held") != 3 || !strings.Contains(string(raw), "hold block") {
		t.Fatalf("%s, %v", raw, err)
	}
	h.balanced()
}
