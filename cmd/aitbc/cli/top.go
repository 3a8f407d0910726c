package cli

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
)

// topJobs is how many of the newest jobs are shown.
const topJobs = 10

func topCommand() command {
	return command{
		name: "top", short: "watch the market: queue, miners and your newest jobs",
		long: `Shows what waits and runs, how quick each miner answers, and your newest jobs,
again and again until Ctrl-C. Without a terminal, with --once or --json it
shows it once.`,
		setup: func(fs *flag.FlagSet) runner {
			every := fs.Duration("every", time.Second, "show it again after this `time`")
			once := fs.Bool("once", false, "show it once")
			return func(ctx context.Context, c *call) error {
				if *every < 100*time.Millisecond {
					return usagef("top", "--every %s: want 100ms or more", *every)
				}
				remote, err := c.account()
				if err != nil {
					return err
				}
				if c.json || *once || !c.Terminal(c.Stdout) {
					v, err := look(ctx, remote)
					if err != nil {
						return err
					}
					if c.json {
						return c.printJSON(v)
					}
					return v.write(c.Stdout)
				}
				return c.watch(ctx, remote, *every)
			}
		},
	}
}

// view is what top shows.
type view struct {
	Network api.Network `json:"network"`
	Miners  []api.Miner `json:"miners"`
	Jobs    []api.Job   `json:"jobs"`
}

// look asks for a view.
func look(ctx context.Context, remote *client.Client) (v view, err error) {
	if v.Network, err = remote.Network(ctx); err != nil {
		return v, err
	}
	if v.Miners, err = remote.Miners(ctx); err != nil {
		return v, err
	}
	slices.SortFunc(v.Miners, func(a, b api.Miner) int {
		return cmp.Or(cmp.Compare(b.State, a.State), cmp.Compare(b.Completed, a.Completed), a.Miner.Cmp(b.Miner)) // online before offline
	})
	if v.Jobs, err = remote.Jobs(ctx); err != nil {
		return v, err
	}
	v.Jobs = v.Jobs[:min(len(v.Jobs), topJobs)]
	return v, nil
}

func (v view) write(w io.Writer) error {
	online := 0
	for _, m := range v.Miners {
		if m.State != "offline" {
			online++
		}
	}
	fmt.Fprintf(w, "%d jobs wait, %d run, %d of %d miners are here\n\n", v.Network.QueuedJobs, v.Network.RunningJobs, online, len(v.Miners))
	t := newTable(w)
	t.row("MINER", "STATE", "FREE", "DONE", "REPUTATION", "MODEL", "FIRST TOKEN", "TOKENS/S")
	for _, m := range v.Miners {
		for _, o := range m.Offers {
			first, rate := measured(o)
			t.row(short(m.Miner.Hex()), m.State, fmt.Sprintf("%d/%d", m.FreeSlots, m.Slots), m.Completed, m.Reputation, o.Model, first, rate)
		}
		if len(m.Offers) == 0 {
			t.row(short(m.Miner.Hex()), m.State, "-", m.Completed, m.Reputation, "-", "-", "-")
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w)
	t.row("YOUR JOBS", "STATE", "PAYMENT", "MODEL", "WAITED", "FIRST TOKEN", "RAN", "TOKENS/S", "PRICE")
	for _, j := range v.Jobs {
		waited, first, ran, rate := "-", "-", "-", "-"
		if l := j.Timeline; l != nil {
			waited, ran, rate = fmt.Sprintf("%d ms", l.QueuedMS), fmt.Sprintf("%d ms", l.RanMS), fmt.Sprintf("%.0f", l.TokensPerSecond)
			if l.FirstTokenMS != 0 {
				first = fmt.Sprintf("%d ms", l.FirstTokenMS)
			}
		}
		t.row(short(j.JobID.Hex()), j.State, j.Payment, j.Model, waited, first, ran, rate, j.Price.Coins())
	}
	return t.flush()
}

// short is the beginning of a long id.
func short(id string) string { return id[:10] + "…" }

// The words that a terminal understands.
const (
	otherScreen = "\x1b[?1049h\x1b[?25l" // and no cursor
	ownScreen   = "\x1b[?25h\x1b[?1049l"
	topLeft     = "\x1b[H"
	toLineEnd   = "\x1b[K"
	toEnd       = "\x1b[J"
)

// watch shows a view again and again, on a screen of its own. A coordinator that does not answer is asked on.
func (c *call) watch(ctx context.Context, remote *client.Client, every time.Duration) error {
	fmt.Fprint(c.Stdout, otherScreen)
	defer fmt.Fprint(c.Stdout, ownScreen)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var text strings.Builder
		v, err := look(ctx, remote)
		if ctx.Err() != nil {
			return nil
		}
		fmt.Fprintf(&text, "aitbc top  %s  every %s, Ctrl-C ends it\n\n", time.Now().Format(time.TimeOnly), every)
		if err != nil {
			fmt.Fprintf(&text, "no answer: %s\n", printable(err.Error()))
		} else if err := v.write(&text); err != nil {
			return err
		}
		// Line by line over what was there: nothing flickers.
		fmt.Fprint(c.Stdout, topLeft, strings.ReplaceAll(text.String(), "\n", toLineEnd+"\n"), toEnd)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
