package coordinator_test

import (
	"testing"

	"github.com/aitbc/aitbc/api"
)

// A model that was on offer a moment ago is away, not unknown: when its miner fell silent, and when the coordinator
// has just started.
func TestAModelWhoseMinersAreAwayIsAskedForAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.miner(1)
	order := api.SubmitRequest{Model: modelName, Prompt: "hi"}
	h.restart()
	h.refused(503, "unavailable", h.key, "POST", "/v1/jobs", order)
	h.miner(1)
	h.submit("hello")
	h.eventually("the miner's silence", func() bool {
		status, _ := h.call(h.key, "POST", "/v1/jobs", order)
		return status == 503
	})
	h.refused(404, "model_not_found", h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: "llama3.2", Prompt: "hi"})
}
