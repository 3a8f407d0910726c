package coordinator_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Offers may be by the second and by the item: an order bounds both, and a receipt charges what was used of them.
func TestPricesBySecondAndItem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	timed := market.Rates{Prompt: rates.Prompt, Completion: rates.Completion, Second: market.Units(50_000), Item: market.Units(777)}
	m.register(
		api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: timed},
		api.Offer{Model: "vectors", Digest: common.Hash{8}, Class: class, Context: 512, MaxTokens: 64, Embeddings: true, Rates: market.Rates{Item: market.Units(1_000)}},
	)
	submit := func(r api.SubmitRequest) api.Assignment {
		t.Helper()
		id := must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", r).JobID
		a := m.claim()
		if a.JobID != id {
			t.Fatalf("claimed %s, not %s", a.JobID, id)
		}
		return a
	}
	most := func(a api.Assignment, seconds, items uint64) market.Amount {
		t.Helper()
		var req api.Request
		if err := api.Decode(a.Request, &req); err != nil || req.MaxSeconds != seconds {
			t.Fatalf("request %s: %v, want %d seconds", a.Request, err, seconds)
		}
		want, err := market.Price(a.Rates, market.Bound(req.PromptBound(), req.MaxTokens, seconds, items))
		if err != nil {
			t.Fatal(err)
		}
		return want
	}

	a := submit(api.SubmitRequest{Model: modelName, Prompt: "hi", MaxTokens: 16})
	if want := most(a, 60, 1); a.Order.MaxPrice != want {
		t.Errorf("an order without max_seconds may cost %s, want %s", a.Order.MaxPrice, want)
	}
	m.finish(a, "one")

	a = submit(api.SubmitRequest{Model: modelName, Prompt: "hi", MaxTokens: 16, MaxSeconds: 2})
	if want := most(a, 2, 1); a.Order.MaxPrice != want {
		t.Errorf("an order of two seconds may cost %s, want %s", a.Order.MaxPrice, want)
	}
	m.send(a, "one", " two")
	good := m.receiptFor(a, 2)
	price, err := market.Price(timed, market.Usage{PromptTokens: 5, CompletionTokens: 2, ComputeMillis: good.ComputeMillis, Items: 1})
	if err != nil || good.Price != price {
		t.Fatalf("receipt %+v, %v", good, err)
	}
	for name, change := range map[string]func(*receipt.Receipt){
		"two items":      func(r *receipt.Receipt) { r.Items = 2 },
		"no item":        func(r *receipt.Receipt) { r.Items = 0 },
		"another rate":   func(r *receipt.Receipt) { r.SecondRate = market.Units(50_001) },
		"too many":       func(r *receipt.Receipt) { r.ComputeMillis, r.StartedAt = 2_001, r.FinishedAt-2_001 },
		"longer than it": func(r *receipt.Receipt) { r.ComputeMillis = r.FinishedAt - r.StartedAt + 1 },
	} {
		x := good
		change(&x)
		if x.Price, err = market.Price(x.Rates(), x.Usage()); err != nil {
			t.Fatal(err)
		}
		if status, raw := h.call(m.api, "POST", m.path(a, "result"), m.signed(a, x, "stop")); status != 400 {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
	must[api.ResultResponse](h, 200, m.api, "POST", m.path(a, "result"), m.signed(a, good, "stop"))
	if j := h.until(a.JobID, "settled", settled); j.Price != price {
		t.Errorf("charged %s, want %s", j.Price, price)
	}

	a = submit(api.SubmitRequest{Model: "vectors", Input: []string{"a", "b", "c"}})
	if a.Order.MaxPrice != market.Units(3_000) || most(a, 0, 3) != a.Order.MaxPrice {
		t.Errorf("three texts may cost %s", a.Order.MaxPrice)
	}
	h.refused(400, "invalid_argument", h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: modelName, Prompt: "hi", MaxSeconds: 8 * 24 * 3600})
}

// One offer by the second does not end the orders early that others may serve without a bound.
func TestAnOrderWithoutSecondsGoesToPricesWithoutThem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	offer := api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates}
	timed := offer
	timed.Rates.Second = market.Units(1)
	byToken, bySecond := h.miner(1), h.miner(2)
	bySecond.register(timed)
	byToken.register(offer)

	id := must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: modelName, Prompt: "hi", MaxTokens: 16}).JobID
	a := byToken.claim()
	var req api.Request
	if err := api.Decode(a.Request, &req); err != nil || a.JobID != id || req.MaxSeconds != 0 {
		t.Fatalf("job %s with request %s: %v", a.JobID, a.Request, err)
	}
	want, err := market.Price(rates, market.Bound(req.PromptBound(), 16, 0, 1))
	if err != nil || a.Order.MaxPrice != want {
		t.Errorf("it may cost %s, want %s, %v", a.Order.MaxPrice, want, err)
	}
	byToken.finish(a, "one")
}
