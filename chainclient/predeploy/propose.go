package predeploy

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

// Try runs an action as the Timelock would if it were executed at a block, and
// returns why it would fail. The Governor's own settings cannot be tried: it
// takes them from its own queue only.
func (g *Governor) Try(ctx context.Context, a Action, at chainclient.Block) error {
	if a.Target == g.address {
		return nil
	}
	m := chainclient.Message{From: g.timelock.address, To: a.Target, Value: a.Value.Big(), Data: a.Data}
	if _, err := g.client.CallContract(ctx, m, at); err != nil {
		return fmt.Errorf("%s: %w", a, Explain(err))
	}
	return nil
}

// Propose proposes actions. It takes stake of the sender's own, at validators or as one.
// The answer has no number yet.
func (g *Governor) Propose(ctx context.Context, by *chainclient.Sender, actions []Action, description string) (Proposal, *types.Receipt, error) {
	targets, values, data := calls(actions)
	r, err := g.send(ctx, by, market.Amount{}, "propose", targets, values, data, description)
	if err != nil {
		return Proposal{}, r, err
	}
	for _, log := range r.Logs {
		if g.emitted(log, "ProposalCreated") {
			p, err := g.created(log)
			return p, r, err
		}
	}
	return Proposal{}, r, fmt.Errorf("propose: transaction %s created none", r.TxHash)
}

// Vote votes with the stake of the sender's validator.
func (g *Governor) Vote(ctx context.Context, by *chainclient.Sender, id *big.Int, s Support, reason string) (market.Amount, *types.Receipt, error) {
	return g.cast(ctx, by, "castVoteWithReason", id, uint8(s), reason)
}

// VoteFor votes with what the sender has delegated to an operator, and takes
// that out of the operator's vote.
func (g *Governor) VoteFor(ctx context.Context, by *chainclient.Sender, id *big.Int, operator common.Address, s Support, reason string) (market.Amount, *types.Receipt, error) {
	return g.cast(ctx, by, "castOverrideVote", id, operator, uint8(s), reason)
}

// cast sends a vote and returns its weight, which its event tells.
func (g *Governor) cast(ctx context.Context, by *chainclient.Sender, method string, args ...any) (market.Amount, *types.Receipt, error) {
	r, err := g.send(ctx, by, market.Amount{}, method, args...)
	if err != nil {
		return market.Amount{}, r, err
	}
	for _, log := range r.Logs {
		if g.emitted(log, "VoteCast") || g.emitted(log, "OverrideVoteCast") {
			v, _, err := g.voteOf(log)
			return v.Weight, r, err
		}
	}
	return market.Amount{}, r, fmt.Errorf("%s: transaction %s tells no weight", method, r.TxHash)
}

// Queue starts the Timelock's delay of a proposal that has won.
func (g *Governor) Queue(ctx context.Context, by *chainclient.Sender, id *big.Int) (*types.Receipt, error) {
	return g.step(ctx, by, "queue", id)
}

// Execute makes the calls of a proposal whose delay is over.
func (g *Governor) Execute(ctx context.Context, by *chainclient.Sender, id *big.Int) (*types.Receipt, error) {
	return g.step(ctx, by, "execute", id)
}

// Cancel takes a proposal of the sender's back, before its vote begins.
func (g *Governor) Cancel(ctx context.Context, by *chainclient.Sender, id *big.Int) (*types.Receipt, error) {
	return g.step(ctx, by, "cancel", id)
}

// step calls the form of an overloaded method that takes a proposal's id alone.
func (g *Governor) step(ctx context.Context, by *chainclient.Sender, name string, id *big.Int) (*types.Receipt, error) {
	return g.send(ctx, by, market.Amount{}, form(g.abi, name+"(uint256)"), id)
}

// calls returns actions as the Governor takes them.
func calls(actions []Action) (targets []common.Address, values []*big.Int, data [][]byte) {
	for _, a := range actions {
		targets, values, data = append(targets, a.Target), append(values, a.Value.Big()), append(data, a.Data)
	}
	return targets, values, data
}
