package contracts

import (
	"math/big"
	"time"

	"github.com/aitbc/aitbc/market"
)

// MarketParams are the Market's parameters. Times are whole seconds.
type MarketParams struct {
	FeeBps             uint16        `json:"fee_bps"`
	MinDeposit         market.Amount `json:"min_deposit"`
	MaxSessionDuration uint64        `json:"max_session_duration"`
	CloseWindow        uint64        `json:"close_window"`
	MaxOrderDuration   uint64        `json:"max_order_duration"`
	Margin             uint64        `json:"margin"`
	ClaimDelay         uint64        `json:"claim_delay"`
	RefundsPerBlock    uint16        `json:"refunds_per_block"`
}

// DefaultMarketParams returns the parameters of a new network.
func DefaultMarketParams() MarketParams {
	return MarketParams{
		FeeBps:             250,
		MinDeposit:         market.Units(1e15),
		MaxSessionDuration: seconds(30 * 24 * time.Hour),
		CloseWindow:        seconds(time.Hour),
		MaxOrderDuration:   seconds(45 * time.Minute),
		Margin:             seconds(time.Minute),
		ClaimDelay:         seconds(10 * time.Minute),
		RefundsPerBlock:    64,
	}
}

// HoldDelay returns how long replaced keys and lowered limits stay good.
func (p MarketParams) HoldDelay() time.Duration {
	return time.Duration(p.ClaimDelay+p.MaxOrderDuration+p.Margin) * time.Second //nolint:gosec // the contract bounds each to days
}

// MarketParamsABI is [MarketParams] as the interface's tuple.
type MarketParamsABI struct {
	FeeBps             uint16
	MinDeposit         *big.Int
	MaxSessionDuration uint64
	CloseWindow        uint64
	MaxOrderDuration   uint64
	Margin             uint64
	ClaimDelay         uint64
	RefundsPerBlock    uint16
}

// ABI returns p as an argument for the interface's Pack.
func (p MarketParams) ABI() MarketParamsABI {
	return MarketParamsABI{
		FeeBps:             p.FeeBps,
		MinDeposit:         p.MinDeposit.Big(),
		MaxSessionDuration: p.MaxSessionDuration,
		CloseWindow:        p.CloseWindow,
		MaxOrderDuration:   p.MaxOrderDuration,
		Margin:             p.Margin,
		ClaimDelay:         p.ClaimDelay,
		RefundsPerBlock:    p.RefundsPerBlock,
	}
}

// RegistryParams are the Registry's parameters. Times are whole seconds.
type RegistryParams struct {
	MinMinerStake      market.Amount `json:"min_miner_stake"`
	MinCoordinatorBond market.Amount `json:"min_coordinator_bond"`
	UnbondDelay        uint64        `json:"unbond_delay"`
	JailPeriod         uint64        `json:"jail_period"`
}

// DefaultRegistryParams returns the parameters of a new network.
func DefaultRegistryParams() RegistryParams {
	return RegistryParams{
		MinMinerStake:      market.Coins(1_000),
		MinCoordinatorBond: market.Coins(10_000),
		UnbondDelay:        seconds(48 * time.Hour),
		JailPeriod:         seconds(24 * time.Hour),
	}
}

// RegistryParamsABI is [RegistryParams] as the interface's tuple.
type RegistryParamsABI struct {
	MinMinerStake      *big.Int
	MinCoordinatorBond *big.Int
	UnbondDelay        uint64
	JailPeriod         uint64
}

// ABI returns p as an argument for the interface's Pack.
func (p RegistryParams) ABI() RegistryParamsABI {
	return RegistryParamsABI{
		MinMinerStake:      p.MinMinerStake.Big(),
		MinCoordinatorBond: p.MinCoordinatorBond.Big(),
		UnbondDelay:        p.UnbondDelay,
		JailPeriod:         p.JailPeriod,
	}
}

func seconds(d time.Duration) uint64 { return uint64(d / time.Second) } //nolint:gosec // constants of this file
