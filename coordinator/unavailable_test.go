package coordinator_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
)

// A miner whose GPU is full says so by model, and gets no job of it until it says otherwise; a claim that it holds open
// meanwhile is then served.
func TestNoJobForAModelThatItsMinerSaysIsUnavailable(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	say := func(models ...common.Hash) {
		must[api.HeartbeatResponse](h, 200, m.api, "POST", "/v1/miners/heartbeat", api.HeartbeatRequest{FreeSlots: 1, Running: []common.Hash{}, Unavailable: models})
	}
	say(modelDigest, common.Hash{9}) // what is not on offer is no matter
	id := h.submit("waits")
	if status, raw := h.call(m.api, "GET", "/v1/miners/jobs", nil); status != 204 {
		t.Fatalf("a miner got a job of a model that it said is unavailable: %s", raw)
	}
	if why := must[api.Explanation](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex()+"/explain", nil).Miners; len(why) != 1 || why[0].Reason != "busy" {
		t.Fatalf("%+v", why)
	}
	claimed := make(chan api.Assignment, 1)
	go func() { claimed <- m.claim() }()
	say()
	if a := <-claimed; a.JobID != id {
		t.Fatalf("%+v", a)
	}
	m.beat(id)
}
