package coordinator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

func settled(j api.Job) bool { return j.Payment == market.Settled }

func TestJobIsRunChargedAndSettled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("hello")
	h.refused(425, "too_early", h.key, "GET", "/v1/jobs/"+id.Hex()+"/result", nil)
	a := m.claim()
	if a.JobID != id || receipt.Digest(domain, a.Order) != id || receipt.Input(receipt.Salt(a.Salt), a.Request) != a.Order.Input {
		t.Fatalf("assignment %+v", a)
	}
	got := m.finish(a, "Hel", "lo")
	j := h.until(id, "settled", settled)
	want, err := market.Divide(market.Amount{}, j.Price, feeBps, marginBps)
	if err != nil || j.State != market.Completed || j.Fee != want.Fee || got.MinerTotal != want.Miner {
		t.Fatalf("job %+v, total %s, want %+v", j, got.MinerTotal, want)
	}
	r := must[api.Result](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex()+"/result", nil)
	if r.Output != "Hello" || r.Usage.CompletionTokens != 2 {
		t.Fatalf("result %+v", r)
	}
	acc := h.account()
	if acc.Charged != j.Price || acc.Debited != j.Price || !acc.Reserved.IsZero() {
		t.Fatalf("account %+v", acc)
	}
	if h.chain.credited[m.key.Address()] != want.Miner {
		t.Fatalf("credited %s", h.chain.credited[m.key.Address()])
	}
	h.balanced()
}

// A job may end before whoever ordered it reads: its tokens come one by one all the
// same, as they were said.
func TestTokensOfAJobThatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("hi")
	m.finish(m.claim(), "a", " b", " c")
	status, raw := h.call(h.key, "GET", "/v1/jobs/"+id.Hex()+"/events", nil)
	if n := strings.Count(string(raw), "event: token\n"); status != 200 || n != 3 {
		t.Fatalf("%d, %d tokens in\n%s", status, n, raw)
	}
}

// A1: a miner that was never assigned posts a result for another's job.
func TestA1OnlyTheLeaseHolderCompletes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	thief, m := h.miner(1), h.miner(2)
	id := h.submit("hello")
	a := m.claim()
	stolen := thief.receiptFor(a, 1)
	stolen.Price = market.Units(999)
	h.refused(403, "not_assigned", thief.api, "POST", m.path(a, "stream?lease="+a.Lease), lines("x"))
	h.refused(403, "not_assigned", thief.api, "POST", m.path(a, "result"), thief.signed(a, stolen, "stop"))
	h.refused(403, "not_assigned", thief.api, "POST", m.path(a, "failure"), api.FailureRequest{Lease: a.Lease, Code: "x"})
	if j := h.job(id); j.State != market.Assigned || j.Payment != market.Reserved {
		t.Fatalf("the job changed: %+v", j)
	}
	// Even the holder cannot set another price than the order and offer give.
	m.send(a, "Hi")
	for name, change := range map[string]func(*receipt.Receipt){
		"price":  func(r *receipt.Receipt) { r.Price = market.Units(999) },
		"rate":   func(r *receipt.Receipt) { r.CompletionRate = market.Coins(1) },
		"tokens": func(r *receipt.Receipt) { r.PromptTokens = 1 << 40 },
		"model":  func(r *receipt.Receipt) { r.Model = common.Hash{9} },
		"output": func(r *receipt.Receipt) { r.Output = common.Hash{9} },
		"seed":   func(r *receipt.Receipt) { r.Seed++ },
		"future": func(r *receipt.Receipt) { r.FinishedAt += 1_000_000 },
	} {
		x := m.receiptFor(a, 1)
		change(&x)
		if status, raw := h.call(m.api, "POST", m.path(a, "result"), m.signed(a, x, "stop")); status != 400 {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
	m.finish(a, "Hi")
	h.until(id, "settled", settled)
	h.balanced()
}

// A2: a failure is never a completion.
func TestA2FailureIsNotPaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("hello")
	a := m.claim()
	x := m.receiptFor(a, 0)
	if status, _ := h.call(m.api, "POST", m.path(a, "result"), m.signed(a, x, "failed")); status != 400 {
		t.Fatalf("a failed result was taken: %d", status)
	}
	must[map[string]string](h, 200, m.api, "POST", m.path(a, "failure"), api.FailureRequest{Lease: a.Lease, Code: "engine", Message: "out of memory"})
	j := h.until(id, "failed", func(j api.Job) bool { return j.State == market.Failed })
	if j.Payment != market.Refunded || !j.Price.IsZero() || j.Error == nil || j.Error.Code != "engine" {
		t.Fatalf("job %+v", j)
	}
	if acc := h.account(); !acc.Charged.IsZero() || !acc.Reserved.IsZero() {
		t.Fatalf("account %+v", acc)
	}
	h.balanced()
}

