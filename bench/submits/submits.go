// Package submits measures how many jobs a coordinator takes on per second when
// each is on the disk before it is acknowledged, against the same coordinator
// that does not wait for its disk.
package submits

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/bench/disk"
	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/bench/role"
)

// RoleCoordinator is the role that [Run] needs.
const RoleCoordinator = "coordinator"

// Config says how long to measure.
type Config struct {
	Dir     string // on the disk that is measured
	Rounds  int
	Slice   time.Duration
	Clients []int // at a time
}

// Run measures both coordinators in turn, each with an empty database in every
// round, and the disk's own speed in every round.
func Run(ctx context.Context, cfg Config) (s *figure.Section, err error) {
	s = figure.New("Durable submits: POST /v1/jobs",
		"A job is acknowledged when it is synced; the volatile twin is the same program with SQLite's synchronous=OFF. Clients ask one after another over kept connections. Each round has new databases.")
	file, err := disk.Create(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for round := range cfg.Rounds {
		took, err := file.Measure(cfg.Slice / 2)
		if err != nil {
			return nil, err
		}
		s.Sample("fdatasync of 4 KiB, one after another", "1/s", float64(len(took))/(cfg.Slice/2).Seconds())
		s.Sample("fdatasync of 4 KiB, p50", "µs", figure.Micros(figure.Quantile(took, 0.5)))
		for _, clients := range cfg.Clients {
			if err := pair(ctx, s, cfg, clients, round%2 == 1); err != nil {
				return nil, err
			}
		}
	}
	for _, clients := range cfg.Clients {
		s.AtLeast(fmt.Sprintf("%d clients: durable / volatile", clients), 0.7)
	}
	return s, nil
}

// pair measures the two coordinators one after the other.
func pair(ctx context.Context, s *figure.Section, cfg Config, clients int, volatileFirst bool) error {
	rate := map[bool]float64{}
	for _, volatile := range []bool{volatileFirst, !volatileFirst} {
		name := fmt.Sprintf("%d clients: durable", clients)
		if volatile {
			name = fmt.Sprintf("%d clients: volatile", clients)
		}
		took, cpu, err := one(ctx, cfg, clients, volatile)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		rate[volatile] = float64(len(took)) / cfg.Slice.Seconds()
		s.Sample(name, "1/s", rate[volatile])
		if !volatile {
			s.Sample(name+", p50", "ms", figure.Millis(figure.Quantile(took, 0.5)))
			s.Sample(name+", p99", "ms", figure.Millis(figure.Quantile(took, 0.99)))
			s.Sample(name+", CPU of the coordinator", "µs", figure.Micros(cpu))
		}
	}
	s.Sample(fmt.Sprintf("%d clients: durable / volatile", clients), "×", rate[false]/rate[true])
	return nil
}

// one measures one coordinator.
func one(ctx context.Context, cfg Config, clients int, volatile bool) (took []time.Duration, cpu time.Duration, err error) {
	dir, err := os.MkdirTemp(cfg.Dir, "submits")
	if err != nil {
		return nil, 0, fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var door rig.Door
	p, err := role.Start(ctx, RoleCoordinator, rig.Options{Dir: dir, Volatile: volatile, Idle: true, MaxQueued: 1 << 30}, &door)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if _, err := drive(ctx, door, clients, cfg.Slice/8); err != nil {
		return nil, 0, err
	}
	before, err := p.CPU()
	if err != nil {
		return nil, 0, err
	}
	if took, err = drive(ctx, door, clients, cfg.Slice); err != nil {
		return nil, 0, err
	}
	after, err := p.CPU()
	return took, (after - before) / time.Duration(max(1, len(took))), err
}

// drive submits jobs for some time and returns how long each took.
func drive(ctx context.Context, door rig.Door, clients int, long time.Duration) ([]time.Duration, error) {
	c := NewClient(door, clients)
	defer c.Close()
	own := make([][]time.Duration, clients)
	g, ctx := errgroup.WithContext(ctx)
	end := time.Now().Add(long)
	for i := range clients {
		g.Go(func() error {
			mine := &own[i]
			for time.Now().Before(end) {
				start := time.Now()
				if _, err := c.Submit(ctx); err != nil {
					return err
				}
				*mine = append(*mine, time.Since(start))
			}
			return nil
		})
	}
	err := g.Wait()
	var all []time.Duration
	for _, o := range own {
		all = append(all, o...)
	}
	return all, err
}

// Rate is how many durable submits a second a fresh coordinator acknowledges, with
// some clients at a time.
func Rate(ctx context.Context, dir string, clients int, long time.Duration) (float64, error) {
	took, _, err := one(ctx, Config{Dir: dir, Slice: long}, clients, false)
	return float64(len(took)) / long.Seconds(), err
}

// Client orders jobs over connections that it keeps.
type Client struct {
	door rig.Door
	http *http.Client
	body []byte
}

// NewClient returns a client for so many requests at a time.
func NewClient(door rig.Door, clients int) *Client {
	zero := 0.0
	body, err := json.Marshal(api.SubmitRequest{Model: rig.Model, Prompt: "Count to fifteen, please.", MaxTokens: 64, Temperature: &zero})
	if err != nil {
		panic(err) // a constant
	}
	return &Client{door, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}, Timeout: 30 * time.Second}, body}
}

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Submit orders a job and returns its id.
func (c *Client) Submit(ctx context.Context) (id common.Hash, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.door.URL+"/v1/jobs", bytes.NewReader(c.body))
	if err != nil {
		return id, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", c.door.Key)
	resp, err := c.http.Do(r)
	if err != nil {
		return id, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or cut
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return id, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusAccepted {
		return id, fmt.Errorf("status %d: %s", resp.StatusCode, b)
	}
	var out api.SubmitResponse
	if err := json.Unmarshal(b, &out); err != nil {
		return id, fmt.Errorf("decode answer: %w", err)
	}
	return out.JobID, nil
}
