package gpu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"github.com/aitbc/aitbc/internal/atomicfile"
)

// Limiter has GPUs draw no more than their owner wants while a miner runs, and puts back the power limits that were there
// before. What it changes stands in a file first, so that a miner that was killed puts it back at its next start or stop. It
// is for one miner at a time, and its methods are not safe for concurrent use.
type Limiter struct {
	Inventory Inventory
	File      string
	Log       *slog.Logger
}

// change is what was done to the power limit of a device.
type change struct {
	Index  int    `json:"index"`
	Vendor Vendor `json:"vendor"`
	UUID   string `json:"uuid,omitempty"`
	Bus    string `json:"bus,omitempty"`
	Before uint64 `json:"before"` // milliwatts
	Set    uint64 `json:"set"`    // milliwatts
}

// of says whether a change is that of a device, which may have another number since.
func (c change) of(d Device) bool {
	switch {
	case c.Vendor != d.Vendor:
		return false
	case c.UUID != "" || d.UUID != "":
		return c.UUID == d.UUID
	case c.Bus != "" || d.Bus != "":
		return c.Bus == d.Bus
	}
	return c.Index == d.Index
}

// Apply has those of the devices in use, all if used is empty, draw at most so many milliwatts; with zero it only puts back
// what an earlier run left. What this user may not set, or nobody can, is logged with what to do, and no error. It returns a
// *[BoundsError] for each device that does not take the limit, and has then changed none.
func (l *Limiter) Apply(ctx context.Context, used []int, milliwatts uint64) error {
	changes, err := l.read()
	if err != nil {
		return err
	}
	if milliwatts == 0 && len(changes) == 0 {
		return nil
	}
	list, err := l.Inventory.Devices(ctx)
	if err != nil {
		l.Log.WarnContext(ctx, "power limits of GPUs cannot be set", "err", err)
	}
	var wanted []Device
	if milliwatts > 0 {
		var wrong []error
		for _, d := range list {
			if len(used) > 0 && !slices.Contains(used, d.Index) {
				continue
			}
			if err := d.CheckPowerLimit(milliwatts); errors.Is(err, ErrNoPowerLimit) {
				l.Log.WarnContext(ctx, "the power limit of a GPU stays as it is", "err", err)
				continue
			} else if err != nil {
				wrong = append(wrong, err)
			}
			wanted = append(wanted, d)
		}
		if len(wrong) > 0 {
			return errors.Join(append(wrong, l.Restore(ctx))...)
		}
	}
	changes, err = l.putBack(ctx, list, changes, wanted)
	if err != nil {
		return err
	}
	for _, d := range wanted {
		if changes, err = l.limit(ctx, d, changes, milliwatts); err != nil {
			return err
		}
	}
	return l.confirm(ctx, wanted, changes)
}

// Restore puts back what was changed. What cannot be put back now is logged, stays in the file and is tried again the next
// time; what somebody else has changed since is left as it is.
func (l *Limiter) Restore(ctx context.Context) error {
	changes, err := l.read()
	if err != nil || len(changes) == 0 {
		return err
	}
	list, err := l.Inventory.Devices(ctx)
	if err != nil {
		l.Log.WarnContext(ctx, "not all GPUs can be looked at", "err", err)
	}
	_, err = l.putBack(ctx, list, changes, nil)
	return err
}

// putBack undoes changes but those of some devices, and returns those that are left.
func (l *Limiter) putBack(ctx context.Context, list []Device, changes []change, but []Device) ([]change, error) {
	var left []change
	for _, c := range changes {
		at := slices.IndexFunc(list, c.of)
		if at < 0 {
			l.Log.WarnContext(ctx, "a GPU is not there to get its power limit back", "gpu", c.Index, "limit_w", watts(c.Before))
			left = append(left, c)
			continue
		}
		d := list[at]
		if slices.ContainsFunc(but, c.of) {
			left = append(left, c)
			continue
		}
		if d.PowerLimitSet == nil || *d.PowerLimitSet != c.Set {
			continue // the machine was started again, or somebody has set another
		}
		if err := l.Inventory.SetPowerLimit(ctx, d, c.Before); err != nil {
			l.warn(ctx, err, c.Before)
			left = append(left, c)
			continue
		}
		l.Log.InfoContext(ctx, "a GPU has its power limit back", "gpu", d.Index, "limit_w", watts(c.Before))
	}
	return left, l.write(left)
}

