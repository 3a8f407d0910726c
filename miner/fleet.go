package miner

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

// Fleet is one miner at several coordinators: it is registered once, and runs no
// more jobs at a time for all of them than its slots. What goes wrong with one
// coordinator is no matter of the others. Its methods are safe for concurrent use.
type Fleet struct{ services []*Service }

// NewFleet returns a miner at each of the coordinators; cfg's own is not used.
func NewFleet(cfg Config, coordinators []*httpx.Client) (*Fleet, error) {
	if len(coordinators) == 0 {
		return nil, errors.New("no coordinator to work for")
	}
	cfg.shared, cfg.stats = newSlots(cfg), newStats()
	cfg.fleet = len(coordinators) > 1
	if cfg.Chain != nil && cfg.fleet {
		cfg.Chain = &oneByOne{cfg.Chain, make(chan struct{}, 1)}
	}
	f := &Fleet{}
	for _, c := range coordinators {
		cfg.Coordinator = c
		s, err := New(cfg)
		if err != nil {
			return nil, err
		}
		f.services = append(f.services, s)
	}
	return f, nil
}

// oneByOne registers a miner for one coordinator after another: the first does
// it, and the others see that it is done.
type oneByOne struct {
	Chain
	turn chan struct{}
}

// Ensure implements [Chain].
func (c *oneByOne) Ensure(ctx context.Context, note func(string)) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.Chain.Ensure(ctx, note)
}

// Run is [Service.Run] at each coordinator. It returns when all have ended, and
// goes on as long as one does.
func (f *Fleet) Run(ctx context.Context) error {
	var g errgroup.Group
	errs := make([]error, len(f.services))
	for i, s := range f.services {
		g.Go(func() error {
			if errs[i] = s.Run(ctx); errs[i] != nil && len(f.services) > 1 {
				s.cfg.Log.ErrorContext(ctx, "no more work for a coordinator", "url", s.cfg.Coordinator.Base(), "err", errs[i])
			}
			return nil
		})
	}
	_ = g.Wait() // errors are in errs
	return errors.Join(errs...)
}

// Hold is [Service.Hold] for all coordinators.
func (f *Fleet) Hold(gpu int, reason string) {
	f.services[0].Hold(gpu, reason) // the slots are everybody's
}

// Drain is [Service.Drain] at each coordinator.
func (f *Fleet) Drain(ctx context.Context, on bool) {
	var g errgroup.Group
	for _, s := range f.services {
		g.Go(func() error { s.Drain(ctx, on); return nil })
	}
	_ = g.Wait() // none
}

// Joined is how a miner stands with one of its coordinators.
type Joined struct {
	URL         string         `json:"url"`
	Coordinator common.Address `json:"coordinator"`
	Phase       Phase          `json:"phase"`
	Reason      string         `json:"reason,omitempty"`
	Link        string         `json:"link"`
	LinkError   string         `json:"link_error,omitempty"`
	Owed        market.Amount  `json:"owed"`
	Credited    market.Amount  `json:"credited"`
	Limit       market.Amount  `json:"limit"`
}

// Status returns how the miner is. With several coordinators it is as well as it
// is with the best of them, amounts are sums, and Coordinators has each.
func (f *Fleet) Status() Status {
	out := f.services[0].Status()
	if len(f.services) == 1 {
		return out
	}
	out.Running, out.Owed, out.Credited, out.Limit = []Running{}, market.Amount{}, market.Amount{}, market.Amount{}
	best, reasons := -1, []string{}
	for i, s := range f.services {
		st := s.Status()
		out.Coordinators = append(out.Coordinators, Joined{
			URL: s.cfg.Coordinator.Base(), Coordinator: st.Coordinator, Phase: st.Phase, Reason: st.Reason, Link: st.Link, LinkError: st.LinkError, Owed: st.Owed, Credited: st.Credited, Limit: st.Limit,
		})
		out.ChainID = max(out.ChainID, st.ChainID)
		out.Running = append(out.Running, st.Running...)
		out.Owed, out.Credited, out.Limit = sum(out.Owed, st.Owed), sum(out.Credited, st.Credited), sum(out.Limit, st.Limit)
		if st.Reason != "" {
			reasons = append(reasons, st.Reason)
		}
		if best < 0 || st.well() > out.Coordinators[best].well() {
			best = i
		}
	}
	b := out.Coordinators[best]
	out.Coordinator, out.Phase, out.Link, out.LinkError, out.Reason = b.Coordinator, b.Phase, b.Link, b.LinkError, b.Reason
	if b.Reason != "" {
		out.Reason = strings.Join(reasons, "; ")
	}
	sortRunning(out.Running)
	return out
}

// well orders how a miner stands with its coordinators.
func (j Joined) well() int {
	n := 0
	for _, good := range []bool{j.Phase == Working, j.Phase == Working && j.Reason == "", j.Link == "up"} {
		if good {
			n++
		}
	}
	return n
}

func (st Status) well() int { return Joined{Phase: st.Phase, Reason: st.Reason, Link: st.Link}.well() }

// sum is the most there can be where amounts do not add up.
func sum(a, b market.Amount) market.Amount {
	s, err := a.Add(b)
	if err != nil {
		return market.MaxAmount()
	}
	return s
}

// Handler is [Service.Handler] for all coordinators.
func (f *Fleet) Handler() http.Handler { return pages(f.Status, f.services[0].stats) }
