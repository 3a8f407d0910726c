package cli

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

// govSettings says how proposals run.
type govSettings struct {
	VotingDelay   uint64         `json:"voting_delay"`
	VotingPeriod  uint64         `json:"voting_period"`
	Threshold     market.Amount  `json:"proposal_threshold"`
	QuorumBps     uint64         `json:"quorum_bps"`
	TimelockDelay uint64         `json:"timelock_delay"`
	Proposals     uint64         `json:"proposals"`
	Governor      common.Address `json:"governor"`
	Timelock      common.Address `json:"timelock"`
	Treasury      market.Amount  `json:"treasury"`
	Plan          *plan          `json:"upgrade"`
}

// plan is an upgrade of the node's program.
type plan struct {
	Name   string `json:"name"`
	Height uint64 `json:"height"`
	Info   string `json:"info"`
}

func (c *call) govParams(ctx context.Context) error {
	eth, err := c.chain()
	if err != nil {
		return err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	g := predeploy.NewGovernor(eth)
	in, err := g.Settings(ctx, h.at)
	if err != nil {
		return err
	}
	s := govSettings{
		VotingDelay: in.VotingDelay, VotingPeriod: in.VotingPeriod, Threshold: in.Threshold, TimelockDelay: in.TimelockDelay,
		QuorumBps: part(new(big.Int).SetUint64(in.QuorumNumerator), new(big.Int).SetUint64(in.QuorumDenom)),
	}
	for name, into := range map[string]*common.Address{"governor": &s.Governor, "timelock": &s.Timelock} {
		if *into, err = predeploy.ContractAddress(name); err != nil {
			return err
		}
	}
	if s.Proposals, err = g.Count(ctx, h.at); err != nil {
		return err
	}
	if s.Treasury, err = predeploy.NewTreasury(eth).Holds(ctx, h.at); err != nil {
		return err
	}
	p, err := predeploy.NewUpgrades(eth).Plan(ctx, h.at)
	if err != nil {
		return err
	}
	if p.Height > h.height {
		s.Plan = &plan{p.Name, p.Height, p.Info}
	}
	if c.json {
		return c.printJSON(s)
	}
	t := newTable(c.Stdout)
	t.row("a vote begins", lasting(s.VotingDelay)+" after the proposal")
	t.row("it lasts", lasting(s.VotingPeriod))
	t.row("to propose takes", s.Threshold.Coins()+" of stake")
	t.row("quorum", share(s.QuorumBps)+" of all stake, for or abstaining")
	t.row("delay before execution", lasting(s.TimelockDelay))
	t.row("proposals so far", s.Proposals)
	t.row("treasury", s.Treasury.Coins())
	if s.Plan != nil {
		t.row("upgrade ahead", fmt.Sprintf("%s at block %d, %s", s.Plan.Name, s.Plan.Height, s.Plan.Info))
	}
	t.row("governor", s.Governor.Hex())
	t.row("timelock", s.Timelock.Hex())
	return t.flush()
}

func (c *call) contractParams(ctx context.Context) error {
	if _, err := predeploy.ContractAddress(c.args[0]); err != nil {
		return usagef("gov params", "%v", err)
	}
	eth, err := c.chain()
	if err != nil {
		return err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	params, err := predeploy.Params(ctx, eth, c.args[0], h.at)
	if err != nil {
		return err
	}
	if c.json {
		values := map[string]string{}
		for _, p := range params {
			values[p.Name] = p.Value
		}
		return c.printJSON(values)
	}
	t := newTable(c.Stdout)
	t.row("PARAMETER", "VALUE", "TYPE")
	for _, p := range params {
		t.row(p.Name, p.Value, p.Type)
	}
	return t.flush()
}
