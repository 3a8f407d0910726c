package gpu

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// cooled is by how many degrees a device that was too hot must cool down before it gets work again: else it would stop
// and go with every job.
const cooled = 5

// Watch looks at the devices that a miner uses again and again, and says when they should get no more work.
type Watch struct {
	Inventory Inventory
	Every     time.Duration
	Used      []int // by index; empty: all
	Limits    Limits
	// Hold is told why no more work should be taken, and an empty reason when it may be again. Without it the devices are
	// looked at, and nothing follows.
	Hold func(reason string)
	Log  *slog.Logger

	// mu guards what follows.
	mu     sync.Mutex
	latest []Device
	first  map[int]Device // as they were at the first look
	hot    map[int]bool
	reason string
}

// Devices are those of the last look, all that there are.
func (w *Watch) Devices() []Device {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.latest)
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
	reason, changed := w.judge(list, err)
	if !changed || w.Hold == nil {
		return
	}
	if reason == "" {
		w.Log.InfoContext(ctx, "the GPUs may work again")
	} else {
		w.Log.WarnContext(ctx, "no more work for the GPUs", "why", reason)
	}
	w.Hold(reason)
}

// judge decides from a look whether the devices in use may work, and whether that is news.
func (w *Watch) judge(list []Device, err error) (reason string, changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first == nil {
		w.first, w.hot = map[int]Device{}, map[int]bool{}
		for _, d := range list {
			w.first[d.Index] = d
		}
	}
	w.latest = list
	for i := range w.first {
		if len(w.Used) > 0 && !slices.Contains(w.Used, i) {
			continue
		}
		at := slices.IndexFunc(list, func(d Device) bool { return d.Index == i })
		switch {
		case at < 0 && err != nil:
			reason = fmt.Sprintf("GPU %d does not answer: %v", i, err)
		case at < 0:
			reason = fmt.Sprintf("GPU %d is gone", i)
		default:
			reason = w.unfit(list[at])
		}
		if reason != "" {
			break
		}
	}
	changed = reason != w.reason && (reason == "" || w.reason == "")
	if changed {
		w.reason = reason
	}
	return reason, changed
}

// unfit is Device.Unfit with a memory: what was too hot has to cool down, and what went wrong once stays so.
func (w *Watch) unfit(d Device) string {
	before := w.first[d.Index]
	if why := d.Unfit(w.Limits, &before); why != "" {
		w.hot[d.Index] = true
		return why
	}
	if !w.hot[d.Index] || d.Temperature == nil {
		return ""
	}
	warmer := d
	warmer.Temperature = new(*d.Temperature + cooled)
	if why := warmer.Unfit(w.Limits, &before); why != "" {
		return fmt.Sprintf("GPU %d cools down, at %d °C", d.Index, *d.Temperature)
	}
	w.hot[d.Index] = false
	return ""
}
