package rig

import (
	"context"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// chain is a [coordinator.Chain] that exists only in memory: a block for every
// settlement, at once. What a chain costs is measured elsewhere.
type chain struct {
	mu       sync.Mutex // guards what follows
	blocks   uint64
	sessions map[uint64]*coordinator.ChainSession
	credited map[common.Address]market.Amount
	limits   map[common.Address]market.Amount
	roots    map[common.Hash]coordinator.Mined
}

var _ coordinator.Chain = (*chain)(nil)

func newChain() *chain {
	return &chain{
		sessions: map[uint64]*coordinator.ChainSession{}, credited: map[common.Address]market.Amount{},
		limits: map[common.Address]market.Amount{}, roots: map[common.Hash]coordinator.Mined{},
	}
}

func (c *chain) open(id uint64, s coordinator.ChainSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[id] = &s
}

// Params implements [coordinator.Chain].
func (c *chain) Params(context.Context) (coordinator.Params, error) {
	return coordinator.Params{
		FeeBps: feeBps, MinDeposit: market.Units(1), MaxSessionDuration: 24 * time.Hour, CloseWindow: time.Hour,
		MaxOrderDuration: 45 * time.Minute, Margin: time.Minute,
	}, nil
}

// Head implements [coordinator.Chain].
func (c *chain) Head(context.Context) (number, seconds uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocks, uint64(time.Now().Unix()), nil //nolint:gosec // after 1970
}

// Session implements [coordinator.Chain].
func (c *chain) Session(_ context.Context, id uint64) (coordinator.ChainSession, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sessions[id]; s != nil {
		return *s, nil
	}
	return coordinator.ChainSession{}, nil
}

// TouchedSessions implements [coordinator.Chain].
func (c *chain) TouchedSessions(context.Context, uint64, uint64) ([]uint64, error) { return nil, nil }

// Miner implements [coordinator.Chain].
func (c *chain) Miner(_ context.Context, m common.Address) (coordinator.ChainMiner, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return coordinator.ChainMiner{Registered: true, Stake: market.Coins(1000), Limit: c.limits[m], Credited: c.credited[m]}, nil
}

// MinerSigner implements [coordinator.Chain].
func (c *chain) MinerSigner(_ context.Context, m, signer common.Address) (bool, error) {
	return m == signer, nil
}

// SetMinerLimit implements [coordinator.Chain].
func (c *chain) SetMinerLimit(_ context.Context, m common.Address, limit market.Amount) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits[m] = limit
	return nil
}

// Settle implements [coordinator.Chain].
func (c *chain) Settle(_ context.Context, s coordinator.Settlement) (coordinator.Mined, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks++
	m := coordinator.Mined{Tx: s.Root, Block: c.blocks}
	for _, v := range s.Vouchers {
		if x := c.sessions[v.Session]; x != nil {
			x.Through = max(x.Through, v.Through)
			if v.Cumulative.Cmp(x.Debited) > 0 {
				x.Debited = v.Cumulative
			}
		}
	}
	for _, x := range s.Credits {
		c.credited[x.Miner] = x.Total
	}
	c.roots[s.Root] = m
	return m, nil
}

// FindSettlement implements [coordinator.Chain].
func (c *chain) FindSettlement(_ context.Context, root common.Hash, _ uint64) (coordinator.Mined, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.roots[root]
	return m, ok, nil
}

// OrderSettled implements [coordinator.Chain]: here vouchers pay for all.
func (c *chain) OrderSettled(_ context.Context, session, number uint64) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.sessions[session]
	return x != nil && number <= x.Through, nil
}

// Settlement implements [coordinator.Chain]: debits, less fees and credits.
func (c *chain) Settlement(context.Context) (market.Amount, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var in market.Amount
	for _, s := range c.sessions {
		fee, err := market.Fee(market.Amount{}, s.Debited, s.FeeBps)
		if err != nil {
			return in, err
		}
		net, err := s.Debited.Sub(fee)
		if err != nil {
			return in, err
		}
		if in, err = in.Add(net); err != nil {
			return in, err
		}
	}
	for _, x := range c.credited {
		var err error
		if in, err = in.Sub(x); err != nil {
			return in, err
		}
	}
	return in, nil
}

// Claimed implements [coordinator.Chain].
func (c *chain) Claimed(context.Context, common.Address) (market.Amount, error) {
	return market.Amount{}, nil
}

// Flows implements [coordinator.Chain].
func (c *chain) Flows(context.Context) (withdrawn, drawn market.Amount, err error) {
	return withdrawn, drawn, nil
}

// Prove implements [coordinator.Chain].
func (c *chain) Prove(context.Context, common.Hash, []common.Address, []uint64) (*receipt.ChainProof, error) {
	return &receipt.ChainProof{}, nil
}
