package predeploy

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// ErrNoProposal reports a proposal that the chain does not know.
var ErrNoProposal = errors.New("there is no such proposal")

// A ProposalState is a step in the life of a proposal, numbered as the Governor does.
type ProposalState uint8

// The states of a proposal.
const (
	ProposalPending ProposalState = iota
	ProposalActive
	ProposalCanceled
	ProposalDefeated
	ProposalSucceeded
	ProposalQueued
	ProposalExpired
	ProposalExecuted
)

func (s ProposalState) String() string {
	words := []string{"pending", "active", "canceled", "defeated", "succeeded", "queued", "expired", "executed"}
	if int(s) < len(words) {
		return words[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// A Support is a way to vote, numbered as the Governor does.
type Support uint8

// The ways to vote.
const (
	VoteAgainst Support = iota
	VoteFor
	VoteAbstain
)

func (s Support) String() string {
	if int(s) < len(supports) {
		return supports[s]
	}
	return fmt.Sprintf("vote %d", uint8(s))
}

var supports = []string{"against", "for", "abstain"}

// ParseSupport reads against, for or abstain.
func ParseSupport(word string) (Support, error) {
	i := slices.Index(supports, word)
	if i < 0 {
		return 0, fmt.Errorf("vote %q is none of for, against, abstain", word)
	}
	return Support(i), nil //nolint:gosec // below 3
}

// Action is one call that a proposal makes, in the Timelock's name.
type Action struct {
	Target common.Address
	Value  market.Amount
	Data   []byte
}

// Proposal is what was proposed. Times are seconds since 1970.
type Proposal struct {
	Number      uint64 // from 1, in the order of proposing
	ID          *big.Int
	Proposer    common.Address
	Actions     []Action
	VoteStart   uint64 // votes count by the stake of this second
	VoteEnd     uint64
	Description string // "" where the node has no old events
}

// Ballot is how a proposal stands.
type Ballot struct {
	State   ProposalState
	Against market.Amount
	For     market.Amount
	Abstain market.Amount
	Quorum  market.Amount // that For and Abstain must reach
	Supply  market.Amount // all votes there are
	ETA     uint64        // when it can be executed; 0: it is not queued
}

// GovernorSettings say how proposals become law.
type GovernorSettings struct {
	VotingDelay     uint64 // seconds from the proposal to the vote
	VotingPeriod    uint64 // seconds
	Threshold       market.Amount
	QuorumNumerator uint64 // of QuorumDenominator, of all votes
	QuorumDenom     uint64
	TimelockDelay   uint64 // seconds from queue to execution
}

// Governor decides by votes of stake.
type Governor struct {
	contract
	timelock contract
	staking  contract
}

// NewGovernor returns the Governor of the chain that c is a client of.
func NewGovernor(c *chainclient.Client) *Governor {
	return &Governor{
		contract: contract{client: c, address: contracts.GovernorAddress, abi: governorABI()},
		timelock: contract{client: c, address: contracts.TimelockAddress, abi: timelockABI()},
		staking:  contract{client: c, address: contracts.StakingAddress, abi: stakingABI()},
	}
}

// Settings returns the settings in force.
func (g *Governor) Settings(ctx context.Context, at chainclient.Block) (GovernorSettings, error) {
	var s GovernorSettings
	for _, v := range []struct {
		from   *contract
		method string
		into   *uint64
	}{
		{&g.contract, "votingDelay", &s.VotingDelay},
		{&g.contract, "votingPeriod", &s.VotingPeriod},
		{&g.contract, form(g.abi, "quorumNumerator()"), &s.QuorumNumerator},
		{&g.contract, "quorumDenominator", &s.QuorumDenom},
		{&g.timelock, "getMinDelay", &s.TimelockDelay},
	} {
		n, err := readOne[*big.Int](ctx, v.from, at, v.method)
		if err != nil {
			return s, err
		}
		*v.into = n.Uint64()
	}
	var err error
	s.Threshold, err = g.readAmount(ctx, at, "proposalThreshold")
	return s, err
}

// Ballot returns how a proposal stands at a block, whose time is now.
func (g *Governor) Ballot(ctx context.Context, p Proposal, now uint64, at chainclient.Block) (Ballot, error) {
	var b Ballot
	state, err := readOne[uint8](ctx, &g.contract, at, "state", p.ID)
	if err != nil {
		return b, err
	}
	b.State = ProposalState(state)
	var votes struct{ AgainstVotes, ForVotes, AbstainVotes market.Amount }
	if err := g.readTuple(ctx, at, &votes, "proposalVotes", p.ID); err != nil {
		return b, err
	}
	b.Against, b.For, b.Abstain = votes.AgainstVotes, votes.ForVotes, votes.AbstainVotes
	// Before the vote begins, as if it began now.
	time := new(big.Int).SetUint64(min(p.VoteStart, now-1))
	if b.Quorum, err = g.readAmount(ctx, at, "quorum", time); err != nil {
		return b, err
	}
	if b.Supply, err = g.staking.readAmount(ctx, at, "getPastTotalSupply", time); err != nil {
		return b, err
	}
	eta, err := readOne[*big.Int](ctx, &g.contract, at, "proposalEta", p.ID)
	if err != nil {
		return b, err
	}
	b.ETA = eta.Uint64()
	return b, nil
}

// Count returns how many proposals there are.
func (g *Governor) Count(ctx context.Context, at chainclient.Block) (uint64, error) {
	n, err := readOne[*big.Int](ctx, &g.contract, at, "proposalCount")
	if err != nil {
		return 0, err
	}
	return n.Uint64(), nil
}

// Proposal returns a proposal by its number, without its description, or
// [ErrNoProposal].
func (g *Governor) Proposal(ctx context.Context, number uint64, at chainclient.Block) (Proposal, error) {
	count, err := g.Count(ctx, at)
	if err != nil {
		return Proposal{}, err
	}
	if number == 0 || number > count {
		return Proposal{}, fmt.Errorf("proposal %d of %d: %w", number, count, ErrNoProposal)
	}
	var d struct {
		ProposalId *big.Int //nolint:revive,staticcheck // the ABI's name
		Targets    []common.Address
		Values     []*big.Int
		Calldatas  [][]byte
	}
	if err := g.readTuple(ctx, at, &d, "proposalDetailsAt", new(big.Int).SetUint64(number-1)); err != nil {
		return Proposal{}, err
	}
	p := Proposal{Number: number, ID: d.ProposalId}
	if p.Actions, err = actionsOf(d.Targets, d.Values, d.Calldatas); err != nil {
		return p, err
	}
	if p.Proposer, err = readOne[common.Address](ctx, &g.contract, at, "proposalProposer", p.ID); err != nil {
		return p, err
	}
	for method, into := range map[string]*uint64{"proposalSnapshot": &p.VoteStart, "proposalDeadline": &p.VoteEnd} {
		n, err := readOne[*big.Int](ctx, &g.contract, at, method, p.ID)
		if err != nil {
			return p, err
		}
		*into = n.Uint64()
	}
	return p, nil
}

// Descriptions returns the texts of proposals by their ids in decimal, from the
// events of the blocks up to a height.
func (g *Governor) Descriptions(ctx context.Context, to uint64) (map[string]string, error) {
	logs, err := g.client.Logs(ctx, chainclient.Filter{
		To: to, Addresses: []common.Address{g.address}, Topics: [][]common.Hash{{g.abi.Events["ProposalCreated"].ID}},
	})
	if err != nil {
		return nil, fmt.Errorf("read the texts of proposals: %w", err)
	}
	texts := make(map[string]string, len(logs))
	for _, log := range logs {
		p, err := g.created(&log)
		if err != nil {
			return nil, err
		}
		texts[p.ID.String()] = p.Description
	}
	return texts, nil
}

// ProposingPower returns the stake by which an account may propose, as of a time that is past.
func (g *Governor) ProposingPower(ctx context.Context, account common.Address, time uint64, at chainclient.Block) (market.Amount, error) {
	return g.readAmount(ctx, at, "proposingPower", account, new(big.Int).SetUint64(time))
}

// created reads the event of a proposal's creation.
func (g *Governor) created(log *types.Log) (Proposal, error) {
	var e struct {
		ProposalId  *big.Int //nolint:revive,staticcheck // the ABI's name
		Proposer    common.Address
		Targets     []common.Address
		Values      []*big.Int
		Signatures  []string
		Calldatas   [][]byte
		VoteStart   *big.Int
		VoteEnd     *big.Int
		Description string
	}
	if err := g.abi.UnpackIntoInterface(&e, "ProposalCreated", log.Data); err != nil {
		return Proposal{}, fmt.Errorf("decode ProposalCreated: %w", err)
	}
	actions, err := actionsOf(e.Targets, e.Values, e.Calldatas)
	return Proposal{
		ID: e.ProposalId, Proposer: e.Proposer, Actions: actions,
		VoteStart: e.VoteStart.Uint64(), VoteEnd: e.VoteEnd.Uint64(), Description: e.Description,
	}, err
}

// actionsOf joins the lists in which the Governor has actions.
func actionsOf(targets []common.Address, values []*big.Int, data [][]byte) ([]Action, error) {
	if len(values) != len(targets) || len(data) != len(targets) {
		return nil, errors.New("decode actions: lists of different lengths")
	}
	actions := make([]Action, len(targets))
	for i := range targets {
		value, err := market.AmountFromBig(values[i])
		if err != nil {
			return nil, fmt.Errorf("decode actions: %w", err)
		}
		actions[i] = Action{targets[i], value, data[i]}
	}
	return actions, nil
}
