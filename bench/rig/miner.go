package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/wire"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Words are the pieces of every answer.
var Words = []string{"One", " two", " three", " four", " five", " six", " seven", " eight", " nine", " ten", " eleven", " twelve", " thirteen", " fourteen", " fifteen", "."}

// claimWait is how long the miner waits for a job at a time.
const claimWait = 20 * time.Second

// promptTokens is what every prompt is said to have.
const promptTokens = 10

// MinerOptions say where the miner works and how many jobs it runs at a time.
type MinerOptions struct {
	URL   string `json:"url"`
	Slots int    `json:"slots"`
}

// ServeMiner is the role of a miner that speaks the miners' link as ours
// does, and answers [Words] to everything without computing anything.
func ServeMiner(ctx context.Context, arg json.RawMessage, ready func(any) error) error {
	var o MinerOptions
	if err := json.Unmarshal(arg, &o); err != nil {
		return fmt.Errorf("decode options: %w", err)
	}
	m, err := Join(ctx, o.URL, minerKey, o.Slots)
	if err != nil {
		return err
	}
	if err := ready(struct{}{}); err != nil {
		return errors.Join(err, m.link.Close())
	}
	if err := m.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// Miner is a miner with its link to a coordinator.
type Miner struct {
	// Beat is the time between heartbeats. Took is called with each job that it
	// gets, and Done with each whose result was acknowledged, unless nil. All are set
	// before Run.
	Beat       time.Duration
	Took, Done func(job common.Hash)

	key   Key
	link  *wire.Client
	slots chan struct{}
	lines []byte // the stream of every job
}

// Join registers a miner and opens its link.
func Join(ctx context.Context, url string, key Key, slots int) (*Miner, error) {
	c, err := httpx.NewClient(url)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	q, err := login(key, slots)
	if err != nil {
		return nil, err
	}
	var in api.RegisterResponse
	if _, err := c.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/miners/register", JSON: q}, &in); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	header := wire.Upgrade()
	header.Set("X-Api-Key", in.APIKey)
	conn, err := c.Upgrade(ctx, httpx.Request{Method: http.MethodGet, Path: wire.Path, Header: header})
	if err != nil {
		return nil, fmt.Errorf("open link: %w", err)
	}
	m := &Miner{Beat: time.Second, key: key, link: wire.NewClient(conn), slots: make(chan struct{}, slots)}
	if m.lines, err = pieces(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return m, nil
}

// Run works until ctx is done or something fails.
func (m *Miner) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.link.Run(gctx) })
	g.Go(func() error { return m.beat(gctx) })
	g.Go(func() error { return m.poll(gctx, g) })
	return g.Wait()
}

func pieces() ([]byte, error) {
	var b bytes.Buffer
	for i, w := range Words {
		id := uint32(i)
		if err := json.NewEncoder(&b).Encode(api.Piece{Index: uint64(id), ID: &id, Text: w}); err != nil {
			return nil, fmt.Errorf("encode piece: %w", err)
		}
	}
	return b.Bytes(), nil
}

func (m *Miner) beat(ctx context.Context) error {
	t := time.NewTicker(m.Beat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if _, err := m.link.Heartbeat(ctx, api.HeartbeatRequest{Running: []common.Hash{}}); err != nil {
				return fmt.Errorf("heartbeat: %w", err)
			}
		}
	}
}

func (m *Miner) poll(ctx context.Context, g *errgroup.Group) error {
	for {
		select {
		case m.slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		a, err := m.link.Claim(ctx, claimWait)
		if err != nil {
			return fmt.Errorf("claim: %w", err)
		}
		if a == nil {
			<-m.slots
			continue
		}
		if m.Took != nil {
			m.Took(a.JobID)
		}
		g.Go(func() error {
			defer func() { <-m.slots }()
			if err := m.work(ctx, a); err != nil {
				return fmt.Errorf("job %s: %w", a.JobID, err)
			}
			if m.Done != nil {
				m.Done(a.JobID)
			}
			return nil
		})
	}
}

func (m *Miner) work(ctx context.Context, a *api.Assignment) error {
	started := time.Now()
	if _, err := m.link.Stream(ctx, a.JobID, a.Lease, bytes.NewReader(m.lines), false); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	x, err := m.receipt(a, started)
	if err != nil {
		return err
	}
	q := api.ResultRequest{Lease: a.Lease, Receipt: x, FinishReason: "stop"}
	if q.Signature, err = receipt.Sign(m.key, Domain, x); err != nil {
		return err
	}
	if _, err := m.link.Result(ctx, a.JobID, q); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}

func (m *Miner) receipt(a *api.Assignment, started time.Time) (receipt.Receipt, error) {
	var req api.Request
	if err := json.Unmarshal(a.Request, &req); err != nil {
		return receipt.Receipt{}, fmt.Errorf("decode request: %w", err)
	}
	out := receipt.NewOutput(receipt.Salt(a.Salt))
	for i := range Words {
		out.Token(uint32(i))
	}
	use := market.Usage{PromptTokens: promptTokens, CompletionTokens: uint64(len(Words)), Items: 1}
	price, err := market.Price(a.Rates, use)
	if err != nil {
		return receipt.Receipt{}, fmt.Errorf("price: %w", err)
	}
	return receipt.Receipt{
		Version: receipt.Version, Order: a.JobID, Session: a.Order.Session, Client: a.Client, Coordinator: Coordinator.Address(), Miner: m.key.Address(),
		Model: a.Order.Model, Class: receipt.Class(a.Class), Output: out.Root(), PromptTokens: use.PromptTokens, CompletionTokens: use.CompletionTokens, Items: use.Items,
		PromptRate: a.Prompt, CompletionRate: a.Completion, Price: price,
		TemperatureMilli: req.TemperatureMilli, TopPMilli: req.TopPMilli, TopK: req.TopK, Seed: req.Seed,
		StartedAt: uint64(started.UnixMilli()), FinishedAt: uint64(time.Now().UnixMilli()),
	}, nil
}
