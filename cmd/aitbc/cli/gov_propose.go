package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient/predeploy"
)

const proposeHelp = `The account needs stake, its own or delegated: aitbc gov params says how much.
--dry-run shows the actions and sends nothing. What would fail if it were carried
out now is refused, unless --unchecked is given.`

func proposeCommand() command {
	return command{name: "propose", short: "propose a change, by what it is about", subs: []command{
		{
			name: "param", args: "--contract NAME --set FIELD=VALUE", short: "change parameters of a contract", long: `--set may be given several times; what is not named stays as it is now.
aitbc gov params NAME lists the fields. Amounts are base units, or coins with the
word AITBC: --set "minDeposit=0.01 AITBC".

` + proposeHelp,
			setup: func(fs *flag.FlagSet) runner {
				contract := contractFlag(fs)
				set := map[string]string{}
				fs.Func("set", "`field=value`, any number of times", func(s string) error {
					field, value, ok := strings.Cut(s, "=")
					if !ok || field == "" {
						return errors.New("want field=value")
					}
					if _, twice := set[field]; twice {
						return fmt.Errorf("%s is given twice", field)
					}
					set[field] = value
					return nil
				})
				return propose(fs, "param", func(*call) (spec, error) {
					return spec{Param: &paramSpec{*contract, maps.Clone(set)}}, nil
				})
			},
		},
		{
			name: "authority", args: "--admit|--remove VALIDATOR", short: "admit or remove an authority", long: proposeHelp,
			setup: func(fs *flag.FlagSet) runner {
				admit := fs.String("admit", "", "`operator` that may validate from then on")
				remove := fs.String("remove", "", "`operator` that may not any more")
				return propose(fs, "authority", func(*call) (spec, error) {
					return spec{Authority: &authoritySpec{*admit, *remove}}, nil
				})
			},
		},
		{
			name: "spend", args: "--to ACCOUNT --amount AITBC", short: "pay out of the Treasury", long: proposeHelp,
			setup: func(fs *flag.FlagSet) runner {
				to := fs.String("to", "", "`account` to pay")
				amount := fs.String("amount", "", "how much, in `AITBC`")
				return propose(fs, "spend", func(*call) (spec, error) {
					return spec{Spend: &spendSpec{*to, *amount}}, nil
				})
			},
		},
		{
			name: "upgrade-contract", args: "--contract NAME --implementation ADDRESS", short: "give a contract another implementation", long: proposeHelp,
			setup: func(fs *flag.FlagSet) runner {
				contract := contractFlag(fs)
				implementation := fs.String("implementation", "", "`address` of the deployed implementation")
				data := fs.String("data", "", "call it then with these bytes, in `hex`")
				return propose(fs, "upgrade-contract", func(*call) (spec, error) {
					return spec{UpgradeContract: &upgradeContractSpec{*contract, *implementation, *data}}, nil
				})
			},
		},
		{
			name: "upgrade-node", args: "--name NAME --height N", short: "plan an upgrade of the node's program", long: `At that height a node whose program does not know the name halts, and one that knows
it goes on. --cancel drops the plan that is ahead.

` + proposeHelp,
			setup: func(fs *flag.FlagSet) runner {
				name := fs.String("name", "", "`name` of the upgrade, as the new program knows it")
				height := fs.Uint64("height", 0, "the first `block` of the new program")
				info := fs.String("info", "", "`text`: where the program is, and its digest")
				cancel := fs.Bool("cancel", false, "drop the plan")
				return propose(fs, "upgrade-node", func(*call) (spec, error) {
					return spec{UpgradeNode: &upgradeNodeSpec{*name, *height, *info, *cancel}}, nil
				})
			},
		},
		{
			name: "call", args: "--to ADDRESS --data HEX", short: "call anything in the Timelock's name", long: proposeHelp,
			setup: func(fs *flag.FlagSet) runner {
				to := fs.String("to", "", "`address` to call")
				data := fs.String("data", "", "the call's bytes, in `hex`")
				value := fs.String("value", "", "coins that the Timelock sends with it, in `AITBC`")
				return propose(fs, "call", func(*call) (spec, error) {
					return spec{Call: &callSpec{*to, *data, *value}}, nil
				})
			},
		},
		{
			name: "file", args: "FILE", short: "propose several actions at once", min: 1, max: 1, long: `FILE is JSON, - is standard input. Each action has the flags of its command:

  {"description": "Fees and funds",
   "actions": [
     {"param": {"contract": "market", "set": {"feeBps": "300"}}},
     {"authority": {"admit": "0x..."}},
     {"spend": {"to": "0x...", "amount": "12.5"}},
     {"upgrade_contract": {"contract": "market", "implementation": "0x..."}},
     {"upgrade_node": {"name": "v2", "height": 100000, "info": "https://..."}},
     {"call": {"to": "0x...", "data": "0x...", "value": "0"}}
   ]}

` + proposeHelp,
			setup: func(fs *flag.FlagSet) runner {
				return propose(fs, "file", nil)
			},
		},
	}}
}

