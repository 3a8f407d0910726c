package coordinator_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// A chain that is back after a while finds many jobs to settle: a full batch is paid before the one before is proved, which
// takes a block more, and in the end all are paid and proved.
func TestAFullBatchDoesNotWaitForTheProofOfTheLast(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	chain := h.chain
	var away atomic.Bool
	away.Store(true)
	chain.mu.Lock()
	chain.fail = func() error {
		if away.Load() {
			return errors.New("the chain is away")
		}
		return nil
	}
	chain.mu.Unlock()
	m := h.miner(1)
	defer m.alive()()
	last := h.submit("hello")
	m.finish(m.claim(), "Hi")
	for range 2 * 180 {
		last = h.submit("hello")
		m.finish(m.claim(), "Hi")
	}
	away.Store(false)
	h.until(last, "settled", settled)
	h.balanced()
	chain.mu.Lock()
	defer chain.mu.Unlock()
	order := strings.Join(chain.done, " ")
	if !strings.Contains(order, "settle settle prove") || chain.settles > 4 {
		t.Errorf("%d batches, in the order %s", chain.settles, order)
	}
}
