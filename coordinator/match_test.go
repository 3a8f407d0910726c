package coordinator_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
)

// offer is what a miner of a test offers, changed.
func offer(change func(*api.Offer)) api.Offer {
	o := api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates}
	change(&o)
	return o
}

func (h *house) order(change func(*api.SubmitRequest)) api.SubmitRequest {
	zero := 0.0
	r := api.SubmitRequest{Model: modelName, Prompt: "hello", MaxTokens: 16, Temperature: &zero}
	change(&r)
	return r
}

func TestConstraintsChooseTheMiner(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	small, large := h.miner(1), h.miner(2)
	small.register(offer(func(o *api.Offer) { o.GPU, o.VRAMGB, o.Region = "NVIDIA RTX 4090", 24, "eu" }))
	large.register(offer(func(o *api.Offer) { o.GPU, o.VRAMGB, o.Region = "NVIDIA H100", 80, "US" }))
	for what, c := range map[string]api.Constraints{
		"gpu": {GPU: "H100"}, "memory": {MinVRAMGB: 40}, "region": {Region: "us"}, "miner": {Miners: []common.Address{large.key.Address()}},
	} {
		id := must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", h.order(func(r *api.SubmitRequest) { r.Constraints = c })).JobID
		if status, raw := h.call(small.api, "GET", "/v1/miners/jobs?wait=0", nil); status != 204 {
			t.Fatalf("%s: the other miner got %s", what, raw)
		}
		x := must[api.Explanation](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex()+"/explain", nil)
		for _, m := range x.Miners {
			if fit := m.Miner == large.key.Address(); fit != (m.Reason == "ready") {
				t.Fatalf("%s: %+v", what, x)
			}
		}
		if a := large.claim(); a.JobID != id {
			t.Fatalf("%s: %+v", what, a)
		} else {
			large.finish(a, "x")
		}
	}
}

func TestWhoeverNobodySuitsIsToldWhy(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.miner(1).register(offer(func(o *api.Offer) { o.GPU, o.VRAMGB, o.Region = "NVIDIA RTX 4090", 24, "eu" }))
	for want, change := range map[string]func(*api.SubmitRequest){
		"gpu":               func(r *api.SubmitRequest) { r.Constraints.GPU = "h100" },
		"min_vram":          func(r *api.SubmitRequest) { r.Constraints.MinVRAMGB = 25 },
		"region":            func(r *api.SubmitRequest) { r.Constraints.Region = "us" },
		"min_reputation":    func(r *api.SubmitRequest) { r.Constraints.MinReputation = 1 },
		"verification":      func(r *api.SubmitRequest) { r.Constraints.Verification = 1 },
		"class":             func(r *api.SubmitRequest) { r.Constraints.Class = "exact/1;arch=llama;quant=f16" },
		"model_not_offered": func(r *api.SubmitRequest) { r.Constraints.Models = []common.Hash{{1}} },
		"not_a_candidate":   func(r *api.SubmitRequest) { r.Constraints.Miners = []common.Address{{1}} },
	} {
		status, raw := h.call(h.key, "POST", "/v1/jobs", h.order(change))
		var e struct {
			Error struct {
				Code    string
				Details struct{ Reasons map[string]int }
			}
		}
		if err := json.Unmarshal(raw, &e); err != nil || status != 404 || e.Error.Code != "model_not_found" || !maps.Equal(e.Error.Details.Reasons, map[string]int{want: 1}) {
			t.Errorf("%s: %d %s", want, status, raw)
		}
	}
	for what, change := range map[string]func(*api.SubmitRequest){
		"route": func(r *api.SubmitRequest) { r.Route = "luck" },
		"gpu":   func(r *api.SubmitRequest) { r.Constraints.GPU = "NVIDIA H100" },
		"score": func(r *api.SubmitRequest) { r.Constraints.MinReputation = 1001 },
	} {
		if status, raw := h.call(h.key, "POST", "/v1/jobs", h.order(change)); status != 400 {
			t.Errorf("%s: %d %s", what, status, raw)
		}
	}
	h.balanced()
}

func TestReputationAndSpeedAreEarnedAndKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	see := func() api.Miner {
		t.Helper()
		all := must[api.MinerList](h, 200, "", "GET", "/v1/miners", nil)
		if len(all.Miners) != 1 {
			t.Fatalf("%+v", all)
		}
		return all.Miners[0]
	}
	if x := see(); x.Reputation != 0 || x.Offers[0].Measured != nil {
		t.Fatalf("a new miner is %+v", x)
	}
	h.refused(400, "invalid_argument", "", "POST", "/v1/miners/register", m.login(offer(func(o *api.Offer) { o.Measured = &api.Measured{TokensPerSecond: 1e6} })))
	h.refused(400, "invalid_argument", "", "POST", "/v1/miners/register", m.login(offer(func(o *api.Offer) { o.Verification = 3 })))
	id := h.submit("hello")
	m.finish(m.claim(), "a", "b", "c")
	if x := see(); x.Offers[0].Measured == nil || x.Offers[0].Measured.Jobs != 1 || x.Offers[0].Measured.TokensPerSecond <= 0 {
		t.Fatalf("after a job %+v", x.Offers[0].Measured)
	}
	h.until(id, "settled", settled)
	h.eventually("a reputation", func() bool { return see().Reputation == 47 }) // 1000 · 1 / 21
	h.restart()
	if x := see(); x.Reputation != 47 {
		t.Fatalf("after a restart %+v", x)
	}
	m.register(offer(func(o *api.Offer) { o.Rates.Prompt = market.Units(1) }))
	must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", h.order(func(r *api.SubmitRequest) { r.Constraints.MinReputation, r.Route = 47, "latency" }))
	m.claim()
}

// Whoever says that it is quick gets no job before one that was seen to be.
func TestJobsGoByWhatWasMeasuredNotByWhatIsSaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	seen := h.miner(1)
	defer seen.alive()()
	seen.finish(func() api.Assignment { h.submit("hello"); return seen.claim() }(), "a", "b", "c")
	boast := h.miner(2)
	boast.register(offer(func(o *api.Offer) { o.Benchmark = &api.Benchmark{TokensPerSecond: 1e6, At: 1} }))
	defer boast.alive()()
	all := must[api.MinerList](h, 200, "", "GET", "/v1/miners", nil)
	if len(all.Miners) != 2 || all.Miners[0].Offers[0].Benchmark == nil && all.Miners[1].Offers[0].Benchmark == nil {
		t.Fatalf("%+v", all)
	}
	for range 2 { // it has two slots
		id := must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", h.order(func(r *api.SubmitRequest) { r.Route = "throughput" })).JobID
		if a := seen.claim(); a.JobID != id {
			t.Fatalf("%s went elsewhere", id)
		}
	}
	h.refused(400, "invalid_argument", "", "POST", "/v1/miners/register", boast.login(offer(func(o *api.Offer) { o.Benchmark = &api.Benchmark{TokensPerSecond: -1} })))
}
