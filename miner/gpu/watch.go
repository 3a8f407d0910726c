package gpu

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Watch looks at the devices that a miner uses again and again, and says when they should get no more work.
type Watch struct {
	Inventory Inventory
	Every     time.Duration
	Used      []int // by index; empty: all
	Limits    Limits
	// Hold is told why a device should get no more work, and an empty reason when it may again. Without it the devices are
	// looked at, and nothing follows.
	Hold func(device int, reason string)
	Log  *slog.Logger

	mu     sync.Mutex // guards the fields below
	latest []Device
	first  map[int]Device  // as they were when they were first seen
	rests  map[int]Trouble // those in use that should get no work
}

// Devices are those of the last look, all that there are.
func (w *Watch) Devices() []Device {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.latest)
}

// Held says, by device in use, why it should get no more work.
func (w *Watch) Held() map[int]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[int]string{}
	for i, t := range w.rests {
		out[i] = t.Why
	}
	return out
}

// Run looks until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		w.Look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Look looks once.
func (w *Watch) Look(ctx context.Context) {
	list, err := w.Inventory.Devices(ctx)
	if ctx.Err() != nil {
		return
	}
	for _, n := range w.judge(list, err) {
		if w.Hold == nil {
			continue
		}
		if n.reason == "" {
			w.Log.InfoContext(ctx, "a GPU may work again", "gpu", n.device)
		} else {
			w.Log.WarnContext(ctx, "no more work for a GPU", "gpu", n.device, "why", n.reason)
		}
		w.Hold(n.device, n.reason)
	}
}

// news is that a device should get no more work, or may again.
type news struct {
	device int
	reason string
}

// judge decides from a look whether the devices in use may work, and returns what is new about that.
func (w *Watch) judge(list []Device, err error) (out []news) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first == nil {
		w.first, w.rests = map[int]Device{}, map[int]Trouble{}
	}
	for _, d := range list {
		if _, seen := w.first[d.Index]; !seen {
			w.first[d.Index] = d
		}
	}
	w.latest = list
	for _, i := range slices.Sorted(maps.Keys(w.first)) {
		if len(w.Used) > 0 && !slices.Contains(w.Used, i) {
			continue
		}
		t := w.trouble(i, list, err)
		old, rested := w.rests[i]
		switch {
		case t == nil && rested:
			delete(w.rests, i)
			out = append(out, news{i, ""})
		case t != nil && old.Ailment != t.Ailment:
			w.rests[i] = *t
			out = append(out, news{i, t.Why})
		}
	}
	return out
}

// trouble is what is wrong with a device, by the latest look and those before.
func (w *Watch) trouble(i int, list []Device, err error) *Trouble {
	at := slices.IndexFunc(list, func(d Device) bool { return d.Index == i })
	switch {
	case at < 0 && err != nil:
		return &Trouble{Gone, fmt.Sprintf("GPU %d does not answer: %v", i, err)}
	case at < 0:
		return &Trouble{Gone, fmt.Sprintf("GPU %d is gone", i)}
	}
	before := w.first[i]
	if t := list[at].Unfit(w.Limits, &before); t != nil {
		return t
	}
	return list[at].Recovering(w.Limits, w.rests[i].Ailment)
}
