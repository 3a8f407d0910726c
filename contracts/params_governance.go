package contracts

import (
	"math/big"
	"time"

	"github.com/aitbc/aitbc/market"
)

// GovernanceParams say how proposals run. Times are whole seconds.
type GovernanceParams struct {
	// VotingDelay passes between a proposal and its votes; stake is counted at its end.
	VotingDelay  uint64 `json:"voting_delay"`
	VotingPeriod uint64 `json:"voting_period"`
	// ProposalThreshold is the stake that may propose; a twentieth of all stake always may.
	ProposalThreshold market.Amount `json:"proposal_threshold"`
	// QuorumBps is the part of all stake, in basis points, that must vote for or abstain.
	QuorumBps uint16 `json:"quorum_bps"`
	// TimelockDelay passes between a proposal's success and its execution.
	TimelockDelay uint64 `json:"timelock_delay"`
}

// DefaultGovernanceParams returns the parameters of a new network.
func DefaultGovernanceParams() GovernanceParams {
	return GovernanceParams{
		VotingDelay:       seconds(time.Hour),
		VotingPeriod:      seconds(72 * time.Hour),
		ProposalThreshold: market.Coins(10_000),
		QuorumBps:         2_000,
		TimelockDelay:     seconds(24 * time.Hour),
	}
}

// GovernorParamsABI is what the Governor takes of [GovernanceParams], as the interface's tuple.
type GovernorParamsABI struct {
	VotingDelay       *big.Int
	VotingPeriod      uint32
	ProposalThreshold *big.Int
	QuorumBps         uint16
}

// ABI returns p as an argument for the interface's Pack. Times beyond their type's range become its greatest, which
// the contract refuses.
func (p GovernanceParams) ABI() GovernorParamsABI {
	return GovernorParamsABI{
		VotingDelay:       new(big.Int).SetUint64(min(p.VotingDelay, 1<<48-1)),
		VotingPeriod:      uint32(min(p.VotingPeriod, 1<<32-1)),
		ProposalThreshold: p.ProposalThreshold.Big(),
		QuorumBps:         p.QuorumBps,
	}
}

// FaucetParams are the Faucet's, and what it begins with. The cooldown is whole seconds.
type FaucetParams struct {
	Amount    market.Amount `json:"amount"`
	HourlyCap market.Amount `json:"hourly_cap"`
	Cooldown  uint64        `json:"cooldown"`
	// Balance is made with the first block.
	Balance market.Amount `json:"balance"`
}

// DefaultFaucetParams returns the parameters of a test network.
func DefaultFaucetParams() FaucetParams {
	return FaucetParams{
		Amount: market.Coins(100), HourlyCap: market.Coins(10_000), Cooldown: seconds(time.Hour),
		Balance: market.Coins(1_000_000),
	}
}

// FaucetParamsABI is [FaucetParams] as the interface's tuple.
type FaucetParamsABI struct {
	Amount    *big.Int
	HourlyCap *big.Int
	Cooldown  uint64
}

// ABI returns p as an argument for the interface's Pack.
func (p FaucetParams) ABI() FaucetParamsABI {
	return FaucetParamsABI{Amount: p.Amount.Big(), HourlyCap: p.HourlyCap.Big(), Cooldown: p.Cooldown}
}
