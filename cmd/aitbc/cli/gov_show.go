package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

// barWidth is how many characters stand for all votes.
const barWidth = 30

// actionLine is an action as this command line shows it.
type actionLine struct {
	Target common.Address `json:"target"`
	Value  market.Amount  `json:"value"`
	Data   hexutil.Bytes  `json:"data"`
	Text   string         `json:"text"`
}

func actionLines(actions []predeploy.Action) []actionLine {
	lines := []actionLine{}
	for _, a := range actions {
		lines = append(lines, actionLine{a.Target, a.Value, a.Data, a.String()})
	}
	return lines
}

// proposalLine is a proposal as this command line shows it.
type proposalLine struct {
	Number      uint64         `json:"number"`
	ID          string         `json:"id"`
	State       string         `json:"state"`
	Proposer    common.Address `json:"proposer"`
	Description string         `json:"description"`
	Actions     []actionLine   `json:"actions"`
	VoteStart   uint64         `json:"vote_start"`
	VoteEnd     uint64         `json:"vote_end"`
	ETA         uint64         `json:"eta"`
	For         market.Amount  `json:"for"`
	Against     market.Amount  `json:"against"`
	Abstain     market.Amount  `json:"abstain"`
	Quorum      market.Amount  `json:"quorum"`
	Supply      market.Amount  `json:"supply"`
	ballot      predeploy.Ballot
}

func line(p predeploy.Proposal, b predeploy.Ballot) proposalLine {
	return proposalLine{
		Number: p.Number, ID: p.ID.String(), State: b.State.String(), Proposer: p.Proposer, Description: p.Description,
		Actions: actionLines(p.Actions), VoteStart: p.VoteStart, VoteEnd: p.VoteEnd, ETA: b.ETA,
		For: b.For, Against: b.Against, Abstain: b.Abstain, Quorum: b.Quorum, Supply: b.Supply, ballot: b,
	}
}

