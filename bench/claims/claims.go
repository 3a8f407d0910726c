// Package claims measures what it costs a coordinator to give a miner its next
// job while few or many others wait.
package claims

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/coordinator"
)

// Config says what to measure.
type Config struct {
	Dir    string
	Rounds int
	Queued []int // jobs waiting, least first
}

const (
	slots     = 1024 // of the miner: nothing that it claims is given back
	perRound  = 20   // claims of each queue in a round
	fillers   = 64   // submit the jobs that wait
	longBeat  = time.Hour
	claimWait = 5 * time.Second
)

// queue is a coordinator with a number of jobs waiting.
type queue struct {
	waiting int
	house   *rig.House
	miner   coordinator.Caller
	submit  func(context.Context) error
}

// Run fills one coordinator per length, then claims from each in turn. Each job
// claimed is replaced by another.
func Run(ctx context.Context, cfg Config) (s *figure.Section, err error) {
	s = figure.New("Claims: Service.Claim with jobs waiting",
		"Time until a miner has its next job, with the lease written to SQLite (not synced, so that the disk does not hide what the queue costs).")
	var queues []*queue
	for _, n := range cfg.Queued {
		dir, err := os.MkdirTemp(cfg.Dir, "claims")
		if err != nil {
			return nil, fmt.Errorf("make folder: %w", err)
		}
		h, err := rig.Open(ctx, rig.Options{Dir: dir, Volatile: true, MaxQueued: 2 * n, Heartbeat: longBeat})
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, h.Close()) }()
		queues = append(queues, &queue{waiting: n, house: h})
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	g, run := errgroup.WithContext(run)
	filled := make(chan struct{}, len(queues))
	for _, q := range queues {
		g.Go(func() error {
			return q.house.Work(run, func(ctx context.Context) error {
				defer func() { filled <- struct{}{} }()
				return q.fill(ctx)
			})
		})
	}
	g.Go(func() error {
		defer stop()
		for range queues {
			select {
			case <-filled:
			case <-run.Done():
				return nil
			}
		}
		return measure(run, s, queues, cfg.Rounds)
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	first, last := cfg.Queued[0], cfg.Queued[len(cfg.Queued)-1]
	s.AtMost(fmt.Sprintf("claim with %d waiting / with %d", last, first), 1.5)
	return s, nil
}

// fill brings a miner in and submits the jobs that wait.
func (q *queue) fill(ctx context.Context) error {
	key, err := q.house.Client(ctx)
	if err != nil {
		return err
	}
	client, err := q.house.Caller(ctx, key)
	if err != nil {
		return err
	}
	if q.miner, err = q.house.Miner(ctx, slots); err != nil {
		return err
	}
	zero := 0.0
	q.submit = func(ctx context.Context) error {
		_, err := q.house.Service.Submit(ctx, client, api.SubmitRequest{Model: rig.Model, Prompt: "Count to fifteen, please.", MaxTokens: 64, Temperature: &zero, TTLSeconds: 1800}, coordinator.Extras{})
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fillers)
	for range q.waiting {
		g.Go(func() error { return q.submit(ctx) })
	}
	return g.Wait()
}

func measure(ctx context.Context, s *figure.Section, queues []*queue, rounds int) error {
	for range rounds {
		p50 := map[int]time.Duration{}
		for _, q := range queues {
			var took []time.Duration
			for range perRound {
				start := time.Now()
				a, err := q.house.Service.Claim(ctx, q.miner, claimWait)
				if err != nil || a == nil {
					return errors.Join(fmt.Errorf("no job of %d was given", q.waiting), err)
				}
				took = append(took, time.Since(start))
				if err := q.submit(ctx); err != nil {
					return err
				}
			}
			p50[q.waiting] = figure.Quantile(took, 0.5)
			s.Sample(fmt.Sprintf("claim with %d waiting", q.waiting), "µs", figure.Micros(p50[q.waiting]))
		}
		first, last := queues[0].waiting, queues[len(queues)-1].waiting
		s.Sample(fmt.Sprintf("claim with %d waiting / with %d", last, first), "×", float64(p50[last])/float64(p50[first]))
	}
	return nil
}