// A8: no reservation, no dispatch.
func TestA8WhatCannotBePaidDoesNotRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	h.key = h.openSession(2, market.Units(3))
	h.refused(402, "insufficient_funds", h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: modelName, Prompt: "hello", MaxTokens: 64})
	low := market.Units(1)
	h.refused(400, "invalid_argument", h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: modelName, Prompt: "hello", MaxTokens: 64, MaxPrice: &low})
	if status, _ := h.call(m.api, "GET", "/v1/miners/jobs?wait=0", nil); status != http.StatusNoContent {
		t.Fatalf("something was dispatched: %d", status)
	}
	h.balanced()
}

// A10: a dead miner's job goes to another within seconds, and the dead one's
// late result changes nothing.
func TestA10DeadMinersJobMovesOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	dead := h.miner(1)
	id := h.submit("hello")
	a := dead.claim()
	dead.send(a, "Hel")
	m := h.miner(2)
	beating := make(chan struct{})
	go func() { // bounded by the test: it ends when the job is claimed
		defer close(beating)
		for h.job(id).State != market.Queued {
			m.beat()
		}
	}()
	<-beating
	b := m.claim()
	if b.JobID != id || b.Lease == a.Lease {
		t.Fatalf("assignment %+v", b)
	}
	h.refused(403, "not_assigned", dead.api, "POST", dead.path(a, "result"), dead.signed(a, dead.receiptFor(a, 1), "stop"))
	m.finish(b, "Hel", "lo")
	j := h.until(id, "settled", settled)
	if *j.Miner != m.key.Address() || j.Attempts != 2 {
		t.Fatalf("job %+v", j)
	}
	if !h.chain.credited[dead.key.Address()].IsZero() {
		t.Fatal("the dead miner was paid")
	}
	h.balanced()
}

// A11: never another model than ordered.
func TestA11NoOtherModelStandsIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	_, raw := h.call(h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: "llama3.2", Prompt: "hi"})
	if !strings.Contains(string(raw), `"model_not_found"`) || !strings.Contains(string(raw), modelName) {
		t.Fatalf("the answer does not list what is on offer: %s", raw)
	}
	h.submit("hello")
	m.register(api.Offer{Model: modelName, Digest: common.Hash{8}, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	if status, raw := h.call(m.api, "GET", "/v1/miners/jobs?wait=0", nil); status != http.StatusNoContent {
		t.Fatalf("a miner of other weights got the job: %s", raw)
	}
	h.refused(400, "invalid_argument", "", "POST", "/v1/miners/register", m.login(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Claimed: true, MaxTokens: 1, Rates: rates}))
}

func TestSameResultTwiceIsPaidOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("hello")
	a := m.claim()
	m.send(a, "Hi")
	r := m.signed(a, m.receiptFor(a, 1), "stop")
	first := must[api.ResultResponse](h, 200, m.api, "POST", m.path(a, "result"), r)
	again := must[api.ResultResponse](h, 200, m.api, "POST", m.path(a, "result"), r)
	if first != again {
		t.Fatalf("%+v and %+v", first, again)
	}
	h.until(id, "settled", settled)
	if got := must[api.ResultResponse](h, 200, m.api, "POST", m.path(a, "result"), r); got != first {
		t.Fatal("the answer changed after settlement")
	}
	h.balanced()
}

func TestCancelPaysForWhatWasDelivered(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	queued := h.submit("one")
	if j := must[api.Job](h, 200, h.key, "DELETE", "/v1/jobs/"+queued.Hex(), nil); j.State != market.Canceled || j.Payment != market.Refunded {
		t.Fatalf("queued: %+v", j)
	}
	early := h.submit("two")
	a := m.claim()
	if j := must[api.Job](h, 200, h.key, "DELETE", "/v1/jobs/"+early.Hex(), nil); j.State != market.Canceled || j.Payment != market.Refunded {
		t.Fatalf("before the first token: %+v", j)
	}
	h.refused(409, "lease_lost", m.api, "POST", m.path(a, "stream?lease="+a.Lease), lines("Hi"))
	late := h.submit("three")
	a = m.claim()
	m.send(a, "Hi", " you")
	must[api.Job](h, 200, h.key, "DELETE", "/v1/jobs/"+late.Hex(), nil)
	if hb := m.beat(late); len(hb.Cancel) == 0 {
		t.Fatal("the miner is not told")
	}
	must[api.ResultResponse](h, 200, m.api, "POST", m.path(a, "result"), m.signed(a, m.receiptFor(a, 2), "canceled"))
	j := h.until(late, "settled", settled)
	if j.State != market.Canceled || j.Price.IsZero() {
		t.Fatalf("after the second token: %+v", j)
	}
	h.balanced()
}

func TestRestartLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	running, waiting := h.submit("one"), h.submit("two")
	a := m.claim()
	m.send(a, "Hi")
	h.restart()
	// The stream was in memory: the result alone is not enough, the stream again is.
	r := m.signed(a, m.receiptFor(a, 2), "stop")
	h.refused(409, "stream_incomplete", m.api, "POST", m.path(a, "result"), r)
	m.send(a, "Hi", " you")
	must[api.ResultResponse](h, 200, m.api, "POST", m.path(a, "result"), r)
	m.beat()
	m.finish(m.claim(), "Yes")
	for _, id := range []common.Hash{running, waiting} {
		h.until(id, "settled", settled)
	}
	h.balanced()
}

func TestSettlementWhoseAnswerIsLostIsNotSentTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	h.chain.mu.Lock()
	h.chain.lose = true
	h.chain.mu.Unlock()
	id := h.submit("hello")
	m.finish(m.claim(), "Hi")
	h.until(id, "settled", settled)
	h.chain.mu.Lock()
	defer h.chain.mu.Unlock()
	if h.chain.settles != 1 {
		t.Fatalf("sent %d times", h.chain.settles)
	}
}

func TestSettlementWaitsForAChainThatIsAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	away := true
	h.chain.mu.Lock()
	h.chain.fail = func() error {
		if away {
			return errors.New("no route")
		}
		return nil
	}
	h.chain.mu.Unlock()
	first := h.submit("one")
	m.finish(m.claim(), "Hi")
	h.until(first, "charged", func(j api.Job) bool { return j.Payment == market.Charged })
	h.restart()
	h.chain.mu.Lock()
	away = false
	h.chain.mu.Unlock()
	h.until(first, "settled", settled)
	if acc := h.account(); acc.Debited != acc.Charged {
		t.Fatalf("account %+v", acc)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.miner(1)
	post := func(body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.srv.URL+"/v1/jobs", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", h.key)
		req.Header.Set("Idempotency-Key", "k1")
		resp, err := h.srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var out api.SubmitResponse
		_ = json.NewDecoder(resp.Body).Decode(&out)
		return resp.StatusCode, out.JobID.Hex()
	}
	one := fmt.Sprintf(`{"model":%q,"prompt":"hi"}`, modelName)
	s1, id1 := post(one)
	s2, id2 := post(one)
	s3, _ := post(fmt.Sprintf(`{"model":%q,"prompt":"ho"}`, modelName))
	if s1 != 202 || s2 != 202 || id1 != id2 || s3 != 409 {
		t.Fatalf("%d %s, %d %s, %d", s1, id1, s2, id2, s3)
	}
}

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.miner(1)
	before := h.account()
	for _, c := range []struct {
		name, body, code string
		status           int
	}{
		{"malformed JSON", `{"model":`, "invalid_argument", 400},
		{"two values", `{"model":"tiny","prompt":"x"} {}`, "invalid_argument", 400},
		{"unknown field", `{"model":"tiny","prompt":"x","cheap":true}`, "invalid_argument", 400},
		{"negative amount", `{"model":"tiny","prompt":"x","max_price":"-1"}`, "invalid_argument", 400},
		{"amount as a number", `{"model":"tiny","prompt":"x","max_price":1}`, "invalid_argument", 400},
		{"negative tokens", `{"model":"tiny","prompt":"x","max_tokens":-1}`, "invalid_argument", 400},
		{"no prompt", `{"model":"tiny"}`, "invalid_argument", 400},
		{"both prompts", `{"model":"tiny","prompt":"x","messages":[{"role":"user","content":"x"}]}`, "invalid_argument", 400},
		{"bad role", `{"model":"tiny","messages":[{"role":"boss","content":"x"}]}`, "invalid_argument", 400},
		{"hot", `{"model":"tiny","prompt":"x","temperature":3}`, "invalid_argument", 400},
		{"long ttl", `{"model":"tiny","prompt":"x","ttl_seconds":99999999}`, "invalid_argument", 400},
		{"10 MB prompt", `{"model":"tiny","prompt":"` + strings.Repeat("x", 10<<20) + `"}`, "too_large", 413},
		{"300 KB prompt", `{"model":"tiny","prompt":"` + strings.Repeat("x", 300<<10) + `"}`, "too_large", 413},
	} {
		t.Run(c.name, func(t *testing.T) { h.refused(c.status, c.code, h.key, "POST", "/v1/jobs", c.body) })
	}
	h.refused(401, "unauthorized", "", "POST", "/v1/jobs", `{}`)
	h.refused(401, "unauthorized", "aitbc_nope", "POST", "/v1/jobs", `{}`)
	h.refused(400, "invalid_argument", h.key, "GET", "/v1/jobs/12", nil)
	h.refused(404, "not_found", h.key, "GET", "/v1/jobs/"+common.Hash{1}.Hex(), nil)
	if after := h.account(); after != before {
		t.Fatalf("%+v became %+v", before, after)
	}
}

