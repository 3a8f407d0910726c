package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

func validatorCommand() command {
	return command{name: "validator", short: "list validators, become one, look after one", subs: []command{
		{
			name: "list", short: "list all validators, the most stake first",
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.listValidators(ctx) }
			},
		},
		{
			name: "show", args: "VALIDATOR", short: "show a validator", min: 1, max: 1,
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.showValidator(ctx) }
			},
		},
		{
			name: "create", args: "--key-file FILE --stake AITBC", short: "make an account of the home a validator",
			long:  createValidatorHelp,
			setup: setupCreateValidator,
		},
		{
			name: "edit", short: "change the commission or the name of your validator",
			long: "A commission changes once in 24 hours, by no more than the validator promised.",
			setup: func(fs *flag.FlagSet) runner {
				commission := percentFlag(fs, "commission", "share of the rewards, in `PERCENT`")
				moniker := fs.String("moniker", "", "`name` for people")
				from := fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.editValidator(ctx, *commission, *moniker, *from) }
			},
		},
		{
			name: "unjail", short: "take your validator out of jail",
			setup: func(fs *flag.FlagSet) runner {
				from := fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.unjail(ctx, *from) }
			},
		},
		{
			name: "prove", args: "FILE", short: "check a key's proof, or show what the key must sign", min: 1, max: 1,
			long: `FILE is what aitbcd keys prove --json writes, or aitbcd keys validator --json, which
has no proof yet: then the digest is shown that the proof must be of.`,
			setup: func(fs *flag.FlagSet) runner {
				operator := fs.String("operator", "", "`account` that will operate the validator (default the file's, else the client)")
				return func(ctx context.Context, c *call) error { return c.checkProof(ctx, *operator) }
			},
		},
	}}
}

// validatorLine is a validator as this command line shows it.
type validatorLine struct {
	Rank              int                `json:"rank"`
	Operator          common.Address     `json:"operator"`
	Moniker           string             `json:"moniker"`
	Status            predeploy.Standing `json:"status"`
	Authority         bool               `json:"authority"`
	Power             uint64             `json:"power"`
	PowerBps          uint64             `json:"power_bps"`
	Stake             market.Amount      `json:"stake"`
	SelfStake         market.Amount      `json:"self_stake"`
	CommissionBps     uint16             `json:"commission_bps"`
	MaxDailyChangeBps uint16             `json:"max_daily_change_bps"`
	CommissionSetAt   uint64             `json:"commission_set_at"`
	Missed            uint32             `json:"missed"`
	JailedUntil       uint64             `json:"jailed_until"`
	Consensus         common.Address     `json:"consensus"`
	X                 common.Hash        `json:"x"`
	Y                 common.Hash        `json:"y"`
}

// set is all validators of a block, ranked.
type set struct {
	head
	mode   contracts.Mode
	params contracts.StakingParams
	lines  []validatorLine
}

// validators reads all validators and ranks them: the set by power first, then
// by stake, then as they registered.
func (c *call) validators(ctx context.Context) (set, error) {
	eth, err := c.chain()
	if err != nil {
		return set{}, err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return set{}, err
	}
	s := set{head: h, lines: []validatorLine{}}
	st := predeploy.NewStaking(eth)
	if s.mode, err = st.Mode(ctx, h.at); err != nil {
		return s, err
	}
	if s.params, err = st.Params(ctx, h.at); err != nil {
		return s, err
	}
	all, err := st.Validators(ctx, h.at)
	if err != nil {
		return s, err
	}
	slices.SortStableFunc(all, func(a, b predeploy.Validator) int {
		if (a.Power > 0) != (b.Power > 0) {
			return map[bool]int{true: -1, false: 1}[a.Power > 0]
		}
		return b.Tokens.Cmp(a.Tokens)
	})
	total := new(big.Int)
	for _, v := range all {
		total.Add(total, new(big.Int).SetUint64(v.Power))
	}
	for i, v := range all {
		s.lines = append(s.lines, validatorLine{
			Rank: i + 1, Operator: v.Operator, Moniker: v.Moniker, Status: v.Standing(s.mode, s.params.MinSelfStake), Authority: v.Authority,
			Power: v.Power, PowerBps: part(new(big.Int).SetUint64(v.Power), total), Stake: v.Tokens, SelfStake: v.SelfStake,
			CommissionBps: v.CommissionBps, MaxDailyChangeBps: v.MaxDailyChangeBps, CommissionSetAt: v.CommissionSetAt,
			Missed: v.Missed, JailedUntil: v.JailedUntil, Consensus: v.Consensus, X: v.X, Y: v.Y,
		})
	}
	return s, nil
}

