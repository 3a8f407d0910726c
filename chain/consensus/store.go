package consensus

import (
	"bytes"
	"fmt"

	"github.com/cometbft/cometbft/rpc/core"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/aitbc/aitbc/chain/proof"
)

// Decided reads from CometBFT's stores what was decided. It implements proof.Commitments.
type Decided struct{ env *core.Environment }

// Height is that of the last decided block.
func (d Decided) Height() int64 { return d.env.BlockStore.Height() }

// Commitment is the header of a height, the votes that decided it and the validators that cast them.
func (d Decided) Commitment(height int64) (proof.Commitment, error) {
	meta := d.env.BlockStore.LoadBlockMeta(height)
	if meta == nil {
		return proof.Commitment{}, fmt.Errorf("decided block %d: %w", height, proof.ErrNotFound)
	}
	commit := d.env.BlockStore.LoadBlockCommit(height) // as the next block has it; there is none yet at the head
	if commit == nil {
		commit = d.env.BlockStore.LoadSeenCommit(height)
	}
	if commit == nil {
		return proof.Commitment{}, fmt.Errorf("votes for block %d: %w", height, proof.ErrNotFound)
	}
	set, err := d.env.StateStore.LoadValidators(height)
	if err != nil {
		return proof.Commitment{}, fmt.Errorf("validators of block %d: %w", height, err)
	}
	header := meta.Header
	return proof.Commitment{Header: &header, Commit: commit, Validators: set}, nil
}

// Changes reports whether the validators differ after a height.
func (d Decided) Changes(height int64) (bool, error) {
	meta := d.env.BlockStore.LoadBlockMeta(height)
	if meta == nil {
		return false, fmt.Errorf("decided block %d: %w", height, proof.ErrNotFound)
	}
	return !bytes.Equal(meta.Header.ValidatorsHash, meta.Header.NextValidatorsHash), nil
}

// Meta is CometBFT's record of a decided block, nil if there is none.
func (d Decided) Meta(height int64) *cmttypes.BlockMeta {
	return d.env.BlockStore.LoadBlockMeta(height)
}
