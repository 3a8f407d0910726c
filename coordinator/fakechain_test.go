package coordinator_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// fakeChain is a ledger of sessions and credits that follows the Market's rules.
type fakeChain struct {
	mu       sync.Mutex
	sessions map[uint64]*coordinator.ChainSession
	credited map[common.Address]market.Amount
	limits   map[common.Address]market.Amount
	signers  map[common.Address]common.Address
	roots    map[common.Hash]coordinator.Mined
	blocks   uint64
	settles  int
	touched  []uint64
	sent     map[common.Hash]int // how often each root came into a block
	nonce    uint64
	pinned   func()       // called when a settlement has its nonce, before it is sent
	fail     func() error // asked before each settlement is mined
	lose     bool         // the next settlement is mined, and its answer lost
	done     []string     // "settle" and "prove", as they came

	claimed   map[common.Address]market.Amount
	alone     map[[2]uint64]bool // sessions and numbers of orders that were settled so
	withdrawn market.Amount
	account   market.Amount // the settlement account
	drawn     market.Amount // from the bond
}

func newFakeChain() *fakeChain {
	return &fakeChain{sessions: map[uint64]*coordinator.ChainSession{}, credited: map[common.Address]market.Amount{}, limits: map[common.Address]market.Amount{}, signers: map[common.Address]common.Address{}, roots: map[common.Hash]coordinator.Mined{}, sent: map[common.Hash]int{}, claimed: map[common.Address]market.Amount{}, alone: map[[2]uint64]bool{}}
}

func (f *fakeChain) Params(context.Context) (coordinator.Params, error) {
	return coordinator.Params{FeeBps: feeBps, MinDeposit: market.Units(1), MaxSessionDuration: 24 * time.Hour, CloseWindow: time.Hour, MaxOrderDuration: 45 * time.Minute, Margin: time.Minute}, nil
}

func (f *fakeChain) Head(context.Context) (uint64, uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blocks, uint64(time.Now().Unix()), nil
}

func (f *fakeChain) Session(_ context.Context, id uint64) (coordinator.ChainSession, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.sessions[id]; s != nil {
		return *s, nil
	}
	return coordinator.ChainSession{}, nil
}

// topUp adds to a deposit in a block of its own.
func (f *fakeChain) topUp(id uint64, deposit market.Amount) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[id].Deposit = deposit
	f.blocks++
	f.touched = append(f.touched, id)
}

func (f *fakeChain) TouchedSessions(context.Context, uint64, uint64) ([]uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.touched), nil
}

func (f *fakeChain) Miner(_ context.Context, m common.Address) (coordinator.ChainMiner, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.signers[m]
	return coordinator.ChainMiner{Registered: ok, Stake: market.Coins(1000), Limit: f.limits[m], Credited: f.credited[m]}, nil
}

func (f *fakeChain) MinerSigner(_ context.Context, m, s common.Address) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signers[m] == s, nil
}

func (f *fakeChain) SetMinerLimit(_ context.Context, m common.Address, a market.Amount) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limits[m] = a
	return nil
}

