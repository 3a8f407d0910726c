package cli

import (
	"context"
	"flag"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

// mostDays bounds how far back earnings are shown.
const mostDays = 366

func earningsCommand() command {
	return command{name: "earnings", short: "Show what the chain paid this miner, day by day", setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
		declareAddresses(fs)
		days := fs.Int("days", 14, "how many days, today included")
		return func(ctx context.Context, c *call) error {
			if *days < 1 || *days > mostDays {
				return &usageError{fmt.Sprintf("earnings: --days is %d: use 1 to %d", *days, mostDays)}
			}
			return c.earnings(ctx, *days, time.Now())
		}
	}}
}

// day is what came on one day, of this machine's calendar.
type day struct {
	Day      string        `json:"day"`
	Earned   market.Amount `json:"earned"`
	Payments int           `json:"payments"`
}

// earned is the answer of the command.
type earned struct {
	Days  []day         `json:"days"`
	Total market.Amount `json:"total"`
}

func (c *call) earnings(ctx context.Context, days int, now time.Time) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	eth, err := chainclient.New(set.Chain.RPCURL)
	if err != nil {
		return fmt.Errorf("chain.rpc_url: %w", err)
	}
	head, err := eth.BlockNumber(ctx)
	if err != nil {
		return &hinted{fmt.Errorf("the node does not answer: %w", err), "start a node, or correct chain.rpc_url"}
	}
	out := earned{Days: make([]day, days)}
	first := make([]uint64, days) // the first block of each day
	for i := range days {
		midnight := time.Date(now.Year(), now.Month(), now.Day()-days+1+i, 0, 0, 0, 0, now.Location())
		out.Days[i].Day = midnight.Format(time.DateOnly)
		if first[i], err = eth.Since(ctx, midnight); err != nil {
			return fmt.Errorf("the first block of %s: %w", out.Days[i].Day, err)
		}
	}
	paid, err := predeploy.NewMarket(eth).Paid(ctx, set.Keys.Address, first[0], max(head, first[0]))
	if err != nil {
		return err
	}
	for _, p := range paid {
		d := &out.Days[dayOf(first, p.Block)]
		d.Payments++
		if d.Earned, err = d.Earned.Add(p.Paid); err != nil {
			return err
		}
		if out.Total, err = out.Total.Add(p.Paid); err != nil {
			return err
		}
	}
	return c.print(out, earnedTable(out))
}

// dayOf finds the day of a block, by the first block of each day. A day without a block has that of the next.
func dayOf(first []uint64, block uint64) int {
	after, _ := slices.BinarySearch(first, block+1)
	return after - 1
}

// earnedTable writes earnings for people: a line for each day, and all of them as a picture.
func earnedTable(e earned) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "day\tearned\tpayments\t")
	for _, d := range e.Days {
		fmt.Fprintf(w, "%s\t%s\t%d\t\n", d.Day, d.Earned.Coins(), d.Payments)
	}
	fmt.Fprintf(w, "in all\t%s\t\t\n", e.Total.Coins())
	_ = w.Flush() // a strings.Builder takes everything
	return b.String() + "\n" + sparkline(e.Days) + "\n"
}

// bars are of rising height.
var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws a bar for each day, the highest for the best one; a day without anything has a gap.
func sparkline(days []day) string {
	var most market.Amount
	for _, d := range days {
		if d.Earned.Cmp(most) > 0 {
			most = d.Earned
		}
	}
	var b strings.Builder
	for _, d := range days {
		if d.Earned.IsZero() {
			b.WriteRune(' ')
			continue
		}
		part := d.Earned.Big()
		part.Mul(part, big.NewInt(int64(len(bars)-1))).Div(part, most.Big())
		b.WriteRune(bars[part.Int64()])
	}
	return b.String()
}