func (c *call) listProposals(ctx context.Context, most int) error {
	if most < 1 {
		return usagef("gov proposals", "--last %d: want a number from 1", most)
	}
	eth, err := c.chain()
	if err != nil {
		return err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	g := predeploy.NewGovernor(eth)
	count, err := g.Count(ctx, h.at)
	if err != nil {
		return err
	}
	lines := []proposalLine{}
	texts := map[string]string{}
	if count > 0 {
		if texts, err = g.Descriptions(ctx, h.height); err != nil {
			return err
		}
	}
	for n := count; n > 0 && len(lines) < most; n-- {
		p, err := g.Proposal(ctx, n, h.at)
		if err != nil {
			return err
		}
		p.Description = texts[p.ID.String()]
		b, err := g.Ballot(ctx, p, h.time, h.at)
		if err != nil {
			return err
		}
		lines = append(lines, line(p, b))
	}
	if c.json {
		return c.printJSON(lines)
	}
	t := newTable(c.Stdout)
	t.row("NO", "STATE", "FOR", "AGAINST", "VOTE ENDS", "WHAT")
	for _, l := range lines {
		t.row(l.Number, l.State, percentOf(l.For, l.Supply), percentOf(l.Against, l.Supply), seconds(l.VoteEnd), title(l))
	}
	return t.flush()
}

// title is the first line of a proposal's text, else its first action.
func title(l proposalLine) string {
	text, _, _ := strings.Cut(strings.TrimSpace(l.Description), "\n")
	if text == "" && len(l.Actions) > 0 {
		text = l.Actions[0].Text
	}
	const most = 72
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}

func percentOf(a, all market.Amount) string { return share(part(a.Big(), all.Big())) }

func (c *call) showProposal(ctx context.Context) error {
	if err := checkProposal("gov show", c.args[0]); err != nil {
		return err
	}
	eth, err := c.chain()
	if err != nil {
		return err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	g := predeploy.NewGovernor(eth)
	p, err := proposal(ctx, g, c.args[0], h)
	if err != nil {
		return err
	}
	texts, err := g.Descriptions(ctx, h.height)
	if err != nil {
		return err
	}
	p.Description = texts[p.ID.String()]
	b, err := g.Ballot(ctx, p, h.time, h.at)
	if err != nil {
		return err
	}
	votes, err := g.Votes(ctx, p.ID, h.height)
	if err != nil {
		return err
	}
	l, list := line(p, b), []voteLine{}
	for _, v := range votes {
		list = append(list, voteLine{v.Voter, v.Operator, v.Support.String(), v.Weight, v.Reason, v.Block})
	}
	if c.json {
		return c.printJSON(struct {
			proposalLine
			Votes []voteLine `json:"votes"`
		}{l, list})
	}
	return c.printProposal(l, list, h)
}

// voteLine is a vote as this command line shows it.
type voteLine struct {
	Voter    common.Address `json:"voter"`
	Operator common.Address `json:"as_delegator_of"` // zero for a validator's own vote
	Vote     string         `json:"vote"`
	Weight   market.Amount  `json:"weight"` // when it was cast
	Reason   string         `json:"reason"`
	Block    uint64         `json:"block"`
}

func (c *call) printVotes(votes []voteLine) error {
	fmt.Fprintln(c.Stdout)
	t := newTable(c.Stdout)
	t.row("VOTER", "AS", "VOTE", "WEIGHT THEN", "REASON")
	for _, v := range votes {
		as := "validator"
		if v.Operator != (common.Address{}) {
			as = "delegator of " + v.Operator.Hex()
		}
		t.row(v.Voter.Hex(), as, v.Vote, v.Weight.Coins(), v.Reason)
	}
	return t.flush()
}

func (c *call) printProposal(l proposalLine, votes []voteLine, h head) error {
	t := newTable(c.Stdout)
	t.row("proposal", l.Number)
	t.row("id", l.ID)
	t.row("state", l.State)
	t.row("proposer", l.Proposer.Hex())
	t.row("vote begins", h.until(l.VoteStart))
	t.row("vote ends", h.until(l.VoteEnd))
	if l.ETA != 0 {
		t.row("executable", h.until(l.ETA))
	}
	for i, a := range l.Actions {
		t.row(fmt.Sprintf("action %d", i+1), a.Text)
	}
	t.row("for", bar(l.For, l.Supply))
	t.row("against", bar(l.Against, l.Supply))
	t.row("abstain", bar(l.Abstain, l.Supply))
	reached, err := sum(l.For, l.Abstain)
	if err != nil {
		return err
	}
	t.row("quorum", fmt.Sprintf("%s of %s (for and abstain), %s", reached.Coins(), l.Quorum.Coins(), quorum(reached, l.Quorum)))
	if err := t.flush(); err != nil {
		return err
	}
	if text := strings.TrimSpace(l.Description); text != "" {
		fmt.Fprintf(c.Stdout, "\n%s\n", printableText(text))
	}
	if len(votes) > 0 {
		if err := c.printVotes(votes); err != nil {
			return err
		}
	}
	if next := l.next(h); next != "" {
		c.progress("aitbc: hint: %s", next)
	}
	return nil
}

func quorum(reached, needed market.Amount) string {
	if reached.Cmp(needed) >= 0 {
		return "reached"
	}
	return "not reached"
}

// bar draws votes as a part of all votes there are.
func bar(votes, all market.Amount) string {
	n := 0
	if bps := part(votes.Big(), all.Big()); bps > 0 {
		n = max(1, int(min(bps, 10_000)*barWidth/10_000))
	}
	return strings.Repeat("#", n) + strings.Repeat(".", barWidth-n) + "  " + percentOf(votes, all) + ", " + votes.Coins()
}

// next says what can be done with a proposal.
func (l proposalLine) next(h head) string {
	switch l.ballot.State {
	case predeploy.ProposalPending:
		return fmt.Sprintf("the vote begins %s", h.until(l.VoteStart))
	case predeploy.ProposalActive:
		return fmt.Sprintf("aitbc gov vote %d for|against|abstain", l.Number)
	case predeploy.ProposalSucceeded:
		return fmt.Sprintf("aitbc gov queue %d starts the delay", l.Number)
	case predeploy.ProposalQueued:
		if h.time < l.ETA {
			return fmt.Sprintf("it can be executed %s", h.until(l.ETA))
		}
		return fmt.Sprintf("aitbc gov execute %d carries it out", l.Number)
	default:
		return ""
	}
}
