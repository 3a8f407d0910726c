package cli

import (
	"context"
	"flag"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
)

func statusCommand() command {
	return command{
		name: "status", args: "JOB", short: "show a job, or the network without one", min: 0, max: 1,
		long: `Shows where a job and its money are. Without a job id it shows whether the
services of the network answer.`,
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				if len(c.args) == 0 {
					return c.services(ctx)
				}
				return c.withJob("status", func(remote *client.Client, id common.Hash) error {
					j, err := remote.Job(ctx, id)
					if err != nil {
						return err
					}
					return c.printJob(j)
				})
			}
		},
	}
}

func cancelCommand() command {
	return command{
		name: "cancel", args: "JOB", short: "end a job now", min: 1, max: 1,
		long: "What was delivered before is still paid for; the rest of the reservation is free again.",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				return c.withJob("cancel", func(remote *client.Client, id common.Hash) error {
					j, err := remote.Cancel(ctx, id)
					if err != nil {
						return err
					}
					return c.printJob(j)
				})
			}
		},
	}
}

func jobsCommand() command {
	return command{
		name: "jobs", short: "list your jobs",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				remote, err := c.account()
				if err != nil {
					return err
				}
				jobs, err := remote.Jobs(ctx)
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(append([]api.Job{}, jobs...))
				}
				t := newTable(c.Stdout)
				t.row("JOB", "STATE", "PAYMENT", "MODEL", "PRICE", "CREATED")
				for _, j := range jobs {
					t.row(j.JobID.Hex(), j.State, j.Payment, j.Model, j.Price.Coins(), clock(j.CreatedAt))
				}
				return t.flush()
			}
		},
	}
}

func explainCommand() command {
	return command{
		name: "explain", args: "JOB", short: "say why a job is not running", min: 1, max: 1,
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				return c.withJob("explain", func(remote *client.Client, id common.Hash) error {
					e, err := remote.Explain(ctx, id)
					if err != nil {
						return err
					}
					if c.json {
						return c.printJSON(e)
					}
					t := newTable(c.Stdout)
					t.row("state", e.State)
					for _, m := range e.Miners {
						t.row(m.Miner.Hex(), m.Reason)
					}
					switch {
					case e.State.Terminal():
						t.row("miners", "not asked: the job has ended")
					case len(e.Miners) == 0:
						t.row("miners", "none is registered")
					}
					return t.flush()
				})
			}
		},
	}
}

// withJob calls f with an authenticated client and the job id of the first argument.
func (c *call) withJob(command string, f func(*client.Client, common.Hash) error) error {
	id, err := hash(command, "job", c.args[0])
	if err != nil {
		return err
	}
	remote, err := c.account()
	if err != nil {
		return err
	}
	return f(remote, id)
}

func (c *call) printJob(j api.Job) error {
	if c.json {
		return c.printJSON(j)
	}
	t := newTable(c.Stdout)
	t.row("job", j.JobID.Hex())
	t.row("state", j.State)
	t.row("payment", j.Payment)
	t.row("model", j.Model)
	if j.Miner != nil {
		t.row("miner", j.Miner.Hex())
	}
	if j.Container {
		t.row("seconds", float64(j.Usage.ComputeMillis)/1000)
	} else {
		t.row("tokens", fmt.Sprintf("%d prompt, %d answer", j.Usage.PromptTokens, j.Usage.CompletionTokens))
	}
	t.row("price", fmt.Sprintf("%s (reserved %s; fee within: %s)", j.Price.Coins(), j.MaxPrice.Coins(), j.Fee.Coins()))
	if j.ReceiptID != nil {
		t.row("receipt", j.ReceiptID.Hex())
	}
	if l := j.Timeline; l != nil {
		text := fmt.Sprintf("waited %d ms, ran %d ms", l.QueuedMS, l.RanMS)
		if l.TokensPerSecond > 0 {
			text += fmt.Sprintf(", %.0f tokens/s", l.TokensPerSecond)
		}
		if l.FirstTokenMS != 0 {
			text += fmt.Sprintf(", first token after %d ms", l.FirstTokenMS)
		}
		if l.SettledMS != 0 {
			text += fmt.Sprintf(", settled %d ms after its end", l.SettledMS)
		}
		t.row("time", text)
	}
	if j.Block != 0 {
		t.row("settled in block", j.Block)
	}
	if j.Error != nil {
		t.row("error", j.Error.Code+": "+j.Error.Message)
	}
	t.row("created", clock(j.CreatedAt))
	if j.FinishedAt != 0 {
		t.row("finished", clock(j.FinishedAt))
	} else {
		t.row("expires", clock(j.ExpiresAt))
	}
	return t.flush()
}
