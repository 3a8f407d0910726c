package cli

import (
	"context"
	"flag"
	"fmt"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

func govCommand() command {
	return command{name: "gov", short: "propose, vote, and carry out what stake decides", subs: []command{
		{
			name: "proposals", short: "list the proposals, the newest first",
			setup: func(fs *flag.FlagSet) runner {
				most := fs.Int("last", 20, "list at most the last `N`")
				return func(ctx context.Context, c *call) error { return c.listProposals(ctx, *most) }
			},
		},
		{
			name: "show", args: "PROPOSAL", short: "show a proposal: actions, times, votes", min: 1, max: 1,
			long: proposalHelp,
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.showProposal(ctx) }
			},
		},
		proposeCommand(),
		{
			name: "vote", args: "PROPOSAL for|against|abstain", short: "vote on a proposal", min: 2, max: 2,
			long: `The operator of a validator votes with all stake behind it, less what delegators
voted with themselves. A delegator votes with its own stake at one validator by
--as-delegator-of. A vote cannot be changed.`,
			setup: func(fs *flag.FlagSet) runner {
				reason := fs.String("reason", "", "`text` for all to read")
				operator := fs.String("as-delegator-of", "", "vote with what is delegated to this `validator`")
				from := fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.vote(ctx, *reason, *operator, *from) }
			},
		},
		stepCommand("queue", "start the delay of a proposal that has won", (*predeploy.Governor).Queue),
		stepCommand("execute", "carry out a proposal whose delay is over", (*predeploy.Governor).Execute),
		stepCommand("cancel", "take back a proposal of yours, before its vote begins", (*predeploy.Governor).Cancel),
		{
			name: "params", args: "[CONTRACT]", short: "show how proposals run, or the parameters of a contract", max: 1,
			long: `The contracts are registry, market, staking, rewards, governor, timelock and faucet.
Their parameters are those that aitbc gov propose param can change.`,
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error {
					if len(c.args) > 0 {
						return c.contractParams(ctx)
					}
					return c.govParams(ctx)
				}
			},
		},
	}}
}

const proposalHelp = "PROPOSAL is its number, as aitbc gov proposals lists it, or its id."

// stepCommand is a command that moves a proposal on.
func stepCommand(name, short string, step func(*predeploy.Governor, context.Context, *chainclient.Sender, *big.Int) (*types.Receipt, error)) command {
	return command{
		name: name, args: "PROPOSAL", short: short, min: 1, max: 1, long: proposalHelp,
		setup: func(fs *flag.FlagSet) runner {
			from := fromFlag(fs)
			return func(ctx context.Context, c *call) error {
				s, g, p, err := c.voter(ctx, "gov "+name, *from)
				if err != nil {
					return err
				}
				c.sending(s, fmt.Sprintf("%s of proposal %d", name, p.Number))
				r, err := step(g, ctx, s.sender, p.ID)
				if err != nil {
					return err
				}
				return c.printStep(ctx, receiptOf(s, r), g, p)
			}
		},
	}
}

// voter unlocks the sender and finds the proposal of the first argument.
func (c *call) voter(ctx context.Context, command, from string) (signing, *predeploy.Governor, predeploy.Proposal, error) {
	if err := checkProposal(command, c.args[0]); err != nil {
		return signing{}, nil, predeploy.Proposal{}, err
	}
	s, err := c.signer(command, from)
	if err != nil {
		return s, nil, predeploy.Proposal{}, err
	}
	h, err := newest(ctx, s.chain)
	if err != nil {
		return s, nil, predeploy.Proposal{}, err
	}
	g := predeploy.NewGovernor(s.chain)
	p, err := proposal(ctx, g, c.args[0], h)
	return s, g, p, err
}

func checkProposal(command, word string) error {
	if n, ok := new(big.Int).SetString(word, 10); !ok || n.Sign() <= 0 {
		return usagef(command, "proposal %q is neither a number from 1 nor an id", printable(word))
	}
	return nil
}

// proposal finds a proposal by its number or its id.
func proposal(ctx context.Context, g *predeploy.Governor, word string, h head) (predeploy.Proposal, error) {
	count, err := g.Count(ctx, h.at)
	if err != nil {
		return predeploy.Proposal{}, err
	}
	unknown := hint(fmt.Errorf("there is no proposal %s", printable(word)), "aitbc gov proposals lists the %d there are", count)
	if number, err := strconv.ParseUint(word, 10, 64); err == nil {
		if number == 0 || number > count {
			return predeploy.Proposal{}, unknown
		}
		return g.Proposal(ctx, number, h.at)
	}
	for number := count; number > 0; number-- {
		p, err := g.Proposal(ctx, number, h.at)
		if err != nil || p.ID.String() == word {
			return p, err
		}
	}
	return predeploy.Proposal{}, unknown
}

// printStep says that a proposal moved on, and what comes next.
func (c *call) printStep(ctx context.Context, t sent, g *predeploy.Governor, p predeploy.Proposal) error {
	eth, err := c.chain()
	if err != nil {
		return err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	b, err := g.Ballot(ctx, p, h.time, h.at)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(struct {
			sent
			Number uint64 `json:"number"`
			ID     string `json:"id"`
			State  string `json:"state"`
			ETA    uint64 `json:"eta"`
		}{t, p.Number, p.ID.String(), b.State.String(), b.ETA})
	}
	fmt.Fprintf(c.Stdout, "proposal %d is %s %s\n", p.Number, b.State, t)
	if b.State == predeploy.ProposalQueued {
		fmt.Fprintf(c.Stdout, "aitbc gov execute %d carries it out from %s on\n", p.Number, h.until(b.ETA))
	}
	return nil
}

func (c *call) vote(ctx context.Context, reason, operator, from string) error {
	const command = "gov vote"
	support, err := predeploy.ParseSupport(c.args[1])
	if err != nil {
		return usagef(command, "%v", err)
	}
	var delegatedTo *common.Address
	if operator != "" {
		a, err := c.accountOf(command, operator)
		if err != nil {
			return err
		}
		delegatedTo = &a
	}
	s, g, p, err := c.voter(ctx, command, from)
	if err != nil {
		return err
	}
	c.sending(s, fmt.Sprintf("voting %s on proposal %d", c.args[1], p.Number))
	var weight market.Amount
	var r *types.Receipt
	if delegatedTo != nil {
		weight, r, err = g.VoteFor(ctx, s.sender, p.ID, *delegatedTo, support, reason)
	} else {
		weight, r, err = g.Vote(ctx, s.sender, p.ID, support, reason)
	}
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	if c.json {
		return c.printJSON(struct {
			sent
			Number uint64        `json:"number"`
			ID     string        `json:"id"`
			Vote   string        `json:"vote"`
			Weight market.Amount `json:"weight"`
		}{t, p.Number, p.ID.String(), c.args[1], weight})
	}
	_, err = fmt.Fprintf(c.Stdout, "voted %s proposal %d with %s %s\n", c.args[1], p.Number, weight.Coins(), t)
	return err
}
