package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/uuid"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// demoPrompt is what the demo asks when nothing else is said.
const demoPrompt = "What is AITBC?"

// settleWithin is how long the demo waits for its payment to be in a block.
const settleWithin = time.Minute

func demoCommand() command {
	return command{
		name: "demo", short: "show the whole path once: network, job, payment, proof",
		long: `Starts a network in a new directory and on free ports, orders a job, waits until
it is paid for in a block, shows every balance before and after, stops the
network and verifies the receipt without it.`,
		setup: func(fs *flag.FlagSet) runner {
			prompt := fs.String("prompt", demoPrompt, "`text` to send")
			keep := fs.Bool("keep", false, "leave the directory behind")
			return func(ctx context.Context, c *call) error {
				return c.demo(ctx, *prompt, *keep)
			}
		},
	}
}

func (c *call) demo(ctx context.Context, prompt string, keep bool) (err error) {
	if c.homeFlag == "" {
		dir, err := os.MkdirTemp("", "aitbc-demo-")
		if err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
		c.homeFlag = dir
		if !keep {
			defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
		}
	}
	if c.offsetFlag < 0 {
		if c.offsetFlag, err = home.FreeOffset(ctx); err != nil {
			return err
		}
	}
	quiet := *c // what the steps print goes to people, not into the JSON value
	quiet.json, quiet.brief = false, true
	if c.json {
		quiet.Stdout = c.Stderr
	}
	d := &demo{call: &quiet, prompt: prompt}
	defer func() {
		if !d.stopped {
			err = errors.Join(err, d.down(context.WithoutCancel(ctx)))
		}
	}()
	for _, step := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"Start a network: node, coordinator, miner, and a client with a deposit", d.up},
		{"Look at every balance", d.before},
		{"Order a job and read the answer as it comes", d.submit},
		{"Wait until the payment is settled in a block", d.settled},
		{"Fetch the receipt", d.receipt},
		{"Look at every balance again", d.after},
		{"Stop the network", d.down},
		{"Verify the receipt, with the network gone", d.verify},
	} {
		d.n++
		fmt.Fprintf(d.Stdout, "\n%d. %s\n", d.n, step.title)
		if err := step.run(ctx); err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(d.outcome())
	}
	fmt.Fprintf(c.Stdout, "\nThe whole path holds: the job ran, was paid for in block %d, and its receipt verifies.\n", d.job.Block)
	return nil
}

// demo is the state of a run of the demo.
type demo struct {
	*call
	n        int
	prompt   string
	started  time.Time
	network  devnet.Network
	remote   *client.Client
	job      api.Job
	file     string // of the receipt
	was, now audit
	stopped  bool
}

func (d *demo) up(ctx context.Context) (err error) {
	d.started = time.Now()
	if err := d.detach(ctx, upFlags{deposit: &optionalAmount{}, tied: true}); err != nil {
		return err
	}
	fmt.Fprintf(d.Stdout, "Everything answers after %.1f s.\n", time.Since(d.started).Seconds())
	if d.network, err = d.call.network(); err != nil {
		return err
	}
	d.remote, err = d.account()
	return err
}

func (d *demo) before(ctx context.Context) (err error) {
	if d.was, err = d.audit(ctx, d.network); err != nil {
		return err
	}
	return d.printAudit(d.was)
}

func (d *demo) submit(ctx context.Context) error {
	models, err := d.remote.Models(ctx)
	if err != nil {
		return err
	}
	if len(models) == 0 {
		return errors.New("no model is on offer")
	}
	fmt.Fprintf(d.Stdout, "$ aitbc submit %s --model %s --temperature 0 --stream\n\n", strconv.Quote(d.prompt), models[0].ID)
	got, err := d.remote.Submit(ctx, api.SubmitRequest{Model: models[0].ID, Messages: []api.Message{{Role: "user", Content: d.prompt}}, Temperature: new(float64)}, uuid.NewString())
	if err != nil {
		return err
	}
	d.job.JobID = got.JobID
	f := submitFlags{stream: true}
	return f.follow(ctx, d.call, ordered{id: got.JobID, watch: watching(d.remote, got.JobID)})
}

