package contracts

import (
	"math/big"
	"time"

	"github.com/aitbc/aitbc/market"
)

// JobParams are the parameters of the Market's direct jobs. Times are whole seconds.
type JobParams struct {
	MinFee          market.Amount `json:"min_fee"`
	MinBond         market.Amount `json:"min_bond"`
	BondBps         uint16        `json:"bond_bps"` // of the fee, if that is more than MinBond
	MaxDuration     uint64        `json:"max_duration"`
	ChallengeWindow uint32        `json:"challenge_window"`
	AnswerWindow    uint32        `json:"answer_window"`
	JobsPerBlock    uint16        `json:"jobs_per_block"`
	// MaxLevel is the highest verification level that may be ordered: none is promised that nothing enforces.
	MaxLevel uint8 `json:"max_level"`
}

// DefaultJobParams returns the parameters of a new network.
func DefaultJobParams() JobParams {
	return JobParams{
		MinFee:          market.Units(1e15),
		MinBond:         market.Units(1e16),
		BondBps:         2_000,
		MaxDuration:     seconds(30 * 24 * time.Hour),
		ChallengeWindow: uint32(seconds(6 * time.Hour)), //nolint:gosec // a constant
		AnswerWindow:    uint32(seconds(2 * time.Hour)), //nolint:gosec // a constant
		JobsPerBlock:    32,
	}
}

// JobParamsABI is [JobParams] as the interface's tuple.
type JobParamsABI struct {
	MinFee          *big.Int
	MinBond         *big.Int
	BondBps         uint16
	MaxDuration     uint64
	ChallengeWindow uint32
	AnswerWindow    uint32
	JobsPerBlock    uint16
	MaxLevel        uint8
}

// ABI returns p as an argument for the interface's Pack.
func (p JobParams) ABI() JobParamsABI {
	return JobParamsABI{
		MinFee:          p.MinFee.Big(),
		MinBond:         p.MinBond.Big(),
		BondBps:         p.BondBps,
		MaxDuration:     p.MaxDuration,
		ChallengeWindow: p.ChallengeWindow,
		AnswerWindow:    p.AnswerWindow,
		JobsPerBlock:    p.JobsPerBlock,
		MaxLevel:        p.MaxLevel,
	}
}
