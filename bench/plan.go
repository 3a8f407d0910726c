package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/aitbc/aitbc/bench/claims"
	"github.com/aitbc/aitbc/bench/crowd"
	"github.com/aitbc/aitbc/bench/explorer"
	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/finality"
	"github.com/aitbc/aitbc/bench/gateway"
	"github.com/aitbc/aitbc/bench/join"
	"github.com/aitbc/aitbc/bench/lifecycle"
	"github.com/aitbc/aitbc/bench/offline"
	"github.com/aitbc/aitbc/bench/start"
	"github.com/aitbc/aitbc/bench/submits"
	"github.com/aitbc/aitbc/bench/tokens"
)

// plan is what the command line asks for.
type plan struct {
	only        []string
	dir, bin    string
	portkey     string // URL, "" for none
	rounds      int
	short, json bool
}

type benchmark struct {
	name string
	run  func(context.Context, plan) (*figure.Section, error)
}

var benchmarks = []benchmark{
	{"gateway", func(ctx context.Context, p plan) (*figure.Section, error) {
		return gateway.Run(ctx, gateway.Config{Dir: p.dir, Rounds: p.rounds, Slice: p.slice(2 * time.Second), Clients: []int{1, 8}, Portkey: p.portkey})
	}},
	{"streams", func(ctx context.Context, p plan) (*figure.Section, error) {
		streams := 100_000
		if p.short {
			streams = 2_000
		}
		return gateway.Streams(ctx, gateway.StreamsConfig{Dir: p.dir, Streams: streams, Clients: 8})
	}},
	{"submits", func(ctx context.Context, p plan) (*figure.Section, error) {
		return submits.Run(ctx, submits.Config{Dir: p.dir, Rounds: p.rounds, Slice: p.slice(2 * time.Second), Clients: []int{1, 16, 64, 256}})
	}},
	{"lifecycle", func(ctx context.Context, p plan) (*figure.Section, error) {
		return lifecycle.Run(ctx, lifecycle.Config{Dir: p.dir, Rounds: p.rounds, Slice: p.slice(2 * time.Second), Clients: []int{1, 8, 64}})
	}},
	{"claims", func(ctx context.Context, p plan) (*figure.Section, error) {
		queued := []int{10, 1_000, 100_000}
		if p.short {
			queued = []int{10, 1_000, 10_000}
		}
		return claims.Run(ctx, claims.Config{Dir: p.dir, Rounds: p.rounds, Queued: queued})
	}},
	{"crowd", func(ctx context.Context, p plan) (*figure.Section, error) {
		miners := 10_000
		if p.short {
			miners = 1_000
		}
		return crowd.Run(ctx, crowd.Config{Dir: p.dir, Rounds: p.rounds, Slice: p.slice(4 * time.Second), Miners: miners, Beat: 5 * time.Second})
	}},
	{"explorer", func(ctx context.Context, p plan) (*figure.Section, error) {
		blocks := uint64(100_000)
		if p.short {
			blocks = 2_000
		}
		return explorer.Run(ctx, explorer.Config{Dir: p.dir, Blocks: blocks})
	}},
	{"tokens", func(ctx context.Context, p plan) (*figure.Section, error) {
		return tokens.Run(ctx, tokens.Config{Rounds: p.rounds, Slice: p.slice(2 * time.Second)})
	}},
	{"finality", func(ctx context.Context, p plan) (*figure.Section, error) {
		transfers := 200
		if p.short {
			transfers = 40
		}
		return finality.Run(ctx, finality.Config{Bin: p.bin, Dir: p.dir, Rounds: min(p.rounds, 3), Transfers: transfers})
	}},
	{"start", func(ctx context.Context, p plan) (*figure.Section, error) {
		idle := 20 * time.Second
		if p.short {
			idle = 5 * time.Second
		}
		return start.Run(ctx, start.Config{Bin: p.bin, Dir: p.dir, Rounds: min(p.rounds, 3), Idle: idle})
	}},
	{"join", func(ctx context.Context, p plan) (*figure.Section, error) {
		return join.Run(ctx, join.Config{Bin: p.bin, Dir: p.dir, Rounds: min(p.rounds, 3)})
	}},
	{"offline", func(ctx context.Context, p plan) (*figure.Section, error) {
		return offline.Run(ctx, offline.Config{Bin: p.bin, Dir: p.dir, Rounds: p.rounds, Slice: p.slice(time.Second)})
	}},
}

func names() []string {
	var out []string
	for _, b := range benchmarks {
		out = append(out, b.name)
	}
	return out
}

// slice shortens a length of time where the plan asks for that.
func (p plan) slice(d time.Duration) time.Duration {
	if p.short {
		return d / 4
	}
	return d
}

// measure runs the benchmarks and prints each when it is done, or all at the end
// as JSON.
func (p plan) measure(ctx context.Context, out, progress io.Writer) (err error) {
	if p.dir, err = os.MkdirTemp(p.dir, "aitbc-bench"); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }() //nolint:gosec // made above
	m := thisMachine()
	if !p.json {
		if err := m.write(out); err != nil {
			return err
		}
	}
	sections := []*figure.Section{}
	for _, b := range benchmarks {
		if !slices.Contains(p.only, b.name) {
			continue
		}
		fmt.Fprintf(progress, "bench: %s\n", b.name)
		s, err := b.run(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		sections = append(sections, s)
		if !p.json {
			if err := s.Write(out); err != nil {
				return err
			}
		}
	}
	if !p.json {
		return nil
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Machine  machine           `json:"machine"`
		Sections []*figure.Section `json:"sections"`
	}{m, sections})
}
