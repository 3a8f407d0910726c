package cli

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
)

func minersCommand() command {
	return command{
		name: "miners", short: "list the miners of the coordinator",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				remote, err := c.api()
				if err != nil {
					return err
				}
				miners, err := remote.Miners(ctx)
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(append([]api.Miner{}, miners...))
				}
				t := newTable(c.Stdout)
				t.row("MINER", "STATE", "FREE", "JOBS DONE", "REPUTATION", "MODELS", "LAST SEEN")
				for _, m := range miners {
					var models []string
					for _, o := range m.Offers {
						models = append(models, o.Model)
					}
					t.row(m.Miner.Hex(), m.State, fmt.Sprintf("%d/%d", m.FreeSlots, m.Slots), m.Completed, m.Reputation, strings.Join(models, ","), clock(m.LastSeen))
				}
				return t.flush()
			}
		},
	}
}

func modelsCommand() command {
	return command{
		name: "models", short: "list the models on offer and their prices",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				remote, err := c.api()
				if err != nil {
					return err
				}
				models, err := remote.Models(ctx)
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(append([]api.Model{}, models...))
				}
				t := newTable(c.Stdout)
				t.row("MODEL", "WEIGHTS", "CONTEXT", "PROMPT PER 10^6", "ANSWER PER 10^6", "PER SECOND", "PER ITEM", "FIRST TOKEN", "TOKENS/S", "GPU", "REGION")
				for _, m := range models {
					for _, o := range m.Offers {
						first, rate := measured(o)
						t.row(m.ID, weights(o), o.Context, o.Prompt.Coins(), o.Completion.Coins(), coinsOrDash(o.Second), coinsOrDash(o.Item), first, rate, cmp.Or(o.GPU, "-"), cmp.Or(o.Region, "-"))
					}
					if len(m.Offers) == 0 {
						t.row(m.ID, "-", "-", "-", "-", "-", "-", "-", "-", "-", "-")
					}
				}
				return t.flush()
			}
		},
	}
}

// measured says how quick an offer was lately, as far as that is known, else what the miner says.
func measured(o api.Offer) (first, rate string) {
	if o.Measured == nil && o.Benchmark != nil {
		return fmt.Sprintf("said: %d ms", o.Benchmark.FirstTokenMS), fmt.Sprintf("said: %.0f", o.Benchmark.TokensPerSecond)
	}
	if o.Measured == nil {
		return "-", "-"
	}
	return fmt.Sprintf("%d ms", o.Measured.FirstTokenMS), fmt.Sprintf("%.0f", o.Measured.TokensPerSecond)
}

// weights says what is known of an offer's model.
func weights(o api.Offer) string {
	if o.Claimed {
		return "claimed, not shown"
	}
	short := o.Digest.Hex()[:18] + "…"
	if o.Kind == api.KindContainer {
		return "image " + short
	}
	return short
}

// coinsOrDash is an amount, or a dash for none.
func coinsOrDash(a market.Amount) string {
	if a.IsZero() {
		return "-"
	}
	return a.Coins()
}
