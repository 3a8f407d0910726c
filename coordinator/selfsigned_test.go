package coordinator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// purse is a session whose client signs, and that client.
type purse struct {
	h       *house
	id      uint64
	spender account
	key     string
}

// openSelf opens a session whose spender is the client's own key.
func (h *house) openSelf(id uint64, deposit market.Amount, lasts time.Duration) *purse {
	h.t.Helper()
	p := &purse{h: h, id: id, spender: newAccount(500 + id)}
	h.chain.mu.Lock()
	end := uint64(time.Now().Add(lasts).Unix())
	h.chain.sessions[id] = &coordinator.ChainSession{Client: clientKey.Address(), Coordinator: coordKey.Address(), Spender: p.spender.Address(), Deposit: deposit, Expiry: end, DueAt: end, FeeBps: feeBps, State: ledger.SessionOpen}
	h.chain.mu.Unlock()
	h.refused(403, "forbidden", "", "POST", fmt.Sprintf("/v1/sessions/%d/key", id), h.keyRequest(id, ""))
	k := must[api.KeyResponse](h, 200, "", "POST", fmt.Sprintf("/v1/sessions/%d/key", id), h.keyRequest(id, api.ModeSelf))
	if p.key = k.APIKey; k.Mode != api.ModeSelf {
		h.t.Fatalf("key %+v", k)
	}
	return p
}

func (h *house) keyRequest(id uint64, mode string) api.KeyRequest {
	h.t.Helper()
	r := api.KeyRequest{Client: clientKey.Address(), IssuedAt: uint64(time.Now().Unix()), Mode: mode}
	r.Signature = signed(h.t, clientKey, receipt.KeyRequest{Client: r.Client, Session: id, IssuedAt: r.IssuedAt})
	return r
}

