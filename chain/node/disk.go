package node

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrDisk stops a node whose disk has no room for what comes. Nothing that was committed is lost.
var ErrDisk = errors.New("the disk is full")

// lookEvery is how often the free space is looked at.
const lookEvery = 5 * time.Second

// room returns ErrDisk if the data folder has less than least bytes left. What cannot be found out is no error.
func (p *parts) room(least uint64) error {
	free, ok := freeSpace(p.opt.Home.Data())
	if !ok || free >= least {
		return nil
	}
	return fmt.Errorf("%w: %d MiB are left in %s (storage.min_free_mib is %d)", ErrDisk, free>>20, p.opt.Home.Data(), p.opt.Config.Storage.MinFreeMiB)
}

// watchDisk ends with ErrDisk when the free space falls below the configured least: a node that stops in order needs no
// repair.
func (p *parts) watchDisk(ctx context.Context) error {
	least := p.opt.Config.Storage.MinFreeMiB << 20
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := p.room(least); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// whyStopped says that the disk is full, if that is why the node failed.
func (p *parts) whyStopped(err error) error {
	if err == nil || errors.Is(err, ErrDisk) {
		return err
	}
	if full := p.room(1 << 20); full != nil {
		return fmt.Errorf("%w: %w", full, err)
	}
	return err
}