func TestNobodySeesAnothersJobs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("secret prompt")
	m.finish(m.claim(), "secret answer")
	h.until(id, "settled", settled)
	mine := h.key
	h.key = h.openSession(2, market.Coins(1))
	for _, path := range []string{"/v1/jobs/" + id.Hex(), "/v1/jobs/" + id.Hex() + "/result", "/v1/jobs/" + id.Hex() + "/events", "/v1/receipts?job_id=" + id.Hex(), "/v1/receipts/" + domain.ReceiptID(id).Hex()} {
		h.refused(404, "not_found", h.key, "GET", path, nil)
		h.refused(401, "unauthorized", "", "GET", path, nil)
	}
	for _, path := range []string{"/health", "/v1/miners", "/v1/models", "/v1/network", "/metrics", "/v1/receipts"} {
		key := ""
		if path == "/v1/receipts" {
			key = mine
		}
		if _, raw := h.call(key, "GET", path, nil); strings.Contains(string(raw), "secret") {
			t.Errorf("%s shows content: %s", path, raw)
		}
	}
}

func TestExpiredLoginAndWrongChainAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	old := m.login()
	old.IssuedAt -= uint64(time.Hour.Seconds())
	h.refused(400, "invalid_argument", "", "POST", "/v1/miners/register", old)
	elsewhere := domain
	elsewhere.ChainID++
	q := m.login()
	var err error
	if q.Signature, err = receipt.Sign(m.key, elsewhere, q.Login(coordKey.Address())); err != nil {
		t.Fatal(err)
	}
	h.refused(403, "forbidden", "", "POST", "/v1/miners/register", q)
	k := api.KeyRequest{Client: clientKey.Address(), IssuedAt: uint64(time.Now().Unix())}
	if k.Signature, err = receipt.Sign(clientKey, elsewhere, receipt.KeyRequest{Client: k.Client, Session: 1, IssuedAt: k.IssuedAt}); err != nil {
		t.Fatal(err)
	}
	h.refused(403, "forbidden", "", "POST", "/v1/sessions/1/key", k)
}

func TestRetryableFailureWithoutAnotherMinerIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("hello")
	for range 2 {
		a := m.claim()
		must[map[string]string](h, 200, m.api, "POST", m.path(a, "failure"), api.FailureRequest{Lease: a.Lease, Code: "engine", Retryable: true})
		if hb := m.beat(); len(hb.Cancel) > 1 {
			t.Fatalf("stops %v", hb.Cancel)
		}
	}
	a := m.claim()
	if hb := m.beat(id); len(hb.Cancel) != 0 {
		t.Fatalf("the new lease is stopped by the word for an old one: %v", hb.Cancel)
	}
	m.finish(a, "Hi")
	if j := h.until(id, "settled", settled); j.Attempts != 3 {
		t.Fatalf("job %+v", j)
	}
	h.balanced()
}

func TestCancelOfASecondRunPaysForItsOwnPart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("hello")
	a := m.claim()
	m.send(a, "Hi", " you", " there")
	// A reader has seen all three, so they stay delivered.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.srv.URL+"/v1/jobs/"+id.Hex()+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", h.key)
	resp, err := h.srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	buf := make([]byte, 4096)
	for seen := ""; !strings.Contains(seen, "there"); {
		n, err := resp.Body.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		seen += string(buf[:n])
	}
	must[map[string]string](h, 200, m.api, "POST", m.path(a, "failure"), api.FailureRequest{Lease: a.Lease, Code: "engine", Retryable: true})
	b := m.claim()
	m.send(b, "Hi", " you")
	must[api.Job](h, 200, h.key, "DELETE", "/v1/jobs/"+id.Hex(), nil)
	must[api.ResultResponse](h, 200, m.api, "POST", m.path(b, "result"), m.signed(b, m.receiptFor(b, 2), "canceled"))
	j := h.until(id, "settled", settled)
	if j.State != market.Canceled || j.Usage.CompletionTokens != 2 {
		t.Fatalf("job %+v", j)
	}
	h.balanced()
}