// part returns a/b in basis points, rounded down; 0 if b is.
func part(a, b *big.Int) uint64 {
	if b.Sign() == 0 {
		return 0
	}
	n := new(big.Int).Mul(a, big.NewInt(10_000))
	return n.Div(n, b).Uint64()
}

func (c *call) listValidators(ctx context.Context) error {
	s, err := c.validators(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(s.lines)
	}
	t := newTable(c.Stdout)
	t.row("RANK", "VALIDATOR", "NAME", "POWER", "STAKE", "COMMISSION", "STATUS", "MISSED")
	for _, v := range s.lines {
		t.row(v.Rank, v.Operator.Hex(), v.Moniker, share(v.PowerBps), v.Stake.Coins(), share(uint64(v.CommissionBps)), status(v, s.mode), v.Missed)
	}
	return t.flush()
}

// status words a validator's standing, and that it is an authority where that counts.
func status(v validatorLine, mode contracts.Mode) string {
	if v.Authority && mode != contracts.ModePoS {
		return string(v.Status) + ", authority"
	}
	return string(v.Status)
}

func (c *call) showValidator(ctx context.Context) error {
	operator, err := c.accountOf("validator show", c.args[0])
	if err != nil {
		return err
	}
	s, err := c.validators(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(s.lines, func(v validatorLine) bool { return v.Operator == operator || v.Consensus == operator })
	if i < 0 {
		return hint(fmt.Errorf("%s operates no validator", operator), "aitbc validator list shows those there are")
	}
	v := s.lines[i]
	if c.json {
		return c.printJSON(v)
	}
	t := newTable(c.Stdout)
	t.row("validator", v.Operator.Hex())
	t.row("name", v.Moniker)
	t.row("status", status(v, s.mode))
	t.row("rank", fmt.Sprintf("%d of %d", v.Rank, len(s.lines)))
	t.row("power", fmt.Sprintf("%d, %s of all", v.Power, share(v.PowerBps)))
	t.row("stake", v.Stake.Coins())
	t.row("own stake", fmt.Sprintf("%s (at least %s)", v.SelfStake.Coins(), s.params.MinSelfStake.Coins()))
	t.row("commission", fmt.Sprintf("%s, changing by at most %s a day; set at %s", share(uint64(v.CommissionBps)), share(uint64(v.MaxDailyChangeBps)), seconds(v.CommissionSetAt)))
	t.row("missed blocks", fmt.Sprintf("%d of at most %d in %d", v.Missed, s.params.MaxMissed, s.params.Window))
	if v.Status == predeploy.Jailed {
		t.row("jailed until", s.until(v.JailedUntil))
	}
	if v.Status == predeploy.Tombstoned {
		t.row("jailed until", "for ever: it signed twice")
	}
	t.row("consensus key", v.Consensus.Hex())
	t.row("  x", v.X.Hex())
	t.row("  y", v.Y.Hex())
	return t.flush()
}

func (c *call) editValidator(ctx context.Context, commission percent, moniker, from string) error {
	if !commission.given && moniker == "" {
		return usagef("validator edit", "--commission or --moniker says what to change")
	}
	s, st, _, err := c.staker(ctx, "validator edit", from)
	if err != nil {
		return err
	}
	var done []sent
	var errs []error
	if commission.given {
		c.sending(s, "setting the commission to "+share(uint64(commission.bps)))
		r, err := st.SetCommission(ctx, s.sender, commission.bps)
		if err == nil {
			done = append(done, receiptOf(s, r))
		}
		errs = append(errs, err)
	}
	if moniker != "" && errors.Join(errs...) == nil {
		c.sending(s, "setting the name")
		r, err := st.SetMoniker(ctx, s.sender, moniker)
		if err == nil {
			done = append(done, receiptOf(s, r))
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(done)
	}
	for _, t := range done {
		fmt.Fprintln(c.Stdout, "changed", t)
	}
	return nil
}

func (c *call) unjail(ctx context.Context, from string) error {
	s, st, _, err := c.staker(ctx, "validator unjail", from)
	if err != nil {
		return err
	}
	c.sending(s, "leaving jail")
	r, err := st.Unjail(ctx, s.sender)
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	if c.json {
		return c.printJSON(t)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s left jail %s; it is back in the set with one of the next epochs\n", s.account.Hex(), t)
	return err
}
