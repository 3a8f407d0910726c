package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
)

// directCommand has the words of direct jobs, in the order of their lives.
func directCommand() command {
	return command{name: "job", short: "order, do and pay a job on the chain itself, without a coordinator", subs: []command{
		{
			name: "create", args: "SPEC --fee AITBC", short: "order a job and lock its fee", min: 1, max: 1,
			long: `SPEC is a file that says what to do; the chain keeps its hash, and with --publish
the file itself. Without a miner's acceptance, or without its result in time, the
chain pays back by itself; a late miner's bond comes with it.`,
			setup: func(fs *flag.FlagSet) runner {
				f := createFlags(fs)
				return func(ctx context.Context, c *call) error { return c.createJob(ctx, f) }
			},
		},
		{
			name: "accept", args: "JOB", short: "accept a job with a bond, as a miner", min: 1, max: 1,
			long: `The bond comes back with the pay. It is the client's if there is no result before
the job's deadline, or if a challenge is not answered.`,
			setup: act("miner", "accepting", func(ctx context.Context, s signing, m *predeploy.Market, id uint64) (*types.Receipt, error) {
				j, err := knownJob(ctx, m, id, chainclient.Latest)
				if err != nil {
					return nil, err
				}
				return m.AcceptJob(ctx, s.sender, id, j.Bond)
			}),
		},
		{
			name: "submit", args: "JOB --output FILE", short: "commit to a job's result, as its miner", min: 1, max: 1,
			long: `Signs the receipt with the miner's key and keeps the bytes that a challenge is
answered with in HOME/jobs: sealed to the client's key, or as they are if the
client asked for an open output. Give them to the client by any other way.`,
			setup: func(fs *flag.FlagSet) runner {
				f := submitResultFlags(fs)
				return func(ctx context.Context, c *call) error { return c.submitResult(ctx, f) }
			},
		},
		{
			name: "ack", args: "JOB", short: "acknowledge a result and pay at once", min: 1, max: 1,
			long: "After a challenge of yours, your bond goes to the miner with the pay.",
			setup: act("client", "acknowledging", func(ctx context.Context, s signing, m *predeploy.Market, id uint64) (*types.Receipt, error) {
				return m.AcknowledgeJob(ctx, s.sender, id)
			}),
		},
		{
			name: "challenge", args: "JOB", short: "say, with a bond, that the output was not delivered", min: 1, max: 1,
			long: `The miner then posts the output on the chain, sealed to your key, and wins your
bond; or the fee comes back, with both bonds.`,
			setup: act("client", "challenging", func(ctx context.Context, s signing, m *predeploy.Market, id uint64) (*types.Receipt, error) {
				j, err := knownJob(ctx, m, id, chainclient.Latest)
				if err != nil {
					return nil, err
				}
				return m.ChallengeJob(ctx, s.sender, id, j.Bond)
			}),
		},
		{
			name: "answer", args: "JOB", short: "post the output: against a challenge, or to a contract that waits for it", min: 1, max: 1,
			setup: func(fs *flag.FlagSet) runner {
				file := fs.String("file", "", "`file` with the bytes that the result committed to (default those that aitbc job submit kept)")
				from := jobFrom(fs, "miner")
				return func(ctx context.Context, c *call) error { return c.answerJob(ctx, *file, *from) }
			},
		},
		{
			name: "output", args: "JOB", short: "open a job's output and check it against the receipt", min: 1, max: 1,
			long: `Without --file it takes what the miner posted on the chain. It writes the output to
standard output, or to the file that --to names.`,
			setup: func(fs *flag.FlagSet) runner {
				file := fs.String("file", "", "`file` that the miner gave you")
				to := fs.String("to", "", "`file` to write the output to")
				return func(ctx context.Context, c *call) error { return c.jobOutput(ctx, *file, *to) }
			},
		},
		{
			name: "cancel", args: "JOB", short: "take back an order that nobody has accepted", min: 1, max: 1,
			setup: act("client", "cancelling", func(ctx context.Context, s signing, m *predeploy.Market, id uint64) (*types.Receipt, error) {
				return m.CancelJob(ctx, s.sender, id)
			}),
		},
		{
			name: "expire", args: "JOB", short: "end a job whose deadline has come, before the chain does", min: 1, max: 1,
			setup: act("client", "ending", func(ctx context.Context, s signing, m *predeploy.Market, id uint64) (*types.Receipt, error) {
				return m.ExpireJob(ctx, s.sender, id)
			}),
		},
		{
			name: "show", args: "JOB", short: "show a job as the chain has it", min: 1, max: 1,
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.showJob(ctx) }
			},
		},
		{
			name: "list", short: "list jobs, the newest first",
			setup: func(fs *flag.FlagSet) runner {
				f := jobFilterFlags(fs)
				return func(ctx context.Context, c *call) error { return c.listDirectJobs(ctx, f) }
			},
		},
	}}
}

