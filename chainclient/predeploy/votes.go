package predeploy

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

// Vote is a vote on a proposal.
type Vote struct {
	Voter    common.Address
	Operator common.Address // whose delegator voted; zero for a validator's own vote
	Support  Support
	Weight   market.Amount // when it was cast: delegators may have taken theirs out of it since
	Reason   string
	Block    uint64
}

// Votes returns the votes on a proposal in the order of the chain, from the
// events of the blocks up to a height.
func (g *Governor) Votes(ctx context.Context, id *big.Int, to uint64) ([]Vote, error) {
	override := g.abi.Events["OverrideVoteCast"].ID
	logs, err := g.client.Logs(ctx, chainclient.Filter{
		To: to, Addresses: []common.Address{g.address},
		Topics: [][]common.Hash{{g.abi.Events["VoteCast"].ID, override}},
	})
	if err != nil {
		return nil, fmt.Errorf("read the votes: %w", err)
	}
	var votes []Vote
	for _, log := range logs {
		v, of, err := g.voteOf(&log)
		if err != nil {
			return nil, err
		}
		if of.Cmp(id) == 0 {
			votes = append(votes, v)
		}
	}
	return votes, nil
}

// voteOf reads the event of a vote, and which proposal it is about.
func (g *Governor) voteOf(log *types.Log) (Vote, *big.Int, error) {
	if len(log.Topics) == 0 {
		return Vote{}, nil, errors.New("decode a vote: no topics")
	}
	event, err := g.abi.EventByID(log.Topics[0])
	if err != nil {
		return Vote{}, nil, fmt.Errorf("decode a vote: %w", err)
	}
	values := map[string]any{}
	if err := g.abi.UnpackIntoMap(values, event.Name, log.Data); err != nil {
		return Vote{}, nil, fmt.Errorf("decode %s: %w", event.Name, err)
	}
	v := Vote{Block: log.BlockNumber}
	id, _ := values["proposalId"].(*big.Int)
	switch len(log.Topics) {
	case 2: // the validator's own
	case 4:
		v.Operator = common.BytesToAddress(log.Topics[2][:])
		id = log.Topics[3].Big()
	default:
		return v, nil, fmt.Errorf("decode %s: %d topics", event.Name, len(log.Topics))
	}
	v.Voter = common.BytesToAddress(log.Topics[1][:])
	support, _ := values["support"].(uint8)
	weight, _ := values["weight"].(*big.Int)
	v.Support = Support(support)
	v.Reason, _ = values["reason"].(string)
	if id == nil {
		return v, nil, fmt.Errorf("decode %s: no proposal", event.Name)
	}
	if v.Weight, err = market.AmountFromBig(weight); err != nil {
		return v, nil, fmt.Errorf("decode %s: %w", event.Name, err)
	}
	return v, id, nil
}
