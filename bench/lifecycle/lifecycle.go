// Package lifecycle measures how many jobs a second go all the way: ordered over
// HTTP, claimed by a miner, and completed with its signed receipt, each by a
// request of its own, with order and receipt on the disk before they are
// acknowledged.
package lifecycle

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

// Config says how long to measure.
type Config struct {
	Dir     string
	Rounds  int
	Slice   time.Duration
	Clients []int // at a time, each with one job under way
}

// Run measures each number of clients in turn, round after round.
func Run(ctx context.Context, cfg Config) (*figure.Section, error) {
	s := figure.New("Lifecycle: submit, claim, complete",
		"Each client orders a job with POST /v1/jobs and its next when the miner's result is acknowledged. The miner, over its link, sends 16 tokens and a signed receipt for each. Order and receipt are synced before they are acknowledged.")
	for range cfg.Rounds {
		for _, clients := range cfg.Clients {
			rate, err := Rate(ctx, cfg.Dir, clients, cfg.Slice)
			if err != nil {
				return nil, err
			}
			s.Sample(fmt.Sprintf("%d clients", clients), "1/s", rate)
		}
	}
	return s, nil
}

// finished wakes who waits for a job's end.
type finished struct {
	mu   sync.Mutex // guards jobs
	jobs map[common.Hash]chan struct{}
}

func (f *finished) of(job common.Hash) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.jobs[job]
	if c == nil {
		c = make(chan struct{})
		f.jobs[job] = c
	}
	return c
}

func (f *finished) forget(job common.Hash) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.jobs, job)
}

// Rate is how many jobs a second a fresh coordinator takes through their life, with
// some clients at a time.
func Rate(ctx context.Context, dir string, clients int, long time.Duration) (rate float64, err error) {
	if dir, err = os.MkdirTemp(dir, "lifecycle"); err != nil {
		return 0, fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var door rig.Door
	p, err := role.Start(ctx, RoleCoordinator, rig.Options{Dir: dir, MaxQueued: 1 << 20}, &door)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	f := &finished{jobs: map[common.Hash]chan struct{}{}}
	m, err := rig.Join(ctx, door.URL, rig.NewKey("miner"), min(clients, 1024))
	if err != nil {
		return 0, err
	}
	m.Done = func(job common.Hash) { close(f.of(job)) }
	work, stop := context.WithCancel(ctx)
	defer stop()
	g, work := errgroup.WithContext(work)
	g.Go(func() error {
		if err := m.Run(work); work.Err() == nil {
			return err
		}
		return nil
	})
	drive := func(long time.Duration) (int, error) {
		return orders(work, f, submits.NewClient(door, clients), clients, long)
	}
	var n int
	began := time.Now()
	g.Go(func() error {
		defer stop()
		if _, err := drive(long / 4); err != nil { // connections, caches, heap
			return err
		}
		began = time.Now()
		n, err = drive(long)
		return err
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return 0, err
	}
	return float64(n) / time.Since(began).Seconds(), ctx.Err()
}

// orders has clients order jobs for a while, and counts those that were completed.
func orders(ctx context.Context, f *finished, c *submits.Client, clients int, long time.Duration) (int, error) {
	defer c.Close()
	var mu sync.Mutex
	sum := 0
	g, ctx := errgroup.WithContext(ctx)
	end := time.Now().Add(long)
	for range clients {
		g.Go(func() error {
			own := 0
			for time.Now().Before(end) {
				job, err := c.Submit(ctx)
				if err != nil {
					return err
				}
				select {
				case <-f.of(job):
				case <-ctx.Done():
					return ctx.Err()
				}
				f.forget(job)
				own++
			}
			mu.Lock()
			defer mu.Unlock()
			sum += own
			return nil
		})
	}
	err := g.Wait()
	return sum, err
}
