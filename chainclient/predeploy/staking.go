package predeploy

import (
	"context"
	"fmt"
	"math/big"
	"reflect"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// settleGas is what settling rewards may cost: nothing in the block that an
// estimate is made on, whose rewards may be settled, but always in the next.
const settleGas = 150_000

// pageOfValidators is how many operators are asked for at once.
const pageOfValidators = 200

// Validator is a validator as Staking has it. Times are seconds since 1970,
// shares of money basis points.
type Validator struct {
	Operator          common.Address
	Consensus         common.Address // of the key that signs blocks
	X, Y              common.Hash    // that key, uncompressed
	Tokens            market.Amount  // all that is bonded to it
	Shares            *big.Int       // what Tokens are divided into
	SelfStake         market.Amount
	CommissionBps     uint16
	MaxDailyChangeBps uint16
	CommissionSetAt   uint64
	JailedUntil       uint64
	Jailed            bool
	Tombstoned        bool
	Authority         bool // admitted by governance
	Power             uint64
	Missed            uint32 // blocks of the running window
	Moniker           string
}

// A Standing is a validator's place with respect to the set.
type Standing string

// The standings, from the best on.
const (
	Active      Standing = "active"      // in the set
	Candidate   Standing = "candidate"   // could be, with more stake or from the next epoch on
	Underfunded Standing = "underfunded" // its own stake is below the least
	Unadmitted  Standing = "unadmitted"  // governance has not admitted it
	Jailed      Standing = "jailed"      // until it leaves jail
	Tombstoned  Standing = "tombstoned"  // for ever out
)

// Standing returns where v stands on a network of that mode and least own stake.
func (v Validator) Standing(mode contracts.Mode, minSelfStake market.Amount) Standing {
	switch {
	case v.Tombstoned:
		return Tombstoned
	case v.Jailed:
		return Jailed
	case v.Power > 0:
		return Active
	case mode != contracts.ModePoS && !v.Authority:
		return Unadmitted
	case v.SelfStake.Cmp(minSelfStake) < 0:
		return Underfunded
	default:
		return Candidate
	}
}

// Delegation is what an account has with a validator.
type Delegation struct {
	Amount      market.Amount // its worth now
	Shares      *big.Int
	LockedUntil uint64 // when the last redelegated part is free; 0: all is
}

// Unbonding is stake on its way out. It is due when both have come.
type Unbonding struct {
	Operator common.Address
	Amount   market.Amount // its worth now
	DueAt    uint64        // seconds since 1970
	DueBlock uint64
}

// StakeTotals are the coins that Staking holds for others.
type StakeTotals struct {
	Bonded        market.Amount
	Unbonding     market.Amount
	UnpaidRewards market.Amount
}

// Staking holds validators and the stake behind them.
type Staking struct{ contract }

// NewStaking returns Staking of the chain that c is a client of.
func NewStaking(c *chainclient.Client) *Staking {
	return &Staking{contract{client: c, address: contracts.StakingAddress, abi: stakingABI(), spare: settleGas}}
}

// Mode returns how validators are chosen.
func (s *Staking) Mode(ctx context.Context, at chainclient.Block) (contracts.Mode, error) {
	m, err := readOne[uint8](ctx, &s.contract, at, "mode")
	return contracts.Mode(m), err
}

// Params returns the parameters in force.
func (s *Staking) Params(ctx context.Context, at chainclient.Block) (contracts.StakingParams, error) {
	var p contracts.StakingParams
	err := s.readStruct(ctx, at, &p, "params")
	return p, err
}

// Validator returns the validator of an operator. One that never registered is
// a refusal, UnknownValidator.
func (s *Staking) Validator(ctx context.Context, operator common.Address, at chainclient.Block) (Validator, error) {
	var v Validator
	err := s.readStruct(ctx, at, &v, "validator", operator)
	return v, err
}

// Validators returns all validators in the order in which they registered.
func (s *Staking) Validators(ctx context.Context, at chainclient.Block) ([]Validator, error) {
	var all []Validator
	for {
		var page struct {
			Operators []common.Address
			Total     *big.Int
		}
		if err := s.readTuple(ctx, at, &page, "validators", big.NewInt(int64(len(all))), big.NewInt(pageOfValidators)); err != nil {
			return nil, err
		}
		for _, operator := range page.Operators {
			v, err := s.Validator(ctx, operator, at)
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		if len(page.Operators) == 0 || page.Total.Cmp(big.NewInt(int64(len(all)))) <= 0 {
			return all, nil
		}
	}
}

// Operator returns whose consensus key an address is, or zero.
func (s *Staking) Operator(ctx context.Context, consensus common.Address, at chainclient.Block) (common.Address, error) {
	return readOne[common.Address](ctx, &s.contract, at, "operatorOf", consensus)
}

// Delegation returns what an account has with a validator.
func (s *Staking) Delegation(ctx context.Context, delegator, operator common.Address, at chainclient.Block) (Delegation, error) {
	var d Delegation
	err := s.readTuple(ctx, at, &d, "delegation", delegator, operator)
	return d, err
}

// DelegationsOf returns the validators that an account has delegated to.
func (s *Staking) DelegationsOf(ctx context.Context, delegator common.Address, at chainclient.Block) ([]common.Address, error) {
	return readOne[[]common.Address](ctx, &s.contract, at, "delegationsOf", delegator)
}

// LeftBy returns the validators that stake of an account has left, by the events
// of the blocks up to a height: rewards may wait there.
func (s *Staking) LeftBy(ctx context.Context, delegator common.Address, to uint64) ([]common.Address, error) {
	logs, err := s.client.Logs(ctx, chainclient.Filter{
		To: to, Addresses: []common.Address{s.address},
		Topics: [][]common.Hash{{s.abi.Events["Undelegated"].ID, s.abi.Events["Redelegated"].ID}, {common.BytesToHash(delegator[:])}},
	})
	if err != nil {
		return nil, fmt.Errorf("read what %s undelegated: %w", delegator, err)
	}
	var left []common.Address
	for _, log := range logs {
		if len(log.Topics) < 3 {
			return nil, fmt.Errorf("read what %s undelegated: a log without its topics", delegator)
		}
		if operator := common.BytesToAddress(log.Topics[2][:]); !slices.Contains(left, operator) {
			left = append(left, operator)
		}
	}
	return left, nil
}

// Unbondings returns what of an account's stake unbonds.
func (s *Staking) Unbondings(ctx context.Context, delegator common.Address, at chainclient.Block) ([]Unbonding, error) {
	values, err := s.read(ctx, at, "unbondings", delegator)
	if err != nil {
		return nil, err
	}
	list := reflect.ValueOf(values[0])
	if list.Kind() != reflect.Slice {
		return nil, fmt.Errorf("decode unbondings: %T is no list", values[0])
	}
	all := make([]Unbonding, list.Len())
	for i := range all {
		if err := fill(&all[i], fieldsOf(list.Index(i).Interface())); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Rewards returns what an account would be paid by a validator now, its
// commission among it if it is the operator.
func (s *Staking) Rewards(ctx context.Context, account, operator common.Address, at chainclient.Block) (market.Amount, error) {
	return s.readAmount(ctx, at, "rewards", account, operator)
}

// Epoch returns how many epochs have ended.
func (s *Staking) Epoch(ctx context.Context, at chainclient.Block) (uint64, error) {
	return readOne[uint64](ctx, &s.contract, at, "epoch")
}

// Totals returns the coins that Staking holds for others.
func (s *Staking) Totals(ctx context.Context, at chainclient.Block) (StakeTotals, error) {
	values, err := s.read(ctx, at, "accounts")
	if err != nil {
		return StakeTotals{}, err
	}
	var t StakeTotals
	for i, into := range []*market.Amount{&t.Bonded, &t.Unbonding, &t.UnpaidRewards} {
		n, _ := values[i].(*big.Int)
		if *into, err = market.AmountFromBig(n); err != nil {
			return t, fmt.Errorf("decode accounts: %w", err)
		}
	}
	return t, nil
}

// KeyDigest returns what the consensus key x, y signs to prove that it is the operator's.
func (s *Staking) KeyDigest(ctx context.Context, operator common.Address, x, y common.Hash, at chainclient.Block) (common.Hash, error) {
	d, err := readOne[[32]byte](ctx, &s.contract, at, "keyDigest", operator, [32]byte(x), [32]byte(y))
	return d, err
}
