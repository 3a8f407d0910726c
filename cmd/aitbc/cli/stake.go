package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

func stakeCommand() command {
	return command{name: "stake", short: "delegate coins to validators, and get them and their rewards back", subs: []command{
		{
			name: "delegate", args: "VALIDATOR --amount AITBC", short: "put stake behind a validator", min: 1, max: 1,
			long: `VALIDATOR is the operator's address, as aitbc validator list shows it. Stake earns
a part of what the validator earns, votes with it, and loses with it when it is
punished. It comes back by aitbc stake undelegate, after a delay.`,
			setup: func(fs *flag.FlagSet) runner {
				amount := amountFlag(fs, "amount", "what to delegate, in `AITBC`")
				from := fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.delegate(ctx, *amount, *from) }
			},
		},
		{
			name: "undelegate", args: "VALIDATOR --amount AITBC", short: "begin to take stake back", min: 1, max: 1,
			long: `The coins can be withdrawn after a delay, of time and of blocks, in which they are
still liable for what the validator did before.`,
			setup: func(fs *flag.FlagSet) runner {
				amount, from := howMuch(fs), fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.undelegate(ctx, amount, *from) }
			},
		},
		{
			name: "redelegate", args: "FROM TO --amount AITBC", short: "move stake to another validator at once", min: 2, max: 2,
			long: `The moved stake stays liable for what the former validator did, and is locked at
the new one, for as long as unbonding takes.`,
			setup: func(fs *flag.FlagSet) runner {
				amount, from := howMuch(fs), fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.redelegate(ctx, amount, *from) }
			},
		},
		{
			name: "withdraw", short: "fetch what has unbonded",
			setup: func(fs *flag.FlagSet) runner {
				from := fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.withdrawStake(ctx, *from) }
			},
		},
		{
			name: "claim", args: "[VALIDATOR]", short: "fetch rewards, of one validator or of all", max: 1,
			setup: func(fs *flag.FlagSet) runner {
				from := fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.claimStake(ctx, *from) }
			},
		},
		{
			name: "status", args: "[ACCOUNT]", short: "show what an account has staked, earned and on its way back", max: 1,
			long: "Without an account it shows the client's of this home.",
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.stakeStatus(ctx) }
			},
		},
		{
			name: "list", args: "[ACCOUNT]", short: "list an account's delegations", max: 1,
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.listStake(ctx) }
			},
		},
	}}
}

// staker unlocks the sender and looks at its validator, which must be there:
// coins sent to an address without a contract would be lost.
func (c *call) staker(ctx context.Context, command, from string, operators ...string) (signing, *predeploy.Staking, []common.Address, error) {
	list := make([]common.Address, len(operators))
	for i, word := range operators {
		var err error
		if list[i], err = c.accountOf(command, word); err != nil {
			return signing{}, nil, nil, err
		}
	}
	s, err := c.signer(command, from)
	if err != nil {
		return s, nil, nil, err
	}
	st := predeploy.NewStaking(s.chain)
	h, err := newest(ctx, s.chain)
	if err != nil {
		return s, st, nil, err
	}
	if _, err := st.Params(ctx, h.at); err != nil {
		return s, st, nil, err
	}
	for _, operator := range list {
		if _, err := st.Validator(ctx, operator, h.at); err != nil {
			return s, st, nil, err
		}
	}
	return s, st, list, nil
}

func (c *call) delegate(ctx context.Context, amount optionalAmount, from string) error {
	const command = "stake delegate"
	if !amount.given {
		return usagef(command, "--amount is missing")
	}
	s, st, operators, err := c.staker(ctx, command, from, c.args[0])
	if err != nil {
		return err
	}
	c.sending(s, "delegating "+amount.value.Coins())
	r, err := st.Delegate(ctx, s.sender, operators[0], amount.value)
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	if c.json {
		return c.printJSON(struct {
			sent
			Operator common.Address `json:"operator"`
			Amount   market.Amount  `json:"amount"`
		}{t, operators[0], amount.value})
	}
	_, err = fmt.Fprintf(c.Stdout, "delegated %s to %s %s\n", amount.value.Coins(), operators[0].Hex(), t)
	return err
}

