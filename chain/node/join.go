package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/aitbc/aitbc/chain/abci"
	"github.com/aitbc/aitbc/chain/consensus"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/snapshot"
)

// errSynced ends a node that has taken a snapshot: it is opened again, from the first part to the last.
var errSynced = errors.New("state sync is done")

// leftover goes on after a restored state that no block has followed yet. If the node was killed before consensus had
// taken it over, the state is removed.
func (p *parts) leftover() error {
	if !evm.Imported(p.opt.Home.EVM()) {
		return nil
	}
	height, err := consensus.Resume(p.opt.Home.Data())
	if err != nil || height > 0 {
		return err
	}
	p.opt.Log.Warn("state sync was interrupted: it begins anew")
	return evm.Discard(p.opt.Home.EVM())
}

// snapshots makes what state sync needs on both sides.
func (p *parts) snapshots(chain *evm.Chain) (abci.Snapshots, error) {
	var out abci.Snapshots
	store, err := snapshot.OpenStore(p.opt.Home.Snapshots(), chain.BlockChain().Genesis().Hash(), p.state.Supply())
	if err != nil {
		return out, err
	}
	maker, err := snapshot.NewMaker(snapshot.MakerConfig{
		Chain: chain, Store: store, Every: p.opt.Config.Storage.SnapshotEvery, Keep: p.opt.Config.Storage.SnapshotKeep,
		Log: p.opt.Log.With("part", "snapshot"),
	})
	if err != nil {
		return out, err
	}
	incoming := filepath.Join(p.opt.Home.Data(), "incoming")
	return abci.Snapshots{Store: store, Maker: maker, Intake: snapshot.NewIntake(chain, incoming, p.state.Supply())}, nil
}

// retention is what the configuration and the consensus parameters say about old blocks.
func (p *parts) retention() abci.Retention {
	ev := p.doc.ConsensusParams.Evidence
	return abci.Retention{
		Blocks:         p.opt.Config.Storage.RetainBlocks,
		EvidenceBlocks: uint64(ev.MaxAgeNumBlocks), EvidenceAge: ev.MaxAgeDuration, //nolint:gosec // positive: checked by CometBFT
	}
}

// joins reports whether this start begins with state sync.
func (p *parts) joins(chain *evm.Chain) bool {
	if !p.opt.Config.StateSync.Enabled || chain.Head().Number.Sign() > 0 {
		return false
	}
	vals := p.doc.Validators // who is alone has nobody to ask
	return len(vals) != 1 || !bytes.Equal(vals[0].Address, p.validator[:])
}

// syncTick is how often the node looks whether consensus has taken over the restored height.
const syncTick = 100 * time.Millisecond

// synced waits until a snapshot was restored and taken over, and then returns errSynced. It returns nil if ctx ends.
func synced(ctx context.Context, app *abci.App, cons *consensus.Node, chain *evm.Chain) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-app.Synced():
		if err != nil {
			return fmt.Errorf("the node must begin anew: %w", err)
		}
	}
	height := chain.Head().Number.Int64()
	tick := time.NewTicker(syncTick)
	defer tick.Stop()
	for !cons.Synced(height) {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return errSynced
}
