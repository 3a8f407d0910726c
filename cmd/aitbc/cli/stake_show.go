package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

// delegated is what an account has with one validator.
type delegated struct {
	Operator    common.Address     `json:"operator"`
	Moniker     string             `json:"moniker"`
	Standing    predeploy.Standing `json:"status"`
	Amount      market.Amount      `json:"amount"`
	Rewards     market.Amount      `json:"rewards"`
	LockedUntil uint64             `json:"locked_until"`
}

// unbonding is stake on its way out.
type unbonding struct {
	Operator common.Address `json:"operator"`
	Amount   market.Amount  `json:"amount"`
	DueAt    uint64         `json:"due_at"`
	DueBlock uint64         `json:"due_block"`
	Due      bool           `json:"due"`
}

// stakes is all that Staking has of an account.
type stakes struct {
	Account     common.Address `json:"account"`
	Height      uint64         `json:"height"`
	Delegated   market.Amount  `json:"delegated"`
	Rewards     market.Amount  `json:"rewards"`
	Unbonding   market.Amount  `json:"unbonding"`
	Due         market.Amount  `json:"due"` // of Unbonding: can be withdrawn
	Delegations []delegated    `json:"delegations"`
	Unbondings  []unbonding    `json:"unbondings"`
}

// delegations returns what an account has with each validator, with those where
// only rewards are left.
func delegations(ctx context.Context, st *predeploy.Staking, account common.Address, h head) ([]delegated, error) {
	operators, err := st.DelegationsOf(ctx, account, h.at)
	if err != nil {
		return nil, err
	}
	left, err := st.LeftBy(ctx, account, h.height)
	if err != nil {
		return nil, err
	}
	mode, err := st.Mode(ctx, h.at)
	if err != nil {
		return nil, err
	}
	params, err := st.Params(ctx, h.at)
	if err != nil {
		return nil, err
	}
	list := []delegated{}
	for _, operator := range slices.Concat(operators, left, []common.Address{account}) {
		if slices.ContainsFunc(list, func(d delegated) bool { return d.Operator == operator }) {
			continue
		}
		v, err := st.Validator(ctx, operator, h.at)
		if e, ok := errors.AsType[*chainclient.RevertError](err); ok && operator == account && e.Name == "UnknownValidator" {
			continue // most accounts operate none
		} else if err != nil {
			return nil, err
		}
		d, err := st.Delegation(ctx, account, operator, h.at)
		if err != nil {
			return nil, err
		}
		rewards, err := st.Rewards(ctx, account, operator, h.at)
		if err != nil {
			return nil, err
		}
		if d.Amount.IsZero() && rewards.IsZero() && !slices.Contains(operators, operator) {
			continue
		}
		list = append(list, delegated{operator, v.Moniker, v.Standing(mode, params.MinSelfStake), d.Amount, rewards, d.LockedUntil})
	}
	return list, nil
}

func (c *call) stakesOf(ctx context.Context, command string) (stakes, head, error) {
	account, err := c.accountOf(command, c.argument(0))
	if err != nil {
		return stakes{}, head{}, err
	}
	eth, err := c.chain()
	if err != nil {
		return stakes{}, head{}, err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return stakes{}, h, err
	}
	st := predeploy.NewStaking(eth)
	s := stakes{Account: account, Height: h.height, Unbondings: []unbonding{}}
	if s.Delegations, err = delegations(ctx, st, account, h); err != nil {
		return s, h, err
	}
	for _, d := range s.Delegations {
		if s.Delegated, err = sum(s.Delegated, d.Amount); err != nil {
			return s, h, err
		}
		if s.Rewards, err = sum(s.Rewards, d.Rewards); err != nil {
			return s, h, err
		}
	}
	list, err := st.Unbondings(ctx, account, h.at)
	if err != nil {
		return s, h, err
	}
	for _, u := range list {
		due := u.DueAt <= h.time && u.DueBlock <= h.height
		s.Unbondings = append(s.Unbondings, unbonding{u.Operator, u.Amount, u.DueAt, u.DueBlock, due})
		if s.Unbonding, err = sum(s.Unbonding, u.Amount); err != nil {
			return s, h, err
		}
		if !due {
			continue
		}
		if s.Due, err = sum(s.Due, u.Amount); err != nil {
			return s, h, err
		}
	}
	return s, h, nil
}

func (c *call) stakeStatus(ctx context.Context) error {
	s, h, err := c.stakesOf(ctx, "stake status")
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(s)
	}
	t := newTable(c.Stdout)
	t.row("account", s.Account.Hex())
	t.row("delegated", s.Delegated.Coins())
	t.row("rewards", s.Rewards.Coins())
	t.row("unbonding", fmt.Sprintf("%s (to withdraw now: %s)", s.Unbonding.Coins(), s.Due.Coins()))
	if err := t.flush(); err != nil {
		return err
	}
	if len(s.Delegations) > 0 {
		fmt.Fprintln(c.Stdout)
		if err := c.printDelegations(s.Delegations, h); err != nil {
			return err
		}
	}
	if len(s.Unbondings) == 0 {
		return nil
	}
	fmt.Fprintln(c.Stdout)
	t = newTable(c.Stdout)
	t.row("LEAVING", "AMOUNT", "DUE", "AND BLOCK")
	for _, u := range s.Unbondings {
		when, block := h.until(u.DueAt), fmt.Sprint(u.DueBlock)
		if u.DueBlock > h.height {
			block += fmt.Sprintf(", in %d blocks", u.DueBlock-h.height)
		}
		if u.Due {
			when, block = "now", "-"
		}
		t.row(u.Operator.Hex(), u.Amount.Coins(), when, block)
	}
	return t.flush()
}

func (c *call) listStake(ctx context.Context) error {
	s, h, err := c.stakesOf(ctx, "stake list")
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(s.Delegations)
	}
	return c.printDelegations(s.Delegations, h)
}

func (c *call) printDelegations(list []delegated, h head) error {
	t := newTable(c.Stdout)
	t.row("VALIDATOR", "NAME", "STATUS", "AMOUNT", "REWARDS", "LOCKED UNTIL")
	for _, d := range list {
		t.row(d.Operator.Hex(), d.Moniker, d.Standing, d.Amount.Coins(), d.Rewards.Coins(), h.until(d.LockedUntil))
	}
	return t.flush()
}