// limit limits one device, and notes beforehand what was there.
func (l *Limiter) limit(ctx context.Context, d Device, changes []change, milliwatts uint64) ([]change, error) {
	before := slices.Clone(changes)
	c := change{Index: d.Index, Vendor: d.Vendor, UUID: d.UUID, Bus: d.Bus, Before: *d.PowerLimitSet, Set: milliwatts}
	at := slices.IndexFunc(changes, func(c change) bool { return c.of(d) })
	if at >= 0 && changes[at].Set == *d.PowerLimitSet {
		c.Before = changes[at].Before // it is what an earlier run set
	}
	if at >= 0 {
		changes = slices.Delete(changes, at, at+1)
	}
	if c.Before != milliwatts {
		changes = append(changes, c)
	}
	if *d.PowerLimitSet == milliwatts {
		return changes, l.write(changes)
	}
	if err := l.write(changes); err != nil {
		return before, err // what is not kept is not done
	}
	if err := l.Inventory.SetPowerLimit(ctx, d, milliwatts); err != nil {
		l.warn(ctx, err, milliwatts)
		return before, l.write(before)
	}
	l.Log.InfoContext(ctx, "a GPU has the power limit that the settings say", "gpu", d.Index, "limit_w", watts(milliwatts), "before_w", watts(*d.PowerLimitSet))
	return changes, nil
}

// confirm notes what the drivers made of the limits: some round them, and nvidia-smi calls some that it did not set a success.
func (l *Limiter) confirm(ctx context.Context, wanted []Device, changes []change) error {
	if len(changes) == 0 || len(wanted) == 0 {
		return nil
	}
	list, err := l.Inventory.Devices(ctx)
	if err != nil {
		l.Log.WarnContext(ctx, "not all GPUs can be looked at", "err", err)
	}
	for k := range changes {
		at := slices.IndexFunc(list, changes[k].of)
		if at < 0 || list[at].PowerLimitSet == nil || !slices.ContainsFunc(wanted, changes[k].of) {
			continue
		}
		if is := *list[at].PowerLimitSet; is != changes[k].Set {
			l.Log.WarnContext(ctx, "a GPU has another power limit than it was given", "gpu", list[at].Index, "given_w", watts(changes[k].Set), "limit_w", watts(is))
			changes[k].Set = is
		}
	}
	return l.write(slices.DeleteFunc(changes, func(c change) bool { return c.Before == c.Set }))
}

// warn says that a limit of so many milliwatts was not set, and why.
func (l *Limiter) warn(ctx context.Context, err error, milliwatts uint64) {
	if e, ok := errors.AsType[*RightsError](err); ok {
		l.Log.WarnContext(ctx, "a GPU keeps its power limit: an administrator can set it", "limit_w", watts(milliwatts), "err", err, "command", e.Command)
		return
	}
	l.Log.WarnContext(ctx, "a GPU keeps its power limit: it cannot be set", "limit_w", watts(milliwatts), "err", err)
}

func (l *Limiter) read() ([]change, error) {
	raw, err := os.ReadFile(l.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("power limits to put back: %w", err)
	}
	var changes []change
	if err := json.Unmarshal(raw, &changes); err != nil {
		return nil, fmt.Errorf("power limits to put back: %s: %w", l.File, err)
	}
	return changes, nil
}

func (l *Limiter) write(changes []change) error {
	if len(changes) == 0 {
		return atomicfile.Remove(l.File)
	}
	raw, err := json.Marshal(changes)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return atomicfile.Write(l.File, append(raw, '\n'), 0o600)
}
