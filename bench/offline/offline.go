// Package offline measures how long it takes to verify a settled receipt without
// a network, and how large its bundle is.
package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/network"
	"github.com/aitbc/aitbc/receipt"
)

// Config says how long to measure.
type Config struct {
	Bin    string // folder of the programs
	Dir    string
	Rounds int
	Slice  time.Duration
}

const (
	proofWithin = 60 * time.Second
	proofPoll   = 100 * time.Millisecond
)

// Run runs a job on a new network, waits for its settlement and verifies the
// receipt again and again.
func Run(ctx context.Context, cfg Config) (*figure.Section, error) {
	raw, trust, err := settled(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := figure.New("Receipt verification, offline: receipt.VerifyBundle",
		"A bundle of a real job, settled on a network with one validator: all checks, from the JSON to the trust in the genesis validators, on one core.")
	s.Sample("bundle", "bytes", float64(len(raw)))
	for range cfg.Rounds {
		n := 0
		start := time.Now()
		for time.Since(start) < cfg.Slice {
			if _, err := receipt.VerifyBundle(raw, trust); err != nil {
				return nil, fmt.Errorf("verify: %w", err)
			}
			n++
		}
		s.Sample("verification", "ms", figure.Millis(time.Since(start))/float64(n))
	}
	s.AtMost("verification", 1)
	return s, nil
}

// settled returns the bundle of a job with its proof, and what to trust.
func settled(ctx context.Context, cfg Config) (bundle []byte, trust receipt.Trust, err error) {
	n, err := network.New(ctx, cfg.Bin, cfg.Dir)
	if err != nil {
		return nil, trust, err
	}
	if _, err := n.Up(ctx); err != nil {
		return nil, trust, err
	}
	defer func() { err = errors.Join(err, n.Down(ctx)) }()
	if err := n.JSON(ctx, &trust, "trust"); err != nil {
		return nil, trust, err
	}
	c, err := n.API()
	if err != nil {
		return nil, trust, err
	}
	models, err := c.Models(ctx)
	if err != nil || len(models) == 0 {
		return nil, trust, errors.Join(errors.New("no model is on offer"), err)
	}
	job, err := c.Submit(ctx, api.SubmitRequest{Model: models[0].ID, Prompt: "Once upon a time", MaxTokens: 32}, "")
	if err != nil {
		return nil, trust, err
	}
	if err := c.Follow(ctx, job.JobID, func(api.Event) error { return nil }); err != nil {
		return nil, trust, err
	}
	ctx, cancel := context.WithTimeout(ctx, proofWithin)
	defer cancel()
	t := time.NewTicker(proofPoll)
	defer t.Stop()
	for {
		bundles, err := c.Receipts(ctx, job.JobID)
		if err != nil {
			return nil, trust, err
		}
		if len(bundles) == 1 {
			var b struct {
				Settlement json.RawMessage `json:"settlement"`
			}
			if err := json.Unmarshal(bundles[0], &b); err == nil && len(b.Settlement) > len("null") {
				return bundles[0], trust, nil
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, trust, fmt.Errorf("job %s was not settled: %w", job.JobID, ctx.Err())
		}
	}
}