func signed(t testing.TB, k account, x receipt.Typed) receipt.Signature {
	t.Helper()
	sig, err := receipt.Sign(k, domain, x)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func (p *purse) quote() api.Quote {
	p.h.t.Helper()
	return must[api.Quote](p.h, 200, p.key, "POST", "/v1/jobs/quote", api.QuoteRequest{Model: modelName, PromptBound: 30, MaxTokens: 16})
}

// order fills in and signs an order on the terms of a quote.
func (p *purse) order(o receipt.Order, prompt string) api.SubmitRequest {
	p.h.t.Helper()
	raw, err := json.Marshal(api.Request{Version: 1, Model: modelName, Prompt: prompt, MaxTokens: 16, TopPMilli: 1000})
	if err != nil {
		p.h.t.Fatal(err)
	}
	salt := receipt.Salt{9}
	o.Input = receipt.Input(salt, raw)
	return api.SubmitRequest{Signed: &api.SignedOrder{Order: o, Signature: signed(p.h.t, p.spender, o), Salt: salt[:], Request: raw}}
}

func (p *purse) submit(r api.SubmitRequest) common.Hash {
	p.h.t.Helper()
	return must[api.SubmitResponse](p.h, 202, p.key, "POST", "/v1/jobs", r).JobID
}

func (p *purse) account() api.Account {
	p.h.t.Helper()
	return must[api.Account](p.h, 200, p.key, "GET", "/v1/account", nil)
}

func (p *purse) voucher(v receipt.Voucher) api.VoucherRequest {
	p.h.t.Helper()
	return api.VoucherRequest{Through: v.Through, Cumulative: v.Cumulative, Signature: signed(p.h.t, p.spender, v)}
}

func (p *purse) path() string { return fmt.Sprintf("/v1/sessions/%d/vouchers", p.id) }

func (p *purse) job(id common.Hash) api.Job {
	p.h.t.Helper()
	return must[api.Job](p.h, 200, p.key, "GET", "/v1/jobs/"+id.Hex(), nil)
}

func (p *purse) waitSettled(id common.Hash) api.Job {
	p.h.t.Helper()
	var j api.Job
	p.h.eventually("a settlement", func() bool { j = p.job(id); return settled(j) })
	return j
}

func TestClientSignsOrdersAndVouchersItself(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m, p := h.miner(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	q := p.quote()
	if q.Order.Session != 7 || q.Order.Number != 1 || q.Order.Model != modelDigest || q.MaxTokens != 16 || len(q.Offers) != 1 || q.Offers[0].Miner != m.key.Address() || q.Offers[0].Rates != rates {
		t.Fatalf("quote %+v", q)
	}
	r := p.order(q.Order, "hello")
	id := p.submit(r)
	if id != receipt.Digest(domain, r.Signed.Order) || p.submit(r) != id {
		t.Fatal("an order is not its job, or two")
	}
	a := m.claim()
	if a.JobID != id || a.OrderSignature != r.Signed.Signature || string(a.Request) != string(r.Signed.Request) {
		t.Fatalf("assignment %+v", a)
	}
	m.finish(a, "Hel", "lo")
	second := p.submit(p.order(p.quote().Order, "again"))
	acc := p.account()
	if v := acc.Vouchers; acc.Mode != api.ModeSelf || v == nil || v.Last != nil || v.Due.Through != 1 || v.Due.Cumulative != acc.Charged {
		t.Fatalf("account %+v", acc)
	}
	due := acc.Vouchers.Due
	got := must[api.Vouchers](h, 200, p.key, "POST", p.path(), p.voucher(due))
	must[api.Vouchers](h, 200, p.key, "POST", p.path(), p.voucher(due)) // again
	if got.Last == nil || got.Last.Through != 1 || got.Due != due {
		t.Fatalf("vouchers %+v", got)
	}
	j := p.waitSettled(id)
	m.finish(m.claim(), "Hi")
	must[api.Vouchers](h, 200, p.key, "POST", p.path(), p.voucher(p.account().Vouchers.Due))
	p.waitSettled(second)
	c, err := h.chain.Session(t.Context(), 7)
	if err != nil || c.Through != 2 || c.Debited != p.account().Charged || len(h.chain.alone) != 0 {
		t.Fatalf("chain %+v, alone %v: %v", c, h.chain.alone, err)
	}
	if b := must[struct{ Receipts []receipt.Bundle }](h, 200, p.key, "GET", "/v1/receipts?job_id="+id.Hex(), nil); len(b.Receipts) != 1 || b.Receipts[0].Receipt.Price != j.Price {
		t.Fatalf("receipts %+v", b)
	}
	h.balanced()
}

// The signed order is the authority to charge: whoever takes an answer and is
// never heard of again has paid all the same, over a restart of the coordinator.
func TestClientThatGoesAwayAfterItsOrderHasStillPaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m, p := h.miner(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	var ids []common.Hash
	for range 3 {
		ids = append(ids, p.submit(p.order(p.quote().Order, "hello")))
		m.finish(m.claim(), "Hel", "lo")
	}
	must[api.Vouchers](h, 200, p.key, "POST", p.path(), p.voucher(receipt.Voucher{Session: 7, Through: 1, Cumulative: p.job(ids[0]).Price}))
	p.waitSettled(ids[0])
	if j := p.job(ids[1]); j.Payment != market.Charged {
		t.Fatalf("settled before it waited for a voucher: %+v", j)
	}
	h.voucherWait = time.Millisecond
	h.restart()
	for _, id := range ids {
		p.waitSettled(id)
	}
	c, err := h.chain.Session(t.Context(), 7)
	if acc := p.account(); err != nil || c.Through != 1 || c.Debited != acc.Charged || acc.Debited != acc.Charged || len(h.chain.alone) != 2 {
		t.Fatalf("chain %+v, account %+v: %v", c, acc, err)
	}
	if h.chain.credited[m.key.Address()].IsZero() {
		t.Fatal("the miner was not paid")
	}
	// A voucher below what was settled alone would pay for nothing.
	h.refused(409, "conflict", p.key, "POST", p.path(), p.voucher(receipt.Voucher{Session: 7, Through: 2, Cumulative: c.Debited}))
	must[api.Vouchers](h, 200, p.key, "POST", p.path(), p.voucher(p.account().Vouchers.Due))
	h.balanced()
	if out, err := (&coordinator.Reconciler{Store: h.store, Chain: h.chain, Pause: time.Millisecond}).Audit(t.Context()); err != nil || !out.OK {
		t.Fatalf("reconciliation %+v: %v", out, err)
	}
}

// An order of a session that is about to end does not wait for its voucher.
func TestEndOfASessionHurriesItsOrders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m, p := h.miner(1), h.openSelf(7, market.Coins(1), time.Hour)
	id := p.submit(p.order(p.quote().Order, "hello"))
	m.finish(m.claim(), "Hi")
	h.chain.mu.Lock()
	h.chain.sessions[7].DueAt = uint64(time.Now().Add(50 * time.Second).Unix()) // within the margin
	h.chain.blocks++
	h.chain.touched = append(h.chain.touched, 7)
	h.chain.mu.Unlock()
	p.waitSettled(id)
	h.balanced()
}

func TestSignedOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	defer h.miner(1).alive()()
	p, other := h.openSelf(7, market.Coins(1), 12*time.Hour), h.openSelf(8, market.Coins(1), 12*time.Hour)
	q := p.quote().Order
	poor, short := h.openSelf(9, market.Units(100), 12*time.Hour), h.openSelf(10, market.Coins(1), 3*time.Minute)
	change := func(fn func(*receipt.Order)) receipt.Order { o := q; fn(&o); return o }
	of := func(x *purse) receipt.Order { o := q; o.Session = x.id; return o }
	edit := func(fn func(*api.SubmitRequest)) api.SubmitRequest { r := p.order(q, "x"); fn(&r); return r }
	now := uint64(time.Now().Unix())
	for name, c := range map[string]struct {
		status int
		code   string
		purse  *purse
		r      api.SubmitRequest
	}{
		"number too high":         {409, "conflict", p, p.order(change(func(o *receipt.Order) { o.Number = 2 }), "x")},
		"number zero":             {409, "conflict", p, p.order(change(func(o *receipt.Order) { o.Number = 0 }), "x")},
		"another session's":       {400, "invalid_argument", p, other.order(of(other), "x")},
		"another session's key":   {403, "forbidden", p, other.order(q, "x")},
		"model":                   {404, "model_not_found", p, p.order(change(func(o *receipt.Order) { o.Model = common.Hash{1} }), "x")},
		"class":                   {400, "invalid_argument", p, p.order(change(func(o *receipt.Order) { o.Class = common.Hash{1} }), "x")},
		"miners":                  {400, "invalid_argument", p, p.order(change(func(o *receipt.Order) { o.Miners = common.Hash{1} }), "x")},
		"price too low":           {400, "invalid_argument", p, p.order(change(func(o *receipt.Order) { o.MaxPrice = market.Units(1) }), "x")},
		"price above the deposit": {402, "insufficient_funds", p, p.order(change(func(o *receipt.Order) { o.MaxPrice = market.Coins(2) }), "x")},
		"deposit too small":       {402, "insufficient_funds", poor, poor.order(change(func(o *receipt.Order) { o.Session, o.MaxPrice = 9, market.Units(101) }), "x")},
		"deadline past":           {400, "invalid_argument", p, p.order(change(func(o *receipt.Order) { o.Deadline = now }), "x")},
		"deadline far":            {400, "invalid_argument", p, p.order(change(func(o *receipt.Order) { o.Deadline = now + 50*60 }), "x")},
		"deadline without bound":  {400, "invalid_argument", p, p.order(change(func(o *receipt.Order) { o.Deadline = 1<<64 - 1 }), "x")},
		"deadline near the end":   {402, "insufficient_funds", short, short.order(change(func(o *receipt.Order) { o.Session, o.Deadline = 10, now+150 }), "x")},
		"another request":         {400, "invalid_argument", p, edit(func(r *api.SubmitRequest) { r.Signed.Request = []byte(`{"v":1,"model":"tiny","prompt":"y"}`) })},
		"no request":              {400, "invalid_argument", p, edit(func(r *api.SubmitRequest) { r.Signed.Request = nil })},
		"two requests":            {400, "invalid_argument", p, edit(func(r *api.SubmitRequest) { r.Prompt = "x" })},
		"salt":                    {400, "invalid_argument", p, edit(func(r *api.SubmitRequest) { r.Signed.Salt = r.Signed.Salt[1:] })},
		"unsigned":                {400, "invalid_argument", p, api.SubmitRequest{Model: modelName, Prompt: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, raw := h.call(c.purse.key, "POST", "/v1/jobs", c.r)
			if status != c.status || !strings.Contains(string(raw), `"`+c.code+`"`) {
				t.Errorf("%d %s, want %d %s", status, raw, c.status, c.code)
			}
		})
	}
	h.refused(400, "invalid_argument", h.key, "POST", "/v1/jobs", p.order(q, "x"))
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		status, raw := h.call(p.key, "POST", path, `{"model":"tiny","max_tokens":4,"messages":[{"role":"user","content":"hi"}]}`)
		if status != 400 || !strings.Contains(string(raw), "/v1/jobs/quote") {
			t.Errorf("%s: %d %s", path, status, raw)
		}
	}
	// Of all that, nothing took a number.
	if acc := p.account(); acc.Orders != 0 || !acc.Reserved.IsZero() {
		t.Fatalf("account %+v", acc)
	}
	p.submit(p.order(q, "x"))
	h.refused(409, "conflict", p.key, "POST", "/v1/jobs", p.order(q, "y"))
	h.balanced()
}

func TestVouchersThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m, p := h.miner(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	other := h.openSelf(8, market.Coins(1), 12*time.Hour)
	id := p.submit(p.order(p.quote().Order, "hello"))
	v := receipt.Voucher{Session: 7, Through: 1}
	h.refused(409, "conflict", p.key, "POST", p.path(), p.voucher(v)) // it runs
	m.finish(m.claim(), "Hi")
	v.Cumulative = p.job(id).Price
	stranger := p.voucher(v)
	stranger.Signature = signed(t, other.spender, v)
	h.refused(403, "forbidden", p.key, "POST", p.path(), stranger)
	h.refused(403, "forbidden", other.key, "POST", p.path(), p.voucher(v))
	h.refused(409, "conflict", h.key, "POST", "/v1/sessions/1/vouchers", p.voucher(v)) // delegated
	less, err := v.Cumulative.Sub(market.Units(1))
	if err != nil {
		t.Fatal(err)
	}
	status, raw := h.call(p.key, "POST", p.path(), p.voucher(receipt.Voucher{Session: 7, Through: 1, Cumulative: less}))
	var e struct {
		Error struct {
			Details struct {
				Due receipt.Voucher `json:"due"`
			}
		}
	}
	if err := json.Unmarshal(raw, &e); err != nil || status != 409 || e.Error.Details.Due != v {
		t.Fatalf("%d %s: %v", status, raw, err)
	}
	must[api.Vouchers](h, 200, p.key, "POST", p.path(), p.voucher(v))
	p.waitSettled(id)
}

