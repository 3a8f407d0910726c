package contracts

import (
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Mode is Staking's word for how validators are chosen.
type Mode uint8

// The modes, as in StakingTypes.sol.
const (
	ModePoA Mode = iota
	ModePoS
	ModeHybrid
)

// ParseMode reads poa, pos or hybrid.
func ParseMode(name string) (Mode, error) {
	switch name {
	case "poa":
		return ModePoA, nil
	case "pos":
		return ModePoS, nil
	case "hybrid":
		return ModeHybrid, nil
	default:
		return 0, fmt.Errorf("consensus mode %q is none of poa, pos, hybrid", name)
	}
}

// StakingParams are Staking's parameters. Times are whole seconds, shares basis points.
type StakingParams struct {
	MaxValidators uint16        `json:"max_validators"`
	EpochBlocks   uint32        `json:"epoch_blocks"`
	MaxPowerBps   uint16        `json:"max_power_bps"`
	MinSelfStake  market.Amount `json:"min_self_stake"`
	UnbondDelay   uint64        `json:"unbond_delay"`
	UnbondBlocks  uint64        `json:"unbond_blocks"`
	DoubleSignBps uint16        `json:"double_sign_bps"`
	DowntimeBps   uint16        `json:"downtime_bps"`
	DowntimeJail  uint64        `json:"downtime_jail"`
	Window        uint32        `json:"window"`
	MaxMissed     uint32        `json:"max_missed"`
}

// DefaultStakingParams returns the parameters of a new network. What unbonds outlasts CometBFT's evidence, which is
// accepted for 48 hours and 100,000 blocks, and the time for which light clients trust a header.
func DefaultStakingParams() StakingParams {
	return StakingParams{
		MaxValidators: 100,
		EpochBlocks:   100,
		MaxPowerBps:   3_300,
		MinSelfStake:  market.Coins(10_000),
		UnbondDelay:   seconds(72 * time.Hour),
		UnbondBlocks:  100_000,
		DoubleSignBps: 500,
		DowntimeBps:   1,
		DowntimeJail:  seconds(10 * time.Minute),
		Window:        10_000,
		MaxMissed:     5_000,
	}
}

// StakingParamsABI is [StakingParams] as the interface's tuple.
type StakingParamsABI struct {
	MaxValidators uint16
	EpochBlocks   uint32
	MaxPowerBps   uint16
	MinSelfStake  *big.Int
	UnbondDelay   uint64
	UnbondBlocks  uint64
	DoubleSignBps uint16
	DowntimeBps   uint16
	DowntimeJail  uint64
	Window        uint32
	MaxMissed     uint32
}

// ABI returns p as an argument for the interface's Pack.
func (p StakingParams) ABI() StakingParamsABI {
	return StakingParamsABI{
		MaxValidators: p.MaxValidators, EpochBlocks: p.EpochBlocks, MaxPowerBps: p.MaxPowerBps,
		MinSelfStake: p.MinSelfStake.Big(), UnbondDelay: p.UnbondDelay, UnbondBlocks: p.UnbondBlocks,
		DoubleSignBps: p.DoubleSignBps, DowntimeBps: p.DowntimeBps, DowntimeJail: p.DowntimeJail,
		Window: p.Window, MaxMissed: p.MaxMissed,
	}
}

// GenesisValidator is a validator of the first block: who operates it, its uncompressed consensus key, its own stake.
type GenesisValidator struct {
	Operator          common.Address
	X, Y              common.Hash
	Stake             market.Amount
	CommissionBps     uint16
	MaxDailyChangeBps uint16
	Moniker           string
}

// GenesisValidatorABI is [GenesisValidator] as the interface's tuple.
type GenesisValidatorABI struct {
	Operator          common.Address
	X, Y              [32]byte
	Stake             *big.Int
	CommissionBps     uint16
	MaxDailyChangeBps uint16
	Moniker           string
}

// ABI returns v as an argument for the interface's Pack.
func (v GenesisValidator) ABI() GenesisValidatorABI {
	return GenesisValidatorABI{
		Operator: v.Operator, X: v.X, Y: v.Y, Stake: v.Stake.Big(),
		CommissionBps: v.CommissionBps, MaxDailyChangeBps: v.MaxDailyChangeBps, Moniker: v.Moniker,
	}
}

// RewardsParams are the parameters of Rewards. Amounts are base units a second, the epoch is seconds, shares are basis
// points of protocol fees.
type RewardsParams struct {
	StakersPerSecond market.Amount `json:"stakers_per_second"`
	MinersPerSecond  market.Amount `json:"miners_per_second"`
	Epoch            uint64        `json:"epoch"`
	MinerFeeBps      uint16        `json:"miner_fee_bps"`
	StakerFeeBps     uint16        `json:"staker_fee_bps"`
}

// DefaultRewardsParams returns the parameters of a new network.
func DefaultRewardsParams() RewardsParams {
	return RewardsParams{
		StakersPerSecond: market.Units(1e17),
		MinersPerSecond:  market.Units(2e17),
		Epoch:            seconds(time.Hour),
		MinerFeeBps:      5_000,
		StakerFeeBps:     3_000,
	}
}

// RewardsParamsABI is [RewardsParams] as the interface's tuple.
type RewardsParamsABI struct {
	StakersPerSecond *big.Int
	MinersPerSecond  *big.Int
	Epoch            uint64
	MinerFeeBps      uint16
	StakerFeeBps     uint16
}

// ABI returns p as an argument for the interface's Pack.
func (p RewardsParams) ABI() RewardsParamsABI {
	return RewardsParamsABI{
		StakersPerSecond: p.StakersPerSecond.Big(), MinersPerSecond: p.MinersPerSecond.Big(), Epoch: p.Epoch,
		MinerFeeBps: p.MinerFeeBps, StakerFeeBps: p.StakerFeeBps,
	}
}
