package miner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/miner"
)

// metronome is a model that takes 200 ms to its first token, and 10 ms to each other.
type metronome struct {
	parrot
	fail error
}

func (m *metronome) Memory(context.Context) uint64 { return 123_400_000 }

func (m *metronome) Generate(ctx context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	r := engine.Result{PromptTokens: 30, FinishReason: engine.Length}
	pause := 200 * time.Millisecond
	for i := range req.MaxTokens {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			r.FinishReason = engine.Canceled
			return r, nil
		}
		if err := yield(engine.Token{Index: i}); err != nil {
			return r, err
		}
		r.CompletionTokens++
		pause = 10 * time.Millisecond
	}
	return r, m.fail
}

func TestBenchmarkMeasuresTheStandardJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		b, err := miner.Benchmark(t.Context(), &metronome{}, now)
		if err != nil {
			t.Fatal(err)
		}
		if b.FirstTokenMS != 200 || b.TokensPerSecond != 100 || b.MemoryMB != 123 || b.At != now.Unix() {
			t.Errorf("%+v", b)
		}
		broken := errors.New("broken")
		if _, err := miner.Benchmark(t.Context(), &metronome{fail: broken}, now); !errors.Is(err, broken) {
			t.Errorf("a broken model: %v", err)
		}
		late, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if b, err := miner.Benchmark(late, &metronome{}, now); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a slow model: %+v %v", b, err)
		}
	})
}