// Each order without a voucher may have to be settled alone: a client is not let
// far ahead.
func TestClientIsNotLetFarAheadOfItsVouchers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	defer h.miner(1).alive()()
	p := h.openSelf(7, market.Coins(1), 12*time.Hour)
	q := p.quote().Order
	for n := range 64 {
		q.Number = uint64(n + 1)
		id := p.submit(p.order(q, "x"))
		must[api.Job](h, 200, p.key, "DELETE", "/v1/jobs/"+id.Hex(), nil)
	}
	q.Number = 65
	h.refused(429, "rate_limited", p.key, "POST", "/v1/jobs", p.order(q, "x"))
	due := p.account().Vouchers.Due
	if due.Through != 64 || !due.Cumulative.IsZero() {
		t.Fatalf("due %+v", due)
	}
	must[api.Vouchers](h, 200, p.key, "POST", p.path(), p.voucher(due))
	p.submit(p.order(q, "x"))
	h.balanced()
}

// One account has several sessions, and what the chain adds to a deposit can be spent.
func TestSeveralSessionsAndTopUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.miner(1)
	p := h.openSelf(7, market.Units(10), 12*time.Hour)
	q := p.order(receipt.Order{Session: 7, Number: 1, Model: modelDigest, MaxPrice: market.Units(1000), Deadline: uint64(time.Now().Unix()) + 60}, "x")
	h.refused(402, "insufficient_funds", p.key, "POST", "/v1/jobs", q)
	h.chain.topUp(7, market.Units(5000))
	h.eventually("a larger deposit", func() bool { return p.account().Deposit == market.Units(5000) })
	p.submit(q)
	list := must[api.SessionList](h, 200, h.key, "GET", "/v1/sessions", nil).Sessions
	if len(list) != 2 || list[0].Session != 1 || list[0].Mode != api.ModeDelegated || list[1].Session != 7 || list[1].Mode != api.ModeSelf || list[1].Reserved != market.Units(1000) {
		t.Fatalf("sessions %+v", list)
	}
	// A key of the coordinator's is not the client's own.
	h.refused(409, "conflict", "", "POST", "/v1/sessions/1/key", h.keyRequest(1, api.ModeSelf))
	if _, err := h.store.Spender(t.Context(), clientKey.Address(), p.spender.Address()); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("the coordinator knows the client's key: %v", err)
	}
}

// A budget holds also for orders that the client signs; a batch needs a coordinator that signs.
func TestKeysOfASelfSignedSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m, p := h.miner(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	defer m.alive()()
	most := p.quote().Order.MaxPrice
	made := h.newKey(h.login(clientKey), api.CreateKeyRequest{Scope: ledger.ScopeClient, Session: p.id, Budget: &api.Budget{Total: most}})
	p.key = made.APIKey
	first := p.submit(p.order(p.quote().Order, "one"))
	h.refused(402, "insufficient_funds", p.key, "POST", "/v1/jobs", p.order(p.quote().Order, "two"))
	if x := p.account(); x.Orders != 1 || x.Reserved != most {
		t.Fatalf("a refused order left something: %+v", x)
	}
	must[api.Job](h, 200, p.key, "DELETE", "/v1/jobs/"+first.Hex(), nil)
	p.submit(p.order(p.quote().Order, "two")) // what the first reserved has come back
	status, raw := h.upload(p.key, chats(1), map[string]string{"purpose": "batch"})
	var f fileObject
	if err := json.Unmarshal(raw, &f); status != 200 || err != nil {
		t.Fatalf("%d %s", status, raw)
	}
	status, raw = h.call(p.key, "POST", "/v1/batches", map[string]any{"input_file_id": f.ID, "endpoint": "/v1/chat/completions", "completion_window": "24h"})
	if status != 400 || !bytes.Contains(raw, []byte("signs its orders itself")) {
		t.Fatalf("a batch of a self-signed session: %d %s", status, raw)
	}
	h.balanced()
}
