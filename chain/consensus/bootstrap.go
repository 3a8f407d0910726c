package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/light"
	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/statesync"
	"github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/config"
)

// ErrNotEmpty refuses to bootstrap consensus that has blocks.
var ErrNotEmpty = errors.New("consensus has blocks already")

// stores are CometBFT's databases while no node has them open.
type stores struct {
	states sm.Store
	blocks *store.BlockStore
}

// openStores opens the databases in a node's data folder, which are made if need be. close must be called.
func openStores(dir string) (s stores, err error) {
	cc := cfg.DefaultConfig()
	cc.SetRoot(dir)
	cc.DBPath = dbPath
	states, err := cfg.DefaultDBProvider(&cfg.DBContext{ID: "state", Config: cc})
	if err != nil {
		return s, fmt.Errorf("open consensus: %w", err)
	}
	s.states = sm.NewStore(states, sm.StoreOptions{})
	blocks, err := cfg.DefaultDBProvider(&cfg.DBContext{ID: "blockstore", Config: cc})
	if err != nil {
		return s, errors.Join(fmt.Errorf("open consensus: %w", err), states.Close())
	}
	s.blocks = store.NewBlockStore(blocks)
	return s, nil
}

func (s stores) close() error { return errors.Join(s.blocks.Close(), s.states.Close()) }

// Resume readies the consensus in dir to be opened after state sync and before the first block of its own, which it
// does not expect by itself, and returns its height; 0 if state sync was not done. No node may have it open.
func Resume(dir string) (int64, error) {
	s, err := openStores(dir)
	if err != nil {
		return 0, err
	}
	state, err := s.states.Load()
	half := false
	if err == nil && state.LastBlockHeight > 0 && s.blocks.IsEmpty() {
		if half = s.blocks.LoadSeenCommit(state.LastBlockHeight) == nil; !half {
			err = s.states.SetOfflineStateSyncHeight(state.LastBlockHeight)
		}
	}
	if err := errors.Join(err, s.close()); err != nil {
		return 0, fmt.Errorf("resume consensus: %w", err)
	}
	if half { // it was killed between the two; it has no blocks to lose
		if err := os.RemoveAll(filepath.Join(dir, dbPath)); err != nil {
			return 0, fmt.Errorf("resume consensus: %w", err)
		}
		return 0, nil
	}
	return state.LastBlockHeight, nil
}

// Trusted is what a light client has found to be true of one height.
type Trusted struct {
	// AppHash is the hash of the Ethereum block of the height.
	AppHash common.Hash

	state  sm.State
	commit *cmttypes.Commit
}

// Trust asks servers for a height and checks their answers with a light client that begins at the trusted header.
func Trust(ctx context.Context, c config.StateSync, doc *cmttypes.GenesisDoc, height uint64, log *slog.Logger) (Trusted, error) {
	genesis, err := sm.MakeGenesisState(doc)
	if err != nil {
		return Trusted{}, fmt.Errorf("trust block %d: %w", height, err)
	}
	trust := light.TrustOptions{Period: time.Duration(c.TrustPeriod), Height: c.TrustHeight, Hash: common.FromHex(c.TrustHash)}
	p, err := statesync.NewLightClientStateProvider(ctx, doc.ChainID, genesis.Version, doc.InitialHeight, c.RPCServers, trust, logger{log})
	if err != nil {
		return Trusted{}, fmt.Errorf("trust block %d: %w", height, err)
	}
	hash, err := p.AppHash(ctx, height)
	if err != nil {
		return Trusted{}, fmt.Errorf("trust block %d: %w", height, err)
	}
	t := Trusted{AppHash: common.BytesToHash(hash)}
	if t.state, err = p.State(ctx, height); err != nil {
		return Trusted{}, fmt.Errorf("trust block %d: %w", height, err)
	}
	if t.commit, err = p.Commit(ctx, height); err != nil {
		return Trusted{}, fmt.Errorf("trust block %d: %w", height, err)
	}
	return t, nil
}

// Bootstrap makes consensus in dir go on after a trusted height. It returns ErrNotEmpty if it has blocks.
func Bootstrap(dir string, t Trusted) error {
	s, err := openStores(dir)
	if err != nil {
		return err
	}
	return errors.Join(s.bootstrap(t), s.close())
}

func (s stores) bootstrap(t Trusted) error {
	now, err := s.states.Load()
	if err != nil {
		return fmt.Errorf("bootstrap consensus: %w", err)
	}
	if now.LastBlockHeight > 0 || !s.blocks.IsEmpty() {
		return fmt.Errorf("%w: %d", ErrNotEmpty, now.LastBlockHeight)
	}
	if err := s.states.Bootstrap(t.state); err != nil {
		return fmt.Errorf("bootstrap consensus: %w", err)
	}
	if err := s.blocks.SaveSeenCommit(t.state.LastBlockHeight, t.commit); err != nil {
		return fmt.Errorf("bootstrap consensus: %w", err)
	}
	if err := s.states.SetOfflineStateSyncHeight(t.state.LastBlockHeight); err != nil {
		return fmt.Errorf("bootstrap consensus: %w", err)
	}
	return nil
}

// Synced reports whether a running node's consensus has taken over the height that state sync has brought.
func (n *Node) Synced(height int64) bool {
	state, err := n.env.StateStore.Load()
	if err != nil || state.LastBlockHeight < height {
		return false
	}
	return state.LastBlockHeight > height || n.env.BlockStore.LoadSeenCommit(height) != nil
}
