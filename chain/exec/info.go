package exec

import (
	"encoding/binary"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// Info is everything besides the transactions that a block's execution may depend on. All three ABCI calls
// (PrepareProposal, ProcessProposal, FinalizeBlock) carry it, so one execution serves them all.
type Info struct {
	Height   uint64
	Time     time.Time
	Proposer common.Address
	// Missed are the validators whose votes are absent from the last commit.
	Missed []common.Address
	// Guilty are those proven, in this block, to have voted twice or to have attacked light clients.
	Guilty []Evidence
}

// Evidence says that a validator broke the rules at a height. CometBFT has checked the proof.
type Evidence struct {
	Validator common.Address
	Height    uint64
	// Time of the block at that height, in seconds since 1970.
	Time uint64
}

// Key names an execution: two with the same key on the same parent have the same outcome.
func (i Info) Key(txs [][]byte) common.Hash {
	b := binary.BigEndian.AppendUint64(nil, i.Height)
	b = binary.BigEndian.AppendUint64(b, uint64(i.Time.UnixNano()))
	b = append(b, i.Proposer[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(i.Missed)))
	for _, a := range i.Missed {
		b = append(b, a[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(len(i.Guilty)))
	for _, g := range i.Guilty {
		b = append(b, g.Validator[:]...)
		b = binary.BigEndian.AppendUint64(b, g.Height)
		b = binary.BigEndian.AppendUint64(b, g.Time)
	}
	for _, tx := range txs {
		b = append(b, crypto.Keccak256(tx)...)
	}
	return crypto.Keccak256Hash(b)
}

// BlockTime is the whole time of a block: its header's own field holds only seconds.
func BlockTime(h *types.Header) time.Time {
	if h.Number.Sign() == 0 || len(h.Extra) != 8 {
		return time.Unix(int64(h.Time), 0).UTC() //nolint:gosec // far below 2^63
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(h.Extra))).UTC() //nolint:gosec // written by header()
}
