// Package start measures how long a network takes to start from built programs,
// how long the demo takes, and how much memory an idle network holds.
package start

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/network"
)

// Config says what to measure.
type Config struct {
	Bin    string // folder of the programs
	Dir    string
	Rounds int
	Idle   time.Duration // until memory is read
}

// Run starts a new network in each round, waits, reads its memory, stops it,
// starts it again on the same data, and runs the demo.
func Run(ctx context.Context, cfg Config) (*figure.Section, error) {
	s := figure.New("Start and idle memory: aitbc up --detach",
		fmt.Sprintf("A new home each time; `up` returns when everything answers and the client has a funded session. Memory is VmRSS after %s without a job.", cfg.Idle))
	for range cfg.Rounds {
		if err := round(ctx, s, cfg); err != nil {
			return nil, err
		}
	}
	s.AtMost("aitbc up --detach, new home", 10)
	s.AtMost("aitbc demo", 60)
	s.AtMost("idle memory of the node", 300)
	s.AtMost("idle memory of the coordinator", 64)
	s.AtMost("idle memory of the miner", 64)
	return s, nil
}

func round(ctx context.Context, s *figure.Section, cfg Config) (err error) {
	n, err := network.New(ctx, cfg.Bin, cfg.Dir)
	if err != nil {
		return err
	}
	took, err := n.Up(ctx)
	if err != nil {
		return err
	}
	s.Sample("aitbc up --detach, new home", "s", took.Seconds())
	defer func() { err = errors.Join(err, n.Down(ctx)) }()
	select {
	case <-time.After(cfg.Idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, service := range network.Services {
		bytes, err := n.Resident(service)
		if err != nil {
			return err
		}
		s.Sample("idle memory of the "+service, "MB", float64(bytes)/1e6)
	}
	if err := n.Down(ctx); err != nil {
		return err
	}
	if took, err = n.Up(ctx); err != nil {
		return err
	}
	s.Sample("aitbc up --detach, same data again", "s", took.Seconds())
	return demo(ctx, s, cfg)
}

// demo runs the whole path once: start, job, payment, proof, stop.
func demo(ctx context.Context, s *figure.Section, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(cfg.Bin, "aitbc"), "demo") //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "TMPDIR="+cfg.Dir)
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("aitbc demo: %w\n%s", err, out)
	}
	s.Sample("aitbc demo", "s", time.Since(begin).Seconds())
	return nil
}
