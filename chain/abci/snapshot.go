package abci

import (
	"context"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/snapshot"
)

// Snapshots are the parts that state sync needs: what this node serves, how it makes it, and what it takes itself. The
// zero value offers and takes nothing.
type Snapshots struct {
	Store  *snapshot.Store
	Maker  *snapshot.Maker
	Intake *snapshot.Intake
}

// ListSnapshots shows what peers may fetch.
func (a *App) ListSnapshots(context.Context, *abci.RequestListSnapshots) (*abci.ResponseListSnapshots, error) {
	out := &abci.ResponseListSnapshots{}
	if a.cfg.Snapshots.Store == nil {
		return out, nil
	}
	for _, e := range a.cfg.Snapshots.Store.List() {
		out.Snapshots = append(out.Snapshots, &abci.Snapshot{
			Height: e.Manifest.Height, Format: e.Manifest.Format, Chunks: uint32(len(e.Manifest.Chunks)), //nolint:gosec // at most snapshot.MaxChunks
			Hash: e.Hash.Bytes(), Metadata: e.Raw,
		})
	}
	return out, nil
}

// LoadSnapshotChunk reads a chunk for a peer. One that is not there any more is answered without content.
func (a *App) LoadSnapshotChunk(_ context.Context, r *abci.RequestLoadSnapshotChunk) (*abci.ResponseLoadSnapshotChunk, error) {
	if a.cfg.Snapshots.Store == nil || r.Format != snapshot.Format {
		return &abci.ResponseLoadSnapshotChunk{}, nil
	}
	raw, err := a.cfg.Snapshots.Store.Chunk(r.Height, r.Chunk)
	if err != nil && !errors.Is(err, snapshot.ErrNotFound) {
		return nil, err
	}
	return &abci.ResponseLoadSnapshotChunk{Chunk: raw}, nil
}

// OfferSnapshot decides whether to take a peer's snapshot. The app hash is what the validators have signed.
func (a *App) OfferSnapshot(_ context.Context, r *abci.RequestOfferSnapshot) (*abci.ResponseOfferSnapshot, error) {
	in := a.cfg.Snapshots.Intake
	if in == nil || r.Snapshot == nil || len(r.AppHash) != common.HashLength {
		return &abci.ResponseOfferSnapshot{Result: abci.ResponseOfferSnapshot_ABORT}, nil
	}
	err := in.Offer(snapshot.Offered{
		Height: r.Snapshot.Height, Format: r.Snapshot.Format, Chunks: r.Snapshot.Chunks,
		Hash: r.Snapshot.Hash, Manifest: r.Snapshot.Metadata, Block: common.Hash(r.AppHash),
	})
	out := &abci.ResponseOfferSnapshot{Result: abci.ResponseOfferSnapshot_ACCEPT}
	switch {
	case err == nil:
		a.cfg.Log.Info("taking a snapshot", "height", r.Snapshot.Height, "chunks", r.Snapshot.Chunks)
		return out, nil
	case errors.Is(err, snapshot.ErrFormat):
		out.Result = abci.ResponseOfferSnapshot_REJECT_FORMAT
	case errors.Is(err, snapshot.ErrCorrupt):
		out.Result = abci.ResponseOfferSnapshot_REJECT
	case errors.Is(err, evm.ErrNotEmpty):
		out.Result = abci.ResponseOfferSnapshot_ABORT
	default:
		a.word(err)
		return nil, err
	}
	a.cfg.Log.Warn("snapshot refused", "height", r.Snapshot.Height, "err", err)
	return out, nil
}

// ApplySnapshotChunk takes the next chunk. A wrong one is fetched again, from somebody else; a snapshot that contradicts
// the signed block is refused as a whole.
func (a *App) ApplySnapshotChunk(_ context.Context, r *abci.RequestApplySnapshotChunk) (*abci.ResponseApplySnapshotChunk, error) {
	in := a.cfg.Snapshots.Intake
	if in == nil {
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_ABORT}, nil
	}
	done, err := in.Take(r.Index, r.Chunk)
	out := &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_ACCEPT}
	switch {
	case done:
		a.cfg.Log.Info("snapshot restored", "height", a.cfg.Chain.Head().Number.Uint64(), "hash", a.cfg.Chain.Head().Hash())
		a.word(nil)
	case err == nil:
	case errors.Is(err, snapshot.ErrChunk):
		a.cfg.Log.Warn("chunk refused", "index", r.Index, "sender", r.Sender, "err", err)
		out.Result = abci.ResponseApplySnapshotChunk_RETRY
		out.RefetchChunks = []uint32{r.Index}
		if r.Sender != "" {
			out.RejectSenders = []string{r.Sender}
		}
	case errors.Is(err, snapshot.ErrOrder), errors.Is(err, snapshot.ErrCorrupt) && a.cfg.Chain.Head().Number.Sign() == 0:
		a.cfg.Log.Warn("snapshot refused", "err", err)
		out.Result = abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT
	default:
		err = fmt.Errorf("state sync: %w", err)
		a.word(err)
		return nil, err
	}
	return out, nil
}

// word tells how state sync went, unless nobody has heard the last word yet.
func (a *App) word(err error) {
	select {
	case a.synced <- err:
	default:
	}
}

// Synced tells that a snapshot was restored, or, with an error, that it cannot be: the node must be opened again.
func (a *App) Synced() <-chan error { return a.synced }
