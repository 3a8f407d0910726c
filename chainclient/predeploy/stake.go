package predeploy

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

// Candidacy is what an account becomes a validator with.
type Candidacy struct {
	X, Y              common.Hash // the consensus key, uncompressed
	Proof             []byte      // that key's signature of [Staking.KeyDigest]
	Stake             market.Amount
	CommissionBps     uint16
	MaxDailyChangeBps uint16 // promised for ever
	Moniker           string
}

// Leaving is a step out of a delegation: what left, and when it can be
// withdrawn, which is when both have come.
type Leaving struct {
	Amount   market.Amount
	DueAt    uint64 // seconds since 1970
	DueBlock uint64
}

// CreateValidator makes the sender's account a validator.
func (s *Staking) CreateValidator(ctx context.Context, by *chainclient.Sender, c Candidacy) (*types.Receipt, error) {
	return s.send(ctx, by, c.Stake, "createValidator", [32]byte(c.X), [32]byte(c.Y), c.Proof, c.CommissionBps, c.MaxDailyChangeBps, c.Moniker)
}

// Delegate delegates coins of the sender's.
func (s *Staking) Delegate(ctx context.Context, by *chainclient.Sender, operator common.Address, amount market.Amount) (*types.Receipt, error) {
	return s.send(ctx, by, amount, "delegate", operator)
}

// Undelegate begins to unbond about that much; [market.MaxAmount] is all that is free.
func (s *Staking) Undelegate(ctx context.Context, by *chainclient.Sender, operator common.Address, amount market.Amount) (Leaving, *types.Receipt, error) {
	r, err := s.send(ctx, by, market.Amount{}, "undelegate", operator, amount.Big())
	if err != nil {
		return Leaving{}, r, err
	}
	var l Leaving
	err = s.event(r, &l, "Undelegated")
	return l, r, err
}

// Redelegate moves about that much from one validator to another at once, and
// returns how much moved; [market.MaxAmount] is all that is free.
func (s *Staking) Redelegate(ctx context.Context, by *chainclient.Sender, from, to common.Address, amount market.Amount) (market.Amount, *types.Receipt, error) {
	r, err := s.send(ctx, by, market.Amount{}, "redelegate", from, to, amount.Big())
	return s.amountOf(r, err, "Redelegated")
}

// Withdraw pays the sender all that has unbonded, and returns how much that was.
func (s *Staking) Withdraw(ctx context.Context, by *chainclient.Sender) (market.Amount, *types.Receipt, error) {
	r, err := s.send(ctx, by, market.Amount{}, "withdraw")
	return s.amountOf(r, err, "Withdrawn")
}

// ClaimRewards pays the sender its rewards of a validator, and returns how much that was.
func (s *Staking) ClaimRewards(ctx context.Context, by *chainclient.Sender, operator common.Address) (market.Amount, *types.Receipt, error) {
	r, err := s.send(ctx, by, market.Amount{}, "claimRewards", operator)
	return s.amountOf(r, err, "RewardsPaid")
}

// SetCommission changes the commission of the sender's validator.
func (s *Staking) SetCommission(ctx context.Context, by *chainclient.Sender, bps uint16) (*types.Receipt, error) {
	return s.send(ctx, by, market.Amount{}, "setCommission", bps)
}

// SetMoniker changes the name of the sender's validator.
func (s *Staking) SetMoniker(ctx context.Context, by *chainclient.Sender, moniker string) (*types.Receipt, error) {
	return s.send(ctx, by, market.Amount{}, "setMoniker", moniker)
}

// Unjail takes the sender's validator out of jail.
func (s *Staking) Unjail(ctx context.Context, by *chainclient.Sender) (*types.Receipt, error) {
	return s.send(ctx, by, market.Amount{}, "unjail")
}

// amountOf returns the amount of the event of that name; an operation on nothing may emit none.
func (c *contract) amountOf(r *types.Receipt, err error, name string) (market.Amount, *types.Receipt, error) {
	if err != nil {
		return market.Amount{}, r, err
	}
	sum := new(big.Int)
	for _, log := range r.Logs {
		if !c.emitted(log, name) {
			continue
		}
		values := map[string]any{}
		if err := c.abi.UnpackIntoMap(values, name, log.Data); err != nil {
			return market.Amount{}, r, fmt.Errorf("decode %s: %w", name, err)
		}
		n, ok := values["amount"].(*big.Int)
		if !ok {
			return market.Amount{}, r, fmt.Errorf("decode %s: no amount", name)
		}
		sum.Add(sum, n)
	}
	a, err := market.AmountFromBig(sum)
	return a, r, err
}

// event fills into from what is not indexed of the first event of that name in a receipt.
func (c *contract) event(r *types.Receipt, into any, name string) error {
	for _, log := range r.Logs {
		if !c.emitted(log, name) {
			continue
		}
		values := map[string]any{}
		if err := c.abi.UnpackIntoMap(values, name, log.Data); err != nil {
			return fmt.Errorf("decode %s: %w", name, err)
		}
		return fill(into, func(field string) (any, bool) { v, ok := values[lowerFirst(field)]; return v, ok })
	}
	return fmt.Errorf("transaction %s: no event %s", r.TxHash, name)
}

// emitted reports whether a log is the contract's event of that name.
func (c *contract) emitted(log *types.Log, name string) bool {
	return log.Address == c.address && len(log.Topics) > 0 && log.Topics[0] == c.abi.Events[name].ID
}
