package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

// begin claims a place among costly questions and fixes the block that they are about.
func (s *Server) begin(ctx context.Context) (head uint64, release func(), err error) {
	release, err = s.busy.Claim(ctx)
	if err != nil {
		return 0, nil, err
	}
	if head, err = s.Eth.BlockNumber(ctx); err != nil {
		release()
		return 0, nil, node(err)
	}
	return head, release, nil
}

func (s *Server) validators(w http.ResponseWriter, r *http.Request) error {
	return latest(s, w, r, &s.listed.validators, s.askValidators)
}

func (s *Server) askValidators(ctx context.Context, head uint64) (p Page[Validator], err error) {
	at := chainclient.At(head)
	staking := predeploy.NewStaking(s.Eth)
	list, err := staking.Validators(ctx, at)
	if err != nil {
		return p, node(err)
	}
	mode, err := staking.Mode(ctx, at)
	if err != nil {
		return p, node(err)
	}
	params, err := staking.Params(ctx, at)
	if err != nil {
		return p, node(err)
	}
	keys := each(list, func(v predeploy.Validator) common.Address { return v.Consensus })
	t, err := s.Index.Totals(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	strips, from, err := s.signing.strips(ctx, s.Comet, max(t.First, 1), head, keys)
	if err != nil {
		return p, node(err)
	}
	p = Page[Validator]{Items: make([]Validator, len(list))}
	for i, v := range list {
		p.Items[i] = Validator{
			Operator: v.Operator, Consensus: v.Consensus, Moniker: v.Moniker, Standing: string(v.Standing(mode, params.MinSelfStake)), Power: v.Power,
			Tokens: v.Tokens, SelfStake: v.SelfStake, CommissionBps: v.CommissionBps, Authority: v.Authority, JailedUntil: v.JailedUntil,
			Missed: v.Missed, Signing: strips[i], From: from,
		}
	}
	slices.SortStableFunc(p.Items, func(a, b Validator) int { return cmp.Or(cmp.Compare(b.Power, a.Power), b.Tokens.Cmp(a.Tokens)) })
	return p, nil
}

// minersMost is how many miners are asked about on the chain.
const minersMost = 200

func (s *Server) miners(w http.ResponseWriter, r *http.Request) error {
	p, err := s.listed.miners.get(r.Context(), 0, s.askMiners)
	if err != nil {
		return err
	}
	return writePage(w, r, p)
}

func (s *Server) askMiners(ctx context.Context) (p Page[Miner], err error) {
	release, err := s.busy.Claim(ctx)
	if err != nil {
		return p, err
	}
	defer release()
	var list api.MinerList
	if _, err := s.Coordinator.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/miners", Timeout: nodeWithin}, &list); err != nil {
		return p, apierr.Wrap(err, apierr.Unavailable, "the coordinator does not answer: its miners are not known now")
	}
	var net struct {
		Coordinator common.Address `json:"coordinator"`
	}
	if _, err := s.Coordinator.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/network", Timeout: nodeWithin}, &net); err != nil {
		return p, apierr.Wrap(err, apierr.Unavailable, "the coordinator does not answer: its miners are not known now")
	}
	p = Page[Miner]{Items: make([]Miner, 0, len(list.Miners))}
	for i, m := range list.Miners {
		row := Miner{
			Miner: m.Miner, State: m.State, Slots: m.Slots, FreeSlots: m.FreeSlots, Completed: m.Completed, Reputation: m.Reputation, LastSeen: m.LastSeen,
			Models: m.Offers,
		}
		if i < minersMost {
			entry, err := predeploy.NewRegistry(s.Eth).Participant(ctx, predeploy.RoleMiner, m.Miner, chainclient.Latest)
			if err != nil {
				return p, node(err)
			}
			row.Stake, row.Jailed = entry.Stake, entry.JailedUntil
			if row.Earned, err = predeploy.NewMarket(s.Eth).Credited(ctx, net.Coordinator, m.Miner, chainclient.Latest); err != nil {
				return p, node(err)
			}
		}
		p.Items = append(p.Items, row)
	}
	return p, nil
}

// proposalsMost is how many proposals are shown, the newest.
const proposalsMost = 50

func (s *Server) proposals(w http.ResponseWriter, r *http.Request) error {
	return latest(s, w, r, &s.listed.proposals, s.askProposals)
}

