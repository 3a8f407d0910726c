package miner_test

import (
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
)

// A price by the second is charged for no more seconds than the order allows, and what there is by then is the answer.
func TestSecondsAreChargedAndEndTheJob(t *testing.T) {
	t.Parallel()
	timed := market.Rates{Prompt: rates.Prompt, Completion: rates.Completion, Second: market.Units(1_000), Item: market.Units(11)}
	start := func(t *testing.T, seconds uint64, price market.Amount) (*rig, api.Assignment) {
		t.Helper()
		r := newRig(t)
		r.rates, r.model.gate = timed, make(chan struct{}, 1)
		r.start(t)
		a := order(t, 1, func(a *api.Assignment, req *api.Request) {
			a.Rates, req.MaxSeconds = timed, seconds
			if !price.IsZero() {
				a.Order.MaxPrice = price
			}
		})
		r.give(a)
		return r, a
	}
	t.Run("a part", func(t *testing.T) {
		t.Parallel()
		r, a := start(t, 1, market.Amount{})
		r.model.gate <- struct{}{}
		r.wait("result")
		got := r.resultOf(a)
		x := got.Receipt
		if got.FinishReason != "length" || x.CompletionTokens != 1 || x.ComputeMillis != 1_000 || x.FinishedAt-x.StartedAt < 1_000 || x.Items != 1 {
			t.Fatalf("result %+v", got)
		}
		if want := market.Units(4*3 + 5 + 1_000 + 11); x.Price != want || x.Rates() != timed {
			t.Errorf("price %s at %+v, want %s", x.Price, x.Rates(), want)
		}
	})
	for name, c := range map[string]struct {
		seconds   uint64
		price     market.Amount
		code      string
		retryable bool
	}{
		"nothing came":     {1, market.Amount{}, "max_seconds", true},
		"no bound":         {0, market.Amount{}, "bad_request", false},
		"price of seconds": {2, market.Units(100*5 + 2_000 + 10), "price_too_low", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, a := start(t, c.seconds, c.price)
			r.wait("failure")
			r.mu.Lock()
			defer r.mu.Unlock()
			if f := r.failures[a.JobID]; f.Code != c.code || f.Retryable != c.retryable {
				t.Fatalf("failure %+v", f)
			}
		})
	}
}