func (c *call) undelegate(ctx context.Context, howMuch func(string) (market.Amount, error), from string) error {
	const command = "stake undelegate"
	amount, err := howMuch(command)
	if err != nil {
		return err
	}
	s, st, operators, err := c.staker(ctx, command, from, c.args[0])
	if err != nil {
		return err
	}
	c.sending(s, "undelegating")
	l, r, err := st.Undelegate(ctx, s.sender, operators[0], amount)
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	if c.json {
		return c.printJSON(struct {
			sent
			Operator common.Address `json:"operator"`
			Amount   market.Amount  `json:"amount"`
			DueAt    uint64         `json:"due_at"`
			DueBlock uint64         `json:"due_block"`
		}{t, operators[0], l.Amount, l.DueAt, l.DueBlock})
	}
	_, err = fmt.Fprintf(c.Stdout, "%s leave %s %s\naitbc stake withdraw fetches them from %s and block %d on, when both have come\n",
		l.Amount.Coins(), operators[0].Hex(), t, seconds(l.DueAt), l.DueBlock)
	return err
}

func (c *call) redelegate(ctx context.Context, howMuch func(string) (market.Amount, error), from string) error {
	const command = "stake redelegate"
	amount, err := howMuch(command)
	if err != nil {
		return err
	}
	s, st, operators, err := c.staker(ctx, command, from, c.args[0], c.args[1])
	if err != nil {
		return err
	}
	if operators[0] == operators[1] {
		return usagef(command, "both validators are %s", operators[0])
	}
	c.sending(s, "redelegating")
	moved, r, err := st.Redelegate(ctx, s.sender, operators[0], operators[1], amount)
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	if c.json {
		return c.printJSON(struct {
			sent
			Operator common.Address `json:"operator"`
			To       common.Address `json:"to"`
			Amount   market.Amount  `json:"amount"`
		}{t, operators[0], operators[1], moved})
	}
	_, err = fmt.Fprintf(c.Stdout, "moved %s to %s %s\n", moved.Coins(), operators[1].Hex(), t)
	return err
}

func (c *call) withdrawStake(ctx context.Context, from string) error {
	s, st, _, err := c.staker(ctx, "stake withdraw", from)
	if err != nil {
		return err
	}
	c.sending(s, "withdrawing")
	amount, r, err := st.Withdraw(ctx, s.sender)
	if err != nil {
		return err
	}
	return c.printPaid(receiptOf(s, r), amount)
}

// printPaid says what an account was paid.
func (c *call) printPaid(t sent, amount market.Amount) error {
	if c.json {
		return c.printJSON(struct {
			sent
			Amount market.Amount `json:"amount"`
		}{t, amount})
	}
	_, err := fmt.Fprintf(c.Stdout, "%s were paid to %s %s\n", amount.Coins(), t.From.Hex(), t)
	return err
}

// paid is one claim of rewards.
type paid struct {
	sent
	Operator common.Address `json:"operator"`
	Amount   market.Amount  `json:"amount"`
}

func (c *call) claimStake(ctx context.Context, from string) error {
	const command = "stake claim"
	s, st, operators, err := c.staker(ctx, command, from, c.args...)
	if err != nil {
		return err
	}
	if len(operators) == 0 {
		h, err := newest(ctx, s.chain)
		if err != nil {
			return err
		}
		list, err := delegations(ctx, st, s.account, h)
		if err != nil {
			return err
		}
		for _, d := range list {
			if !d.Rewards.IsZero() {
				operators = append(operators, d.Operator)
			}
		}
	}
	claims := []paid{}
	var errs []error
	for _, operator := range operators {
		c.sending(s, "claiming rewards of "+operator.Hex())
		amount, r, err := st.ClaimRewards(ctx, s.sender, operator)
		if err != nil {
			errs = append(errs, err)
			break
		}
		claims = append(claims, paid{receiptOf(s, r), operator, amount})
	}
	if len(claims) == 0 && len(errs) > 0 {
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, c.printClaims(claims))...)
}

func (c *call) printClaims(claims []paid) error {
	if c.json {
		return c.printJSON(claims)
	}
	for _, p := range claims {
		fmt.Fprintf(c.Stdout, "%s of %s %s\n", p.Amount.Coins(), p.Operator.Hex(), p.sent)
	}
	if len(claims) == 0 {
		fmt.Fprintln(c.Stdout, "there are no rewards to claim")
	}
	return nil
}