func (f *fakeChain) Settle(ctx context.Context, b coordinator.Settlement) (coordinator.Mined, error) {
	f.mu.Lock()
	nonce := f.nonce
	f.mu.Unlock()
	if b.Pin != nil {
		var err error
		if nonce, err = b.Pin(ctx, nonce); err != nil {
			return coordinator.Mined{}, err
		}
		if f.pinned != nil {
			f.pinned()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(); err != nil {
			return coordinator.Mined{}, err
		}
	}
	if nonce != f.nonce {
		return coordinator.Mined{}, fmt.Errorf("nonce %d was used", nonce)
	}
	f.nonce++
	f.blocks++
	f.settles++
	f.done = append(f.done, "settle")
	f.sent[b.Root]++
	m := coordinator.Mined{Tx: common.Hash{31: byte(f.blocks), 30: byte(f.blocks >> 8)}, Block: f.blocks}
	for _, v := range b.Vouchers {
		s := f.sessions[v.Session]
		if s == nil || s.State == ledger.SessionClosed || receipt.Verify(domain, v.Voucher, v.Signature, s.Spender) != nil || v.Through < s.Through {
			m.Skipped++
			continue
		}
		s.Through = v.Through
		if v.Cumulative.Cmp(s.Debited) > 0 {
			if err := f.book(s, v.Cumulative); err != nil {
				return m, err
			}
		}
	}
	for _, o := range b.Orders {
		if !f.single(o) {
			m.Skipped++
		}
	}
	for _, c := range b.Credits {
		if c.Total.Cmp(f.credited[c.Miner]) > 0 {
			if err := f.pay(c.Miner, c.Total); err != nil {
				return m, err
			}
		}
	}
	f.roots[b.Root] = m
	if f.lose {
		f.lose = false
		return coordinator.Mined{}, fmt.Errorf("connection lost")
	}
	return m, nil
}

func (f *fakeChain) FindSettlement(_ context.Context, root common.Hash, _ uint64) (coordinator.Mined, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.roots[root]
	return m, ok, nil
}

func (f *fakeChain) Settlement(context.Context) (market.Amount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.account, nil
}

// single settles an order alone, by the Market's rules.
func (f *fakeChain) single(o coordinator.SingleOrder) bool {
	order, x := o.Spec.Order, o.Receipt
	s := f.sessions[order.Session]
	if s == nil || s.State == ledger.SessionClosed || order.Number <= s.Through || f.alone[[2]uint64{order.Session, order.Number}] || s.Debited.Cmp(s.Deposit) >= 0 {
		return false
	}
	owed := receipt.Countersignature{Receipt: receipt.Digest(domain, x), Miner: x.Miner, MinerTotal: o.MinerTotal}
	if receipt.Verify(domain, order, o.Spec.Signature, s.Spender) != nil || receipt.Verify(domain, x, o.MinerSignature, f.signers[x.Miner]) != nil || receipt.Verify(domain, owed, o.Countersignature, coordKey.Address()) != nil {
		return false
	}
	if x.Order != receipt.Digest(domain, order) || x.Client != s.Client || x.Model != order.Model || receipt.Miners(o.Spec.Candidates) != order.Miners || x.Price.Cmp(order.MaxPrice) > 0 || x.FinishedAt > order.Deadline*1000 {
		return false
	}
	after, err := s.Debited.Add(x.Price)
	if err != nil || f.book(s, after) != nil {
		return false
	}
	f.alone[[2]uint64{order.Session, order.Number}] = true
	return true
}

func (f *fakeChain) OrderSettled(_ context.Context, session, number uint64) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return number <= f.sessions[session].Through || f.alone[[2]uint64{session, number}], nil
}

// book moves a debit into the settlement account, less its fee.
func (f *fakeChain) book(s *coordinator.ChainSession, after market.Amount) error {
	fee, err := market.Fee(s.Debited, after, s.FeeBps)
	if err != nil {
		return err
	}
	in, err := after.Sub(s.Debited)
	if err != nil {
		return err
	}
	if in, err = in.Sub(fee); err != nil {
		return err
	}
	s.Debited = after
	f.account, err = f.account.Add(in)
	return err
}

// pay moves a credit out of it, and what it lacks out of the bond.
func (f *fakeChain) pay(m common.Address, total market.Amount) error {
	due, err := total.Sub(f.credited[m])
	if err != nil {
		return err
	}
	f.credited[m] = total
	if due.Cmp(f.account) > 0 {
		lacks, err := due.Sub(f.account)
		if err != nil {
			return err
		}
		if f.drawn, err = f.drawn.Add(lacks); err != nil {
			return err
		}
		due = f.account
	}
	f.account, err = f.account.Sub(due)
	return err
}

func (f *fakeChain) settledBatches() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settles
}

func (f *fakeChain) Claimed(_ context.Context, m common.Address) (market.Amount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.claimed[m], nil
}

func (f *fakeChain) Flows(context.Context) (market.Amount, market.Amount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.withdrawn, f.drawn, nil
}

func (f *fakeChain) Prove(_ context.Context, _ common.Hash, _ []common.Address, _ []uint64) (*receipt.ChainProof, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, "prove")
	return &receipt.ChainProof{}, nil
}
