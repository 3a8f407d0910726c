package miner_test

import (
	"context"
	"testing"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// clockwork is an image: its program says nine lines and runs for 3 ms, and the engine takes longer.
type clockwork struct {
	parrot
	asked chan *engine.Container
}

func (c *clockwork) Info() engine.Info {
	return engine.Info{Name: "parrot", Digest: parrotDigest, Class: parrotClass, Container: true}
}

func (c *clockwork) Generate(_ context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	c.asked <- req.Container
	<-time.After(5 * time.Millisecond)
	for i := range uint64(9) {
		if err := yield(engine.Token{Index: i, Text: "line\n"}); err != nil {
			return engine.Result{}, err
		}
	}
	return engine.Result{Ran: 3 * time.Millisecond, FinishReason: engine.Stopped}, nil
}

func TestProgramsAreChargedForTheirTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	image := &clockwork{asked: make(chan *engine.Container, 1)}
	r.runs, r.rates = image, market.Rates{Second: market.Units(1000)}
	r.start(t)
	a := order(t, 1, func(a *api.Assignment, q *api.Request) {
		a.Rates = r.rates
		q.Prompt, q.Messages, q.Stop, q.MaxSeconds, q.MaxTokens = "", nil, nil, 1, 1
		q.Container = &api.Container{Command: []string{"go"}, Env: map[string]string{"A": "b"}, Files: []api.ContainerFile{{Path: "in", Data: []byte("x")}}}
	})
	r.give(a)
	got := <-image.asked
	if len(got.Command) != 1 || got.Env["A"] != "b" || len(got.Files) != 1 || got.Files[0].Path != "in" || string(got.Files[0].Data) != "x" || got.Longest != time.Second {
		t.Errorf("asked %+v", got)
	}
	r.wait("result")
	x := r.resultOf(a).Receipt
	out := receipt.NewOutput(salt)
	for range 9 {
		out.Text("line\n")
	}
	if x.ComputeMillis != 3 || x.FinishedAt-x.StartedAt < 5 || x.CompletionTokens != 0 || x.PromptTokens != 0 || x.Output != out.Root() || x.Price != market.Units(3) {
		t.Errorf("receipt %+v", x)
	}
	if st := r.svc.Status(); st.Offers[0].Kind != api.KindContainer {
		t.Errorf("status %+v", st)
	}
	prompt := order(t, 2, func(a *api.Assignment, q *api.Request) { a.Rates, q.MaxSeconds = r.rates, 1 })
	r.give(prompt)
	r.wait("failure")
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.failures[prompt.JobID]; f.Code != "bad_request" || f.Retryable {
		t.Errorf("failure %+v", f)
	}
}
