package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

// jobDetails are what aitbc job show adds to a line.
type jobDetails struct {
	jobLine
	Key    common.Hash      `json:"key"`
	Miners []common.Address `json:"miners"`
	// Outcome is there once the job has ended, and the amounts if a transaction ended it.
	Outcome  string         `json:"outcome,omitempty"`
	ToClient *market.Amount `json:"to_client,omitempty"`
	ToMiner  *market.Amount `json:"to_miner,omitempty"`
	Protocol *market.Amount `json:"protocol_fee,omitempty"`
}

func (c *call) showJob(ctx context.Context) error {
	x, err := c.askedJob(ctx)
	if err != nil {
		return err
	}
	id, m, h, j := x.id, x.market, x.head, x.job
	d := jobDetails{jobLine: lineOf(id, j)}
	if d.Miners, err = m.JobMiners(ctx, id, h.at); err != nil {
		return err
	}
	if _, d.Key, err = jobDigest(ctx, x.chain, m, id, j); err != nil {
		return err
	}
	if j.State.Ended() {
		events, err := m.JobEvents(ctx, id, 0, h.height)
		if err != nil {
			return err
		}
		d.addOutcome(j, events)
	}
	if c.json {
		return c.printJSON(d)
	}
	return c.printDirectJob(d, h)
}

// addOutcome says how a job ended. What the node itself ended has no event in a transaction: a deadline had come, and the
// job tells which.
func (d *jobDetails) addOutcome(j predeploy.Job, events []predeploy.Event) {
	for _, e := range events {
		if closed, ok := e.(*predeploy.JobClosed); ok {
			d.Outcome, d.ToClient, d.ToMiner, d.Protocol = closed.Outcome.String(), &closed.ToClient, &closed.ToMiner, &closed.Fee
			return
		}
	}
	outcome := predeploy.OutcomeNotDelivered
	switch {
	case j.State == predeploy.JobStatePaid:
		outcome = predeploy.OutcomeUnchallenged
	case j.Miner == (common.Address{}):
		outcome = predeploy.OutcomeUnaccepted
	case j.Receipt == (common.Hash{}):
		outcome = predeploy.OutcomeLate
	}
	d.Outcome = outcome.String()
}

// next says who may act until the state's deadline, and what comes then.
func next(l jobLine) string {
	switch l.State {
	case "open":
		return "a miner may accept it; else the fee comes back"
	case "accepted":
		return "the miner may submit its result; else fee and bond are the client's"
	case "submitted":
		if l.CallbackGas != 0 {
			return "the miner may post the output; else fee and bond are the client's"
		}
		return "the client may acknowledge or challenge; else the miner is paid"
	case "challenged":
		return "the miner may post the output; else fee and both bonds are the client's"
	default:
		return ""
	}
}

func (c *call) printDirectJob(d jobDetails, h head) error {
	t := newTable(c.Stdout)
	t.row("job", d.Job)
	t.row("state", d.State)
	if what := next(d.jobLine); what != "" {
		t.row("until", h.until(d.DueAt))
		t.row("", what)
	}
	switch {
	case d.ToClient != nil:
		t.row("outcome", fmt.Sprintf("%s: %s to the client, %s to the miner, %s of fee", d.Outcome, d.ToClient.Coins(), d.ToMiner.Coins(), d.Protocol.Coins()))
	case d.Outcome != "":
		t.row("outcome", d.Outcome+": ended by the chain")
	}
	t.row("client", d.Client.Hex())
	if d.Miner != (common.Address{}) {
		t.row("miner", d.Miner.Hex())
	}
	for _, a := range d.Miners {
		t.row("allowed", a.Hex())
	}
	t.row("fee", d.Fee.Coins())
	if d.Receipt != (common.Hash{}) {
		t.row("price", d.Price.Coins())
	}
	t.row("bond", d.Bond.Coins())
	t.row("result due", seconds(d.Deadline))
	t.row("spec", d.Spec.Hex())
	for _, v := range []struct {
		name string
		hash common.Hash
	}{{"model", d.Model}, {"class", d.Class}, {"sealed to", d.SealTo}, {"receipt", d.Receipt}, {"delivery", d.Delivery}} {
		if v.hash != (common.Hash{}) {
			t.row(v.name, v.hash.Hex())
		}
	}
	t.row("key", d.Key.Hex())
	return t.flush()
}

func (c *call) listDirectJobs(ctx context.Context, f *jobFilter) error {
	const command = "job list"
	states := []string{"", "open", "accepted", "submitted", "challenged", "paid", "refunded"}
	if !slices.Contains(states, *f.state) {
		return usagef(command, "--state %q is none of %s", printable(*f.state), "open, accepted, submitted, challenged, paid, refunded")
	}
	var whose common.Address
	if *f.whose != "" {
		var err error
		if whose, err = c.accountOf(command, *f.whose); err != nil {
			return err
		}
	}
	eth, err := c.chain()
	if err != nil {
		return err
	}
	m := predeploy.NewMarket(eth)
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	count, err := m.JobCount(ctx, h.at)
	if err != nil {
		return err
	}
	lines := []jobLine{}
	for id := count; id > 0 && count-id < *f.last; id-- {
		j, err := m.Job(ctx, id, h.at)
		if err != nil {
			return err
		}
		if *f.state != "" && j.State.String() != *f.state || whose != (common.Address{}) && j.Client != whose && j.Miner != whose {
			continue
		}
		lines = append(lines, lineOf(id, j))
	}
	if c.json {
		return c.printJSON(lines)
	}
	t := newTable(c.Stdout)
	t.row("JOB", "STATE", "UNTIL", "FEE", "CLIENT", "MINER")
	for _, l := range lines {
		until, miner := "-", "-"
		if next(l) != "" {
			until = seconds(l.DueAt)
		}
		if l.Miner != (common.Address{}) {
			miner = l.Miner.Hex()
		}
		t.row(l.Job, l.State, until, l.Fee.Coins(), l.Client.Hex(), miner)
	}
	return t.flush()
}
