package snapshot

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aitbc/aitbc/chain/evm"
)

// MakerConfig says when snapshots are made.
type MakerConfig struct {
	Chain *evm.Chain
	Store *Store
	// Every is the number of blocks between snapshots, 0 for none; Keep is how many stay.
	Every uint64
	Keep  int
	Log   *slog.Logger
}

// Maker makes snapshots beside the blocks.
type Maker struct {
	cfg   MakerConfig
	views chan *evm.View // one may wait while another is being written

	// mu guards closed, which says that Run has ended: nobody would close a view.
	mu     sync.Mutex
	closed bool
}

// Writing rests this many times as long as it works, and taking a view waits this long for the disk.
const (
	restFactor = 3
	viewWait   = 2 * time.Second
)

// NewMaker makes a maker. Nothing is made unless Run runs.
func NewMaker(cfg MakerConfig) (*Maker, error) {
	if cfg.Chain == nil || cfg.Store == nil || cfg.Log == nil || cfg.Keep < 1 {
		return nil, errors.New("snapshot: incomplete configuration")
	}
	return &Maker{cfg: cfg, views: make(chan *evm.View, 1)}, nil
}

// Committed takes a view of the block that was just committed, if a snapshot is due and none waits to be written: a slow
// disk loses snapshots, not time. It must be called before the next block is committed.
func (m *Maker) Committed(ctx context.Context, height uint64) {
	if m.cfg.Every == 0 || height%m.cfg.Every != 0 || len(m.views) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, viewWait)
	defer cancel()
	v, err := m.cfg.Chain.View(ctx)
	if err != nil {
		m.cfg.Log.Warn("no snapshot is made", "height", height, "err", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		select {
		case m.views <- v:
			return
		default:
		}
	}
	v.Close()
}

// Run writes snapshots until ctx ends.
func (m *Maker) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			m.end()
			return nil
		case v := <-m.views:
			m.make(ctx, v)
		}
	}
}

// end takes no views any more.
func (m *Maker) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	select {
	case v := <-m.views:
		v.Close()
	default:
	}
}

func (m *Maker) make(ctx context.Context, v *evm.View) {
	height := v.Block.NumberU64()
	e, err := m.cfg.Store.Create(ctx, v, restFactor)
	if err == nil {
		err = m.cfg.Store.Keep(m.cfg.Keep)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		m.cfg.Log.Error("snapshot could not be made", "height", height, "err", err)
	default:
		m.cfg.Log.Info("snapshot made", "height", height, "chunks", len(e.Manifest.Chunks), "bytes", e.Bytes)
	}
}
