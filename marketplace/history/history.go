// Package history looks at a coordinator's miners again and again and notes what
// it saw: what models cost, how fast they were measured to be, and who was there.
package history

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

// Every is the time between two looks.
const Every = time.Minute

// Keep is how long what was seen is kept.
const Keep = 30 * 24 * time.Hour

// modelsMost bounds what one look adds.
const modelsMost = 500

// Point is what one look saw of a model. The rates are those of its cheapest
// offer; the speed is the median of those offers that the coordinator has measured.
type Point struct {
	At     int64 `json:"at"` // milliseconds since 1970
	Miners int   `json:"miners"`
	market.Rates
	Measured   int    `json:"measured"`                // of the miners
	Speed      int64  `json:"milli_tokens_per_second"` // thousandths of a token
	FirstToken uint64 `json:"first_token_ms"`
}

// Presence is how often a miner was there.
type Presence struct {
	Miner common.Address `json:"miner"`
	Since int64          `json:"since"` // first seen, milliseconds since 1970
	Looks int            `json:"looks"`
	Up    int            `json:"up"` // looks that saw it online
}

// Look is what was seen at one time.
type Look struct {
	At     time.Time
	Models map[string]Point
	Online []common.Address
	All    []common.Address // whom the coordinator names
}

// Store keeps looks.
type Store interface {
	Add(ctx context.Context, l Look) error
	Forget(ctx context.Context, before time.Time) error
}

// See makes a look of a coordinator's list of miners.
func See(miners []api.Miner, now time.Time) Look {
	l := Look{At: now, Models: map[string]Point{}}
	offers := map[string][]api.Offer{}
	for _, m := range miners {
		l.All = append(l.All, m.Miner)
		if m.State == "offline" {
			continue
		}
		l.Online = append(l.Online, m.Miner)
		named := map[string]bool{} // one miner counts once, by its first offer of the name
		for _, o := range m.Offers {
			if named[o.Model] || o.Kind != "" || (offers[o.Model] == nil && len(offers) == modelsMost) {
				continue
			}
			named[o.Model] = true
			offers[o.Model] = append(offers[o.Model], o)
		}
	}
	for model, list := range offers {
		l.Models[model] = point(list, now)
	}
	return l
}

func point(offers []api.Offer, now time.Time) Point {
	cheapest := slices.MinFunc(offers, func(a, b api.Offer) int {
		if c := a.Completion.Cmp(b.Completion); c != 0 {
			return c
		}
		return a.Prompt.Cmp(b.Prompt)
	})
	p := Point{At: now.UnixMilli(), Miners: len(offers), Rates: cheapest.Rates}
	var speeds []int64
	var firsts []uint64
	for _, o := range offers {
		if o.Measured != nil && o.Measured.Jobs > 0 {
			speeds = append(speeds, int64(o.Measured.TokensPerSecond*1000))
			firsts = append(firsts, o.Measured.FirstTokenMS)
		}
	}
	if p.Measured = len(speeds); p.Measured > 0 {
		slices.Sort(speeds)
		slices.Sort(firsts)
		p.Speed, p.FirstToken = speeds[len(speeds)/2], firsts[len(firsts)/2]
	}
	return p
}

// Watcher looks at one coordinator.
type Watcher struct {
	Coordinator *httpx.Client
	Store       Store
	Log         *slog.Logger
}

// Run looks at once and then once a minute until ctx is done. A look that fails
// leaves a gap, and is logged once until the next that does not.
func (w Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	failing := false
	for {
		err := w.Once(ctx, time.Now())
		if err != nil && ctx.Err() == nil && !failing {
			w.Log.WarnContext(ctx, "no look at the market", "err", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Once looks once.
func (w Watcher) Once(ctx context.Context, now time.Time) error {
	var list api.MinerList
	if _, err := w.Coordinator.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/miners"}, &list); err != nil {
		return fmt.Errorf("ask the coordinator for its miners: %w", err)
	}
	if err := w.Store.Add(ctx, See(list.Miners, now)); err != nil {
		return err
	}
	return w.Store.Forget(ctx, now.Add(-Keep))
}