func (d *demo) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		job, err := d.remote.Job(ctx, d.job.JobID)
		if err != nil {
			return err
		}
		d.job = job
		switch job.Payment {
		case market.Settled:
			return d.printJob(job)
		case market.Refunded:
			return fmt.Errorf("job %s was refunded", job.JobID.Hex())
		case market.Reserved, market.Charged: // not in a block yet
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the payment is still %s after %s: %w", job.Payment, settleWithin, ctx.Err())
		}
	}
}

func (d *demo) receipt(ctx context.Context) error {
	list, err := d.proved(ctx)
	if err != nil {
		return err
	}
	d.file = filepath.Join(d.homeFlag, "receipt.json")
	if err := os.WriteFile(d.file, list[0], 0o600); err != nil {
		return fmt.Errorf("keep receipt: %w", err)
	}
	if err := d.printBundle(list[0]); err != nil {
		return err
	}
	fmt.Fprintf(d.Stdout, "It is in block %d and has %d bytes with all its proofs.\n", d.job.Block, len(list[0]))
	return nil
}

// proved fetches the job's receipt once its proof is there: the signatures over
// a block stand in the next one.
func (d *demo) proved(ctx context.Context) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := d.remote.Receipts(ctx, d.job.JobID)
		if err != nil {
			return nil, err
		}
		if len(list) != 1 {
			return nil, fmt.Errorf("the job has %d receipts, not one", len(list))
		}
		if b, err := receipt.ParseBundle(list[0]); err != nil {
			return nil, fmt.Errorf("read receipt: %w", err)
		} else if b.Settlement != nil {
			return list, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("the receipt has no proof after %s: %w", settleWithin, ctx.Err())
		}
	}
}

func (d *demo) after(ctx context.Context) (err error) {
	if d.now, err = d.audit(ctx, d.network); err != nil {
		return err
	}
	return d.printChange(d.was, d.now)
}

func (d *demo) down(ctx context.Context) error {
	d.stopped = true
	err := d.call.down(ctx, 2*time.Minute)
	if d.tie != nil { // till here the network would have ended with this process
		err = errors.Join(err, d.tie.Close())
	}
	return err
}

func (d *demo) verify(context.Context) error {
	fmt.Fprintf(d.Stdout, "$ aitbc verify %s\n\n", filepath.Base(d.file))
	d.args = []string{d.file}
	return d.call.verify("")
}

// demoOutcome is what demo --json prints.
type demoOutcome struct {
	JobID    common.Hash   `json:"job_id"`
	Receipt  *common.Hash  `json:"receipt_id"`
	Block    uint64        `json:"block"`
	Price    market.Amount `json:"price"`
	Fee      market.Amount `json:"fee"`
	Before   audit         `json:"before"`
	After    audit         `json:"after"`
	Verified bool          `json:"verified"`
	Seconds  float64       `json:"seconds"`
}

func (d *demo) outcome() demoOutcome {
	return demoOutcome{
		JobID: d.job.JobID, Receipt: d.job.ReceiptID, Block: d.job.Block, Price: d.job.Price, Fee: d.job.Fee,
		Before: d.was, After: d.now, Verified: true, Seconds: time.Since(d.started).Seconds(),
	}
}

// nodeTool runs aitbcd and returns what it printed.
func (c *call) nodeTool(ctx context.Context, args ...string) ([]byte, error) {
	self, err := c.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	bins, err := devnet.FindBinaries(self)
	if err != nil {
		return nil, hint(err, "make build makes all three programs in bin/")
	}
	cmd := exec.CommandContext(ctx, bins.Node, args...) //nolint:gosec // a program of our own installation
	cmd.Env = c.Environ
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return out, fmt.Errorf("aitbcd %s: %w: %s", args[0], err, strings.TrimSpace(string(e.Stderr)))
	}
	if err != nil {
		return nil, fmt.Errorf("aitbcd %s: %w", args[0], err)
	}
	return out, nil
}
