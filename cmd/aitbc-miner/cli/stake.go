package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/settings"
)

func stakeCommand() command {
	return command{
		name: "stake", short: "Show the stake, add to it, or take of it", words: "[increase AITBC | decrease AITBC|all | withdraw]", most: 2,
		setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
			declareAddresses(fs)
			return func(ctx context.Context, c *call) error { return c.stake(ctx) }
		},
	}
}

// staked is the answer of the command.
type staked struct {
	Miner       common.Address `json:"miner"`
	Registered  bool           `json:"registered"`
	Stake       market.Amount  `json:"stake"`
	Least       market.Amount  `json:"least"`              // that a miner must have
	Unbonding   market.Amount  `json:"unbonding"`          // taken out, and not paid yet
	UnbondAt    uint64         `json:"unbond_at"`          // seconds since 1970
	JailedUntil uint64         `json:"jailed_until"`       // seconds since 1970, 0 if it is not
	Tx          *common.Hash   `json:"tx,omitempty"`       // of this command
	Settings    string         `json:"settings,omitempty"` // what became of mining.stake_amount
}

func (c *call) stake(ctx context.Context) error {
	what, amount, err := c.stakeWords()
	if err != nil {
		return err
	}
	set, err := c.settings()
	if err != nil {
		return err
	}
	eth, err := chainclient.New(set.Chain.RPCURL)
	if err != nil {
		return fmt.Errorf("chain.rpc_url: %w", err)
	}
	registry := predeploy.NewRegistry(eth)
	p, err := registry.Participant(ctx, predeploy.RoleMiner, set.Keys.Address, chainclient.Latest)
	if err != nil {
		return &hinted{fmt.Errorf("the node does not answer: %w", err), "start a node, or correct chain.rpc_url"}
	}
	var done *types.Receipt
	if what != "" {
		key, err := c.unlock(set)
		if err != nil {
			return err
		}
		sender := predeploy.NewSender(eth, key)
		switch {
		case !p.Registered && what != "withdraw":
			return &hinted{errors.New("this miner is not registered"), "aitbc-miner start registers it with mining.stake_amount"}
		case what == "increase":
			done, err = registry.Increase(ctx, sender, predeploy.RoleMiner, amount)
		case what == "decrease":
			if amount.IsZero() {
				amount = p.Stake
			}
			done, err = registry.Unbond(ctx, sender, predeploy.RoleMiner, amount)
		default:
			done, err = registry.Withdraw(ctx, sender, predeploy.RoleMiner)
		}
		if err != nil {
			return stakeHint(err, what, p)
		}
		if p, err = registry.Participant(ctx, predeploy.RoleMiner, set.Keys.Address, chainclient.Latest); err != nil {
			return err
		}
	}
	params, err := registry.Params(ctx, chainclient.Latest)
	if err != nil {
		return err
	}
	out := staked{
		Miner: set.Keys.Address, Registered: p.Registered, Stake: p.Stake, Least: params.MinMinerStake, Unbonding: p.Unbonding, UnbondAt: p.UnbondAt, JailedUntil: p.JailedUntil,
	}
	if done != nil {
		out.Tx = &done.TxHash
	}
	if what == "increase" || what == "decrease" {
		out.Settings = c.follow(p.Stake)
	}
	return c.print(out, stakeTable(out))
}

// stakeWords reads what is asked for; an amount of zero is all.
func (c *call) stakeWords() (what string, amount market.Amount, err error) {
	if len(c.args) == 0 {
		return "", amount, nil
	}
	what = c.args[0]
	switch {
	case what == "withdraw" && len(c.args) == 1:
		return what, amount, nil
	case what == "decrease" && len(c.args) == 2 && c.args[1] == "all":
		return what, amount, nil
	case (what == "increase" || what == "decrease") && len(c.args) == 2:
		amount, err = market.ParseCoins(c.args[1])
		if err == nil && !amount.IsZero() {
			return what, amount, nil
		}
		return what, amount, &usageError{fmt.Sprintf("stake %s: %q is no amount, such as 100", what, c.args[1])}
	}
	return what, amount, &usageError{"stake: want increase AITBC, decrease AITBC, decrease all, or withdraw"}
}

func stakeHint(err error, what string, p predeploy.Participant) error {
	if _, refused := errors.AsType[*chainclient.RevertError](err); !refused {
		return err
	}
	switch what {
	case "withdraw":
		if p.Unbonding.IsZero() {
			return &hinted{err, "nothing was taken out of the stake: aitbc-miner stake decrease does it"}
		}
		return &hinted{err, "it is due at " + moment(p.UnbondAt)}
	case "decrease":
		return &hinted{err, "a miner needs its least stake (aitbc-miner stake shows it), or none: aitbc-miner stake decrease all ends the registration"}
	}
	return err
}

// follow writes a changed stake to the settings, so that the next start does not
// put back what was taken out.
func (c *call) follow(stake market.Amount) string {
	whole := settings.Whole(stake)
	if err := settings.SetStake(c.home, whole); err != nil {
		return fmt.Sprintf("set mining.stake_amount = %d yourself, or the next start goes by the old one: %v", whole, err)
	}
	said := fmt.Sprintf("mining.stake_amount = %d", whole)
	if v := c.Getenv(settings.StakeVariable); v != "" && v != fmt.Sprint(whole) {
		said += fmt.Sprintf(", but %s=%s counts over it: the next start goes by that unless you change it", settings.StakeVariable, v)
	}
	return said
}

func moment(seconds uint64) string {
	return time.Unix(int64(min(seconds, 1<<40)), 0).UTC().Format(time.DateTime) + " UTC"
}

func stakeTable(s staked) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("miner", "%s", s.Miner)
	if s.Registered {
		row("stake", "%s, at least %s", s.Stake.Coins(), s.Least.Coins())
	} else {
		row("stake", "none: it is not registered")
	}
	if !s.Unbonding.IsZero() {
		row("taken out", "%s, which aitbc-miner stake withdraw pays from %s", s.Unbonding.Coins(), moment(s.UnbondAt))
	}
	if s.JailedUntil > 0 {
		row("jailed", "until %s", moment(s.JailedUntil))
	}
	if s.Tx != nil {
		row("done", "transaction %s", s.Tx.Hex())
	}
	if s.Settings != "" {
		row("settings", "%s", s.Settings)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}
