package miner

import (
	"context"
	"fmt"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/engine"
)

// The standard job by which a model is measured: what it answers is of no
// interest, and it is the same for all.
const (
	benchmarkPrompt = "Explain, step by step and in plain words, how a market for computing pays the people whose machines do the work, and how a buyer can check what was done."
	benchmarkTokens = 64
)

// Sizer is a model that knows how much memory it takes.
type Sizer interface {
	// Memory returns bytes, 0 if that is not known.
	Memory(ctx context.Context) uint64
}

// Benchmark runs the standard job on a model once, after a short one that brings
// it into memory, and returns how quick it was. A model that cannot do it in
// time is an error.
func Benchmark(ctx context.Context, m engine.Model, now time.Time) (*api.Benchmark, error) {
	run := func(tokens uint64) (first time.Duration, rate float64, err error) {
		began := time.Now()
		var at time.Time
		n := 0
		r, err := m.Generate(ctx, engine.Request{
			Messages: []engine.Message{{Role: engine.RoleUser, Content: benchmarkPrompt}}, MaxTokens: tokens,
		}, func(engine.Token) error {
			if n++; at.IsZero() {
				at = time.Now()
			}
			return nil
		})
		if err == nil && r.FinishReason == engine.Canceled {
			err = context.Cause(ctx)
		}
		if err != nil || at.IsZero() {
			return 0, 0, fmt.Errorf("standard job: %w", err)
		}
		if took := time.Since(at); r.CompletionTokens > 1 && took > 0 {
			rate = float64(r.CompletionTokens-1) / took.Seconds()
		}
		return at.Sub(began), rate, nil
	}
	if _, _, err := run(1); err != nil {
		return nil, err
	}
	first, rate, err := run(benchmarkTokens)
	if err != nil {
		return nil, err
	}
	b := &api.Benchmark{At: now.Unix(), FirstTokenMS: uint64(first.Milliseconds()), TokensPerSecond: rate} //nolint:gosec // not negative
	if s, ok := m.(Sizer); ok {
		b.MemoryMB = s.Memory(ctx) / 1e6
	}
	return b, nil
}