func contractFlag(fs *flag.FlagSet) *string {
	return fs.String("contract", "", "`name`: "+strings.Join(predeploy.Names(), ", "))
}

// propose declares what all forms of a proposal have, and returns what runs.
// Without build the actions are in the file of the first argument.
func propose(fs *flag.FlagSet, name string, build func(*call) (spec, error)) runner {
	description := fs.String("description", "", "`text` for voters; its first line is the title")
	dry := fs.Bool("dry-run", false, "show the actions, send nothing")
	unchecked := fs.Bool("unchecked", false, "propose even what would fail if it were carried out now")
	from := fromFlag(fs)
	command := "gov propose " + name
	return func(ctx context.Context, c *call) error {
		draft := draft{Description: *description}
		if build == nil {
			read, err := c.readDraft(command)
			if err != nil {
				return err
			}
			if draft.Description == "" {
				draft.Description = read.Description
			}
			draft.Actions = read.Actions
		} else {
			one, err := build(c)
			if err != nil {
				return err
			}
			draft.Actions = []spec{one}
		}
		return c.propose(ctx, command, draft, proposing{*from, *dry, *unchecked})
	}
}

// proposing is what the flags of all forms say.
type proposing struct {
	from           string
	dry, unchecked bool
}

// propose turns a draft into actions, and proposes them unless dry.
func (c *call) propose(ctx context.Context, command string, d draft, how proposing) error {
	eth, err := c.chain()
	if err != nil {
		return err
	}
	if len(d.Actions) == 0 {
		return usagef(command, "there are no actions")
	}
	for _, a := range d.Actions {
		if err := a.check(command); err != nil { // before anything is asked of a network
			return err
		}
	}
	if !how.dry && strings.TrimSpace(d.Description) == "" {
		return usagef(command, "--description is missing: voters read it")
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	g := predeploy.NewGovernor(eth)
	if _, err := g.Count(ctx, h.at); err != nil {
		return err
	}
	var actions []predeploy.Action
	for _, a := range d.Actions {
		list, err := a.actions(ctx, c, command, eth, h.at)
		if err != nil {
			return err
		}
		actions = append(actions, list...)
	}
	if how.dry {
		if c.json {
			return c.printJSON(actionLines(actions))
		}
		for _, l := range actionLines(actions) {
			fmt.Fprintln(c.Stdout, printable(l.Text))
		}
		return nil
	}
	for _, a := range actions {
		if err := g.Try(ctx, a, h.at); err != nil && !how.unchecked {
			return hint(fmt.Errorf("carried out now it would fail: %w", err), "%s--unchecked proposes it all the same", sentence(predeploy.Advice(err)))
		}
	}
	return c.sendProposal(ctx, command, g, actions, d.Description, how.from)
}

// sentence ends advice so that more can follow.
func sentence(advice string) string {
	if advice == "" {
		return ""
	}
	return advice + "; "
}

func (c *call) sendProposal(ctx context.Context, command string, g *predeploy.Governor, actions []predeploy.Action, description, from string) error {
	s, err := c.signer(command, from)
	if err != nil {
		return err
	}
	c.sending(s, "proposing")
	p, r, err := g.Propose(ctx, s.sender, actions, description)
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	h, err := newest(ctx, s.chain)
	if err != nil {
		return err
	}
	// Another proposal may have come in between.
	for n, err := g.Count(ctx, h.at); n > 0; n-- {
		if err != nil {
			return err
		}
		stored, err := g.Proposal(ctx, n, h.at)
		if err != nil {
			return err
		}
		if stored.ID.Cmp(p.ID) == 0 {
			p.Number = n
			break
		}
	}
	if c.json {
		return c.printJSON(struct {
			sent
			Number    uint64       `json:"number"`
			ID        string       `json:"id"`
			VoteStart uint64       `json:"vote_start"`
			VoteEnd   uint64       `json:"vote_end"`
			Actions   []actionLine `json:"actions"`
		}{t, p.Number, p.ID.String(), p.VoteStart, p.VoteEnd, actionLines(p.Actions)})
	}
	_, err = fmt.Fprintf(c.Stdout, "proposal %d %s\nthe vote begins %s and ends %s: aitbc gov vote %d for|against|abstain\n",
		p.Number, t, h.until(p.VoteStart), h.until(p.VoteEnd), p.Number)
	return err
}

// recipient resolves an account that an action names.
func (c *call) recipient(command, flagName, word string) (common.Address, error) {
	if word == "" {
		return common.Address{}, usagef(command, "--%s is missing", flagName)
	}
	return c.accountOf(command, word)
}
