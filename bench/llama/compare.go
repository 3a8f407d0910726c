package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/role"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
)

const (
	promptTokens = 256
	answerTokens = 64
	together     = 4
)

// pair is one file in both engines.
type pair struct {
	ours   *ours
	theirs *theirs
}

func (p *peer) pair(path string, context, threads int) (pair, error) {
	m, err := exact.Open(path, exact.Config{Threads: threads})
	if err != nil {
		return pair{}, err
	}
	t, err := p.open(path, context, threads)
	return pair{ours: &ours{model: m}, theirs: t}, err
}

func someTokens(n, vocabulary int) []uint32 {
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // not a secret
	out := []uint32{1}
	for len(out) < n {
		out = append(out, uint32(259+r.IntN(vocabulary-259))) //nolint:gosec // of a vocabulary
	}
	return out
}

// agree feeds both engines the same tokens, for each type of weights of an
// architecture, and compares what they say about the next.
func (p *peer) agree(ctx context.Context, path, arch string, out io.Writer) error {
	s := figure.New("The same logits: "+arch, "Random weights, 2 layers, 512 wide, 48 tokens one after another. Agreement: both have the same likeliest token. Distance: of the logits, as a part of their spread.")
	for _, kind := range kinds {
		shape := shape{
			name: arch, arch: arch, width: 512, heads: 8, kvHeads: 2, head: 64, hidden: 1024,
			layers: 2, vocabulary: 1000, context: 256, kind: kind,
		}
		if err := shape.write(path); err != nil {
			return err
		}
		both, err := p.pair(path, shape.context, 1)
		if err != nil {
			return err
		}
		same, total, distance, spread := 0, 0, 0.0, 0.0
		both.ours.reset()
		both.theirs.reset()
		for _, id := range someTokens(48, shape.vocabulary) {
			a, err := both.ours.read(ctx, []uint32{id})
			if err != nil {
				return err
			}
			b, err := both.theirs.read(ctx, []uint32{id})
			if err != nil {
				return err
			}
			if total++; greedy(a) == greedy(b) {
				same++
			}
			for i := range a {
				distance += square(float64(a[i]) - float64(b[i]))
				spread += square(float64(b[i]))
			}
		}
		both.theirs.close()
		s.Sample(kind.String()+": agreement", "%", 100*float64(same)/float64(total))
		s.AtLeast(kind.String()+": agreement", 85)
		s.Sample(kind.String()+": distance", "%", 100*math.Sqrt(distance/spread))
		s.AtMost(kind.String()+": distance", 5)
	}
	return s.Write(out)
}

func square(x float64) float64 { return x * x }

// measure takes turns: one engine reads a prompt and writes an answer, then the
// other.
func (p *peer) measure(ctx context.Context, path string, sh shape, cfg config, out io.Writer) error {
	if err := sh.write(path); err != nil {
		return err
	}
	stat, err := os.Stat(path)
	if err != nil {
		return err
	}
	for _, threads := range cfg.threads {
		both, err := p.pair(path, sh.context, threads)
		if err != nil {
			return err
		}
		s := figure.New(fmt.Sprintf("%s, %s, %d threads", sh.name, sh.kind, threads),
			fmt.Sprintf("%d MB of weights; a prompt of %d tokens, then %d tokens one after another.", stat.Size()>>20, promptTokens, answerTokens))
		for range cfg.rounds {
			var speed [2]struct{ prefill, decode pace }
			for i, r := range []reader{both.ours, both.theirs} {
				if speed[i].prefill, speed[i].decode, err = speeds(ctx, r, sh.vocabulary); err != nil {
					return err
				}
			}
			many, err := atOnce(ctx, both.ours)
			if err != nil {
				return err
			}
			for _, q := range []struct {
				name         string
				ours, theirs pace
			}{{"decode", speed[0].decode, speed[1].decode}, {"prefill", speed[0].prefill, speed[1].prefill}} {
				s.Sample(q.name, "tokens/s", q.ours.wall)
				s.Sample(q.name+", llama.cpp", "tokens/s", q.theirs.wall)
				s.Sample(q.name+", ratio", "×", q.ours.wall/q.theirs.wall)
				s.Sample(q.name+", ratio by processor time", "×", q.ours.cpu/q.theirs.cpu)
			}
			s.Sample(fmt.Sprintf("decode, %d answers at once", together), "tokens/s", many.wall)
			s.Sample(fmt.Sprintf("decode, %d answers at once / one, by processor time", together), "×", many.cpu/speed[0].decode.cpu)
		}
		s.AtLeast("decode, ratio", 0.8)
		s.AtLeast("prefill, ratio", 0.4)
		both.theirs.close()
		both.ours = nil
		runtime.GC()
		if err := s.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// pace is tokens a second, of the clock and of the processor time of the process.
type pace struct{ wall, cpu float64 }

// paced measures what f does to tokens.
func paced(tokens int, f func() error) (pace, error) {
	before, err := role.CPUTime()
	began := time.Now()
	if err = errors.Join(err, f()); err != nil {
		return pace{}, err
	}
	took := time.Since(began)
	after, err := role.CPUTime()
	return pace{float64(tokens) / took.Seconds(), float64(tokens) / (after - before).Seconds()}, err
}

// atOnce writes several answers of our engine at a time.
func atOnce(ctx context.Context, o *ours) (pace, error) {
	return paced(together*answerTokens, func() error {
		var g errgroup.Group
		for i := range together {
			g.Go(func() error {
				req := engine.Request{Prompt: fmt.Sprint("hello ", i), MaxTokens: answerTokens}
				r, err := o.model.Generate(ctx, req, func(engine.Token) error { return nil })
				if err == nil && r.CompletionTokens != answerTokens {
					err = fmt.Errorf("an answer ended after %d tokens", r.CompletionTokens)
				}
				return err
			})
		}
		return g.Wait()
	})
}

func speeds(ctx context.Context, r reader, vocabulary int) (prefill, decode pace, err error) {
	r.reset()
	var logits []float32
	prefill, err = paced(promptTokens, func() (err error) {
		logits, err = r.read(ctx, someTokens(promptTokens, vocabulary))
		return err
	})
	if err != nil {
		return prefill, decode, err
	}
	decode, err = paced(answerTokens, func() (err error) {
		for range answerTokens {
			if logits, err = r.read(ctx, []uint32{greedy(logits)}); err != nil {
				return err
			}
		}
		return nil
	})
	return prefill, decode, err
}
