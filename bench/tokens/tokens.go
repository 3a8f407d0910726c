// Package tokens measures the exact engine with the embedded model on one core,
// against what the same core gives for the arithmetic alone in a plain Go loop.
package tokens

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
)

// Config says how long to measure.
type Config struct {
	Rounds int
	Slice  time.Duration
}

const (
	promptTokens = 384
	answerTokens = 128
	together     = 8
)

// Run measures reading a prompt, writing an answer and the ceiling in turn.
func Run(ctx context.Context, cfg Config) (*figure.Section, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m, err := exact.Embedded(exact.Config{Threads: 1})
	if err != nil {
		return nil, err
	}
	info := m.Info()
	s := figure.New("Exact engine: one request on one core",
		fmt.Sprintf("%s, %d parameters, GOMAXPROCS=1. Prompts of %d tokens, answers of up to %d. The plain loop is byte products in Go over as many weights, no scales, no attention, no sampling. %d answers at once go through the network together.", info.Name, info.Parameters, promptTokens, answerTokens, together))
	const dec, many, pre, top = "decode", "decode, all of several answers at once", "prefill", "plain loop: byte products of all weights"
	for round := range cfg.Rounds {
		d, err := decode(ctx, m, cfg.Slice, uint64(round))
		if err != nil {
			return nil, err
		}
		a, err := atOnce(ctx, m, cfg.Slice, uint64(round))
		if err != nil {
			return nil, err
		}
		p, err := prefill(ctx, m, cfg.Slice)
		if err != nil {
			return nil, err
		}
		c := plain(int(info.Parameters), cfg.Slice/2) //nolint:gosec // millions
		s.Sample(dec, "tokens/s", d)
		s.Sample(many, "tokens/s", a)
		s.Sample(pre, "tokens/s", p)
		s.Sample(top, "tokens/s", c)
		s.Sample("at once / decode", "×", a/d)
		s.Sample("decode / plain loop", "×", d/c)
	}
	s.AtLeast(dec, 150)
	return s, nil
}

// decode writes one answer after another and counts all its tokens. Reading the
// short prompt is part of the time.
func decode(ctx context.Context, m *exact.Model, long time.Duration, seed uint64) (float64, error) {
	n := uint64(0)
	start := time.Now()
	for time.Since(start) < long {
		seed += 1000
		r, err := m.Generate(ctx, engine.Request{Prompt: "Once upon a time", TemperatureMilli: 800, MaxTokens: answerTokens, Seed: seed}, func(engine.Token) error { return nil })
		if err != nil {
			return 0, fmt.Errorf("generate: %w", err)
		}
		n += r.CompletionTokens
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// atOnce writes several answers at a time.
func atOnce(ctx context.Context, m *exact.Model, long time.Duration, seed uint64) (float64, error) {
	var g errgroup.Group
	rates := make([]float64, together)
	for i := range rates {
		g.Go(func() (err error) {
			rates[i], err = decode(ctx, m, long, seed+uint64(i)<<32) //nolint:gosec // few
			return err
		})
	}
	err := g.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum, err
}

func prefill(ctx context.Context, m *exact.Model, long time.Duration) (float64, error) {
	prompt := slices.Repeat([]uint32{1, 300, 400, 500}, promptTokens/4)
	n := 0
	start := time.Now()
	for time.Since(start) < long {
		if _, err := m.Replay().Read(ctx, prompt); err != nil {
			return 0, fmt.Errorf("read prompt: %w", err)
		}
		n += len(prompt)
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// plain multiplies and adds bytes, parameters of them for each token.
func plain(parameters int, long time.Duration) float64 {
	const row = 256
	w, x := make([]int8, parameters/row*row), make([]int8, row)
	for i := range w {
		w[i] = int8(i * 31) //nolint:gosec // any pattern does
	}
	for i := range x {
		x[i] = int8(i * 17) //nolint:gosec // any pattern does
	}
	n, sum := 0, int32(0)
	start := time.Now()
	for time.Since(start) < long {
		for at := 0; at < len(w); at += row {
			sum += dot(w[at:at+row], x)
		}
		n++
	}
	rate := float64(n) / time.Since(start).Seconds()
	runtime.KeepAlive(sum)
	return rate
}

func dot(a, b []int8) int32 {
	var s0, s1, s2, s3 int32
	for i := 0; i+4 <= len(a) && i+4 <= len(b); i += 4 {
		s0 += int32(a[i]) * int32(b[i])
		s1 += int32(a[i+1]) * int32(b[i+1])
		s2 += int32(a[i+2]) * int32(b[i+2])
		s3 += int32(a[i+3]) * int32(b[i+3])
	}
	return s0 + s1 + s2 + s3
}