// jobFrom declares which account of the home sends, with who usually does.
func jobFrom(fs *flag.FlagSet, usual string) *string {
	return fs.String("from", usual, "`account` that sends: an address of the keystore, or client, coordinator, miner or operator")
}

// act is a command that sends one transaction about a job, and shows the job after it.
func act(usual, what string, send func(ctx context.Context, s signing, m *predeploy.Market, id uint64) (*types.Receipt, error)) func(*flag.FlagSet) runner {
	return func(fs *flag.FlagSet) runner {
		from := jobFrom(fs, usual)
		return func(ctx context.Context, c *call) error {
			id, err := c.jobID()
			if err != nil {
				return err
			}
			s, err := c.signer("job", *from)
			if err != nil {
				return err
			}
			m := predeploy.NewMarket(s.chain)
			if _, err := knownJob(ctx, m, id, chainclient.Latest); err != nil {
				return err
			}
			c.sending(s, fmt.Sprintf("%s job %d", what, id))
			r, err := send(ctx, s, m, id)
			if err != nil {
				return err
			}
			return c.printActed(ctx, s, r, id)
		}
	}
}

func (c *call) jobID() (uint64, error) {
	id, err := strconv.ParseUint(c.args[0], 10, 64)
	if err != nil || id == 0 {
		return 0, usagef("job", "job %q is not a number from 1: aitbc job list shows those of the chain; aitbc status is for a coordinator's", printable(c.args[0]))
	}
	return id, nil
}

// knownJob reads a job that must be there.
func knownJob(ctx context.Context, m *predeploy.Market, id uint64, at chainclient.Block) (predeploy.Job, error) {
	j, err := m.Job(ctx, id, at)
	if err == nil && j.State == predeploy.JobStateNone {
		err = hint(fmt.Errorf("there is no job %d", id), "aitbc job list shows those there are")
	}
	return j, err
}

// askedJob is the job that a command's argument names, as it is now.
type askedJob struct {
	id     uint64
	chain  *chainclient.Client
	market *predeploy.Market
	head   head
	job    predeploy.Job
}

func (c *call) askedJob(ctx context.Context) (x askedJob, err error) {
	if x.id, err = c.jobID(); err != nil {
		return x, err
	}
	if x.chain, err = c.chain(); err != nil {
		return x, err
	}
	x.market = predeploy.NewMarket(x.chain)
	if x.head, err = newest(ctx, x.chain); err != nil {
		return x, err
	}
	x.job, err = knownJob(ctx, x.market, x.id, x.head.at)
	return x, err
}

// printActed shows a job after a transaction about it.
func (c *call) printActed(ctx context.Context, s signing, r *types.Receipt, id uint64) error {
	m := predeploy.NewMarket(s.chain)
	j, err := knownJob(ctx, m, id, chainclient.At(r.BlockNumber.Uint64()))
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	if c.json {
		return c.printJSON(struct {
			sent
			jobLine
		}{t, lineOf(id, j)})
	}
	until := ""
	if !j.State.Ended() {
		until = " until " + seconds(j.DueAt)
	}
	_, err = fmt.Fprintf(c.Stdout, "job %d is %s%s %s\n", id, j.State, until, t)
	return err
}

// within turns a wait of the command line into a time of the chain's clock.
func (h head) within(d time.Duration) (uint64, error) {
	if d < time.Second || d > 400*24*time.Hour {
		return 0, errors.New("want a time from one second to some days")
	}
	return h.time + uint64(d/time.Second), nil
}

// hexHash is a flag's value of 32 bytes, or zero for none.
func hexHash(fs *flag.FlagSet, name, usage string) *common.Hash {
	var h common.Hash
	fs.Func(name, usage, func(s string) error {
		b := common.FromHex(s)
		if len(s) != 66 || len(b) != common.HashLength {
			return errors.New("want 0x and 64 hex digits")
		}
		h = common.Hash(b)
		return nil
	})
	return &h
}
