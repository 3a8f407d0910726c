package consensus

import (
	"sync"

	cmtdb "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
)

// gate is a database that may be read after it was closed, and then holds nothing. CometBFT closes its databases while
// the routines of its peers may still read from them for some seconds, and panics if that is an error.
type gate struct {
	cmtdb.DB

	// mu guards closed, and keeps the database open while it is read.
	mu     sync.RWMutex
	closed bool
}

// openGate opens a database as CometBFT does by default, behind a gate.
func openGate(ctx *cfg.DBContext) (cmtdb.DB, error) {
	db, err := cfg.DefaultDBProvider(ctx)
	if err != nil {
		return nil, err
	}
	return &gate{DB: db}, nil
}

// Get implements the database.
func (g *gate) Get(key []byte) ([]byte, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return nil, nil
	}
	return g.DB.Get(key)
}

// Has implements the database.
func (g *gate) Has(key []byte) (bool, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return false, nil
	}
	return g.DB.Has(key)
}

// Close implements the database. It waits for reads under way.
func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	return g.DB.Close()
}