func (s *Server) askProposals(ctx context.Context, head uint64) (p Page[Proposal], err error) {
	at := chainclient.At(head)
	h, err := s.Eth.Header(ctx, at)
	if err != nil {
		return p, node(err)
	}
	governor := predeploy.NewGovernor(s.Eth)
	count, err := governor.Count(ctx, at)
	if err != nil {
		return p, node(err)
	}
	texts, err := governor.Descriptions(ctx, head)
	if err != nil {
		return p, node(err)
	}
	p = Page[Proposal]{Items: []Proposal{}}
	for n := count; n > 0 && len(p.Items) < proposalsMost; n-- {
		v, err := governor.Proposal(ctx, n, at)
		if err != nil {
			return p, node(err)
		}
		b, err := governor.Ballot(ctx, v, h.Time, at)
		if err != nil {
			return p, node(err)
		}
		p.Items = append(p.Items, Proposal{
			Number: n, ID: v.ID.String(), State: b.State.String(), Proposer: v.Proposer, Description: texts[v.ID.String()],
			Actions:   each(v.Actions, predeploy.Action.String),
			VoteStart: v.VoteStart, VoteEnd: v.VoteEnd, For: b.For, Against: b.Against, Abstain: b.Abstain, Quorum: b.Quorum, ETA: b.ETA,
		})
	}
	return p, nil
}

func (s *Server) parameters(w http.ResponseWriter, r *http.Request) error {
	return latest(s, w, r, &s.listed.parameters, s.askParameters)
}

func (s *Server) askParameters(ctx context.Context, head uint64) (p Page[Parameter], err error) {
	p = Page[Parameter]{Items: []Parameter{}}
	for _, name := range predeploy.Names() {
		list, err := predeploy.Params(ctx, s.Eth, name, chainclient.At(head))
		if errors.Is(err, predeploy.ErrNotDeployed) {
			continue // a network with no faucet
		}
		if err != nil {
			return p, node(err)
		}
		for _, v := range list {
			p.Items = append(p.Items, Parameter{name, v.Name, v.Type, v.Value})
		}
	}
	return p, nil
}

// genesisCoins are those of the first block, or why they are not known.
type genesisCoins struct{ sum market.Amount }

// coinsOfGenesis adds up the first block's balances, once.
func (s *Server) coinsOfGenesis(ctx context.Context) (market.Amount, error) {
	s.mu.Lock()
	known := s.genesis
	s.mu.Unlock()
	if known != nil {
		return known.sum, nil
	}
	var raw struct {
		Genesis struct {
			State struct {
				EVM struct {
					Alloc map[string]struct {
						Balance string `json:"balance"`
					} `json:"alloc"`
				} `json:"evm"`
			} `json:"app_state"`
		} `json:"genesis"`
	}
	if err := s.Comet.Call(ctx, &raw, "genesis", nil); err != nil {
		return market.Amount{}, err
	}
	var sum market.Amount
	for _, account := range raw.Genesis.State.EVM.Alloc {
		v, err := anyAmount(account.Balance)
		if err != nil {
			return sum, err
		}
		if sum, err = sum.Add(v); err != nil {
			return sum, err
		}
	}
	s.mu.Lock()
	s.genesis = &genesisCoins{sum}
	s.mu.Unlock()
	return sum, nil
}

func (s *Server) supply(w http.ResponseWriter, r *http.Request) error {
	release, err := s.busy.Claim(r.Context())
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	t, err := s.Index.Totals(ctx)
	if err != nil {
		return found(err, "the first block")
	}
	out := Supply{Height: t.Next - 1, Burned: t.Burned, Whole: t.First == 1}
	at := chainclient.At(out.Height)
	if out.Genesis, err = s.coinsOfGenesis(ctx); err != nil {
		return node(err)
	}
	if out.Issued, err = predeploy.NewRewards(s.Eth).Issued(ctx, at); err != nil {
		return node(err)
	}
	if out.Total, err = out.Genesis.Add(out.Issued); err != nil {
		return err
	}
	if out.Total, err = out.Total.Sub(out.Burned); err != nil {
		return err
	}
	stake, err := predeploy.NewStaking(s.Eth).Totals(ctx, at)
	if err != nil {
		return node(err)
	}
	out.Bonded, out.Unbonding = stake.Bonded, stake.Unbonding
	if out.Market, err = s.Eth.Balance(ctx, contracts.MarketAddress, at); err != nil {
		return node(err)
	}
	if out.Treasury, err = s.Eth.Balance(ctx, contracts.TreasuryAddress, at); err != nil {
		return node(err)
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

// anyAmount reads an amount in decimal or in hex, as genesis files have them.
func anyAmount(text string) (market.Amount, error) {
	if strings.HasPrefix(text, "0x") {
		return hexAmount(text)
	}
	return market.ParseAmount(text)
}
