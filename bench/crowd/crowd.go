// Package crowd measures what connected miners cost a coordinator in memory, and
// how soon a job reaches one of them while all others wait too.
package crowd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/bench/role"
	"github.com/aitbc/aitbc/bench/submits"
)

// RoleCoordinator is the role that [Run] needs.
const RoleCoordinator = "coordinator"

// Config says what to measure.
type Config struct {
	Dir    string
	Rounds int
	Slice  time.Duration // of submitting, in one round
	Miners int
	Beat   time.Duration // between a miner's heartbeats
}

const (
	joiners = 64 // miners that log in at a time
	pause   = 5 * time.Millisecond
	late    = 10 * time.Second // by when a job must have reached a miner
)

// crowd are the miners, and when each job reached one of them.
type crowd struct {
	mu    sync.Mutex // guards what follows
	taken map[common.Hash]time.Time
	news  chan struct{} // closed when there is another, then replaced
}

func (c *crowd) took(job common.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken[job] = time.Now()
	close(c.news)
	c.news = make(chan struct{})
}

// wait returns when a job reached a miner.
func (c *crowd) wait(ctx context.Context, job common.Hash) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, late)
	defer cancel()
	for {
		c.mu.Lock()
		at, ok := c.taken[job]
		news := c.news
		delete(c.taken, job)
		c.mu.Unlock()
		if ok {
			return at, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return at, fmt.Errorf("job %s reached no miner: %w", job, ctx.Err())
		}
	}
}

// Run connects the miners to one coordinator, each over its own link, and then
// submits jobs one after another.
func Run(ctx context.Context, cfg Config) (s *figure.Section, err error) {
	s = figure.New(fmt.Sprintf("Crowd: %d connected miners", cfg.Miners),
		fmt.Sprintf("Every miner has logged in with a key of its own, keeps its link, waits for a job and sends a heartbeat every %s. Memory is VmRSS of the coordinator, more than without them. "+
			"Scheduling is from when POST /v1/jobs is sent until a miner has the job: with the order's reservation on the disk.", cfg.Beat))
	dir, err := os.MkdirTemp(cfg.Dir, "crowd")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	var door rig.Door
	p, err := role.Start(ctx, RoleCoordinator, rig.Options{Dir: dir, Heartbeat: cfg.Beat}, &door)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	before, err := p.Resident()
	if err != nil {
		return nil, err
	}
	c := &crowd{taken: map[common.Hash]time.Time{}, news: make(chan struct{})}
	all, stop := context.WithCancel(ctx)
	defer stop()
	miners, all := errgroup.WithContext(all)
	began := time.Now()
	if err := c.join(all, miners, cfg, door.URL); err != nil {
		stop()
		return nil, errors.Join(err, miners.Wait())
	}
	s.Sample("miners that log in", "1/s", float64(cfg.Miners)/time.Since(began).Seconds())
	miners.Go(func() error {
		defer stop()
		for range cfg.Rounds {
			if err := c.round(all, s, cfg, p, door, before); err != nil {
				return err
			}
		}
		return nil
	})
	if err := miners.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	s.AtMost(perMiner, 100)
	s.AtMost(schedulingP50, 5)
	s.AtMost(schedulingP99, 50)
	return s, ctx.Err()
}

const (
	perMiner      = "memory for each miner"
	schedulingP50 = "scheduling, p50"
	schedulingP99 = "scheduling, p99"
)

// join has all miners log in and wait for jobs.
func (c *crowd) join(ctx context.Context, miners *errgroup.Group, cfg Config, url string) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(joiners)
	for n := range cfg.Miners {
		g.Go(func() error {
			m, err := rig.Join(gctx, url, rig.NewKey(fmt.Sprint("crowd ", n)), 1)
			if err != nil {
				return fmt.Errorf("miner %d: %w", n, err)
			}
			m.Beat, m.Took = cfg.Beat, c.took
			miners.Go(func() error {
				if err := m.Run(ctx); ctx.Err() == nil {
					return fmt.Errorf("miner %d: %w", n, err)
				}
				return nil
			})
			return nil
		})
	}
	return g.Wait()
}

// round submits jobs for a while and then looks at the memory.
func (c *crowd) round(ctx context.Context, s *figure.Section, cfg Config, p *role.Process, door rig.Door, before int64) error {
	var took []time.Duration
	client := submits.NewClient(door, 1)
	defer client.Close()
	used, err := p.CPU()
	if err != nil {
		return err
	}
	began := time.Now()
	for time.Since(began) < cfg.Slice {
		start := time.Now()
		id, err := client.Submit(ctx)
		if err != nil {
			return err
		}
		at, err := c.wait(ctx, id)
		if err != nil {
			return err
		}
		took = append(took, at.Sub(start))
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	now, err := p.CPU()
	if err != nil {
		return err
	}
	after, err := p.Resident()
	if err != nil {
		return err
	}
	s.Sample(perMiner, "KB", float64(after-before)/1000/float64(cfg.Miners))
	s.Sample(schedulingP50, "ms", figure.Millis(figure.Quantile(took, 0.5)))
	s.Sample(schedulingP99, "ms", figure.Millis(figure.Quantile(took, 0.99)))
	s.Sample("jobs", "1/s", float64(len(took))/time.Since(began).Seconds())
	s.Sample("processor time of the coordinator", "cores", (now-used).Seconds()/time.Since(began).Seconds())
	return nil
}
