package cli

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/onchain"
	"github.com/aitbc/aitbc/miner/spool"
)

func claimCommand() command {
	return command{name: "claim", short: "Collect what coordinators owe, without them", setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
		declareAddresses(fs)
		dry := fs.Bool("dry-run", false, "show what could be claimed, and send nothing")
		return func(ctx context.Context, c *call) error { return c.claim(ctx, *dry) }
	}}
}

// claimed is one coordinator's line of the answer.
type claimed struct {
	Coordinator common.Address `json:"coordinator"`
	Owed        market.Amount  `json:"owed"`     // in all, as the coordinator signed
	Credited    market.Amount  `json:"credited"` // paid by the chain before
	Due         market.Amount  `json:"due"`
	ClaimableAt int64          `json:"claimable_at"` // seconds since 1970
	Paid        market.Amount  `json:"paid"`         // by this command
	FromBond    market.Amount  `json:"from_bond"`
	State       string         `json:"state"` // paid, claimed, waiting or claimable
}

// claim redeems the latest word of each coordinator that has not been settled.
func (c *call) claim(ctx context.Context, dry bool) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	kept, err := spool.Open(c.home.Path("miner", "spool"))
	if err != nil {
		return err
	}
	ious, err := kept.IOUs()
	if err != nil {
		return err
	}
	key, err := c.unlock(set)
	if err != nil {
		return err
	}
	eth, err := chainclient.New(set.Chain.RPCURL)
	if err != nil {
		return fmt.Errorf("chain.rpc_url: %w", err)
	}
	chain := onchain.New(eth, key, market.Coins(set.Mining.StakeAmount))
	list := []claimed{}
	for _, i := range ious {
		line, err := claimOne(ctx, chain, i, dry)
		if err != nil {
			return fmt.Errorf("claim from %s: %w", i.Coordinator, err)
		}
		list = append(list, line)
	}
	return c.print(list, claimTable(list))
}

func claimOne(ctx context.Context, chain *onchain.Chain, i spool.IOU, dry bool) (claimed, error) {
	x, err := chain.Claimable(ctx, i)
	if err != nil {
		return claimed{}, err
	}
	out := claimed{Coordinator: i.Coordinator, Owed: x.Total, Credited: x.Credited, Due: x.Due, ClaimableAt: x.From.Unix(), State: "claimable"}
	switch {
	case x.Due.IsZero():
		out.State = "paid"
	case x.Now.Before(x.From):
		out.State = "waiting"
	case !dry:
		if out.Paid, out.FromBond, err = chain.Claim(ctx, i); err != nil {
			return claimed{}, err
		}
		out.State = "claimed"
	}
	return out, nil
}

func claimTable(list []claimed) string {
	if len(list) == 0 {
		return "no coordinator owes this miner anything yet\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COORDINATOR\tOWED IN ALL\tPAID BEFORE\tSTATE")
	for _, l := range list {
		state := l.State
		switch l.State {
		case "waiting":
			state = fmt.Sprintf("%s may be claimed from %s", l.Due.Coins(), time.Unix(l.ClaimableAt, 0).UTC().Format(time.DateTime))
		case "claimable":
			state = l.Due.Coins() + " may be claimed"
		case "claimed":
			state = fmt.Sprintf("%s claimed, of which %s from the bond", l.Paid.Coins(), l.FromBond.Coins())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Coordinator, l.Owed.Coins(), l.Credited.Coins(), state)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}
