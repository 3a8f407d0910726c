package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/receipt"
)

// maxBatch bounds the jobs of one settlement. A transaction's size and gas are
// bounded by its vouchers and credits: one a session and one a miner. At worst
// each costs 84,000 gas together, and 90,000 where the Rewards contract is
// broken; a transaction may use 16.7 million.
const maxBatch = 180

// settle sends batches to the chain until one is not full. A batch is
// on disk before it is sent; one that was sent and not seen in a block is
// looked for before it is sent again. Sending twice moves no money twice.
func (s *Service) settle(ctx context.Context) {
	if !s.leads() {
		return
	}
	if err := s.settleAll(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrNotLeader) {
		s.log.WarnContext(ctx, "settlement is delayed", "err", err)
	}
}

func (s *Service) settleAll(ctx context.Context) error {
	open, err := s.cfg.Store.OpenBatches(ctx)
	if err != nil {
		return err
	}
	for _, b := range open {
		if err := s.pay(ctx, b); err != nil {
			return err
		}
		if err := s.prove(ctx, b); err != nil {
			return err
		}
	}
	// A batch can be proved when there is a block after its own: the next batch's, if there is one, for which the chain
	// then need not be waited.
	var last *ledger.Batch
	for s.leads() {
		b, err := s.build(ctx)
		if err == nil && b != nil {
			err = s.pay(ctx, b)
		}
		if err == nil && last != nil {
			err = s.prove(ctx, last)
		}
		if err != nil || b == nil {
			return err
		}
		if !b.Plan.More {
			return s.prove(ctx, b) // what has come since goes with the next ones: a transaction for a few jobs is dear
		}
		last = b
	}
	return nil
}

// build makes a batch of what can be settled now; nil if nothing can.
func (s *Service) build(ctx context.Context) (*ledger.Batch, error) {
	head, _, err := s.cfg.Chain.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	g := s.gathering(head, time.Now())
	g.From = s.turn
	b, err := s.cfg.Store.BuildBatch(ctx, g, func(p *ledger.Plan) common.Hash {
		p.Leaves = nil
		for _, r := range p.Receipts {
			p.Leaves = append(p.Leaves, receipt.Leaf(s.cfg.Domain.ReceiptID(r.Order), receipt.Digest(s.cfg.Domain, *r)))
		}
		return receipt.NewSortedTree(p.Leaves).Root()
	})
	if err == nil && b != nil {
		s.turn = b.Plan.Next
	}
	return b, err
}

// pay brings a batch into a block and notes what the chain paid of it.
func (s *Service) pay(ctx context.Context, b *ledger.Batch) error {
	if b.State != ledger.BatchBuilt {
		return nil
	}
	began := time.Now()
	m, err := s.send(ctx, b)
	if err != nil {
		return fmt.Errorf("batch %d: %w", b.ID, err)
	}
	s.meters.settlement.Observe(time.Since(began).Seconds())
	if err := s.mined(ctx, b, m, began); err != nil {
		return fmt.Errorf("batch %d: %w", b.ID, err)
	}
	b.State, b.Tx, b.Block = ledger.BatchMined, m.Tx, m.Block
	return nil
}

// send has the chain settle a batch, unless it has.
func (s *Service) send(ctx context.Context, b *ledger.Batch) (Mined, error) {
	m, found, err := s.cfg.Chain.FindSettlement(ctx, b.Root, b.FromBlock)
	if err != nil {
		return m, fmt.Errorf("look for it: %w", err)
	}
	if found {
		return m, nil
	}
	vouchers, err := s.signVouchers(b.Plan)
	if err != nil {
		return m, err
	}
	orders, err := s.singles(ctx, b.Plan)
	if err != nil {
		return m, err
	}
	m, err = s.cfg.Chain.Settle(ctx, Settlement{Vouchers: vouchers, Orders: orders, Credits: b.Plan.Credits, Root: b.Root, Count: len(b.Plan.Leaves), Pin: s.pin(b)})
	if err != nil {
		return m, fmt.Errorf("settle: %w", err)
	}
	return m, nil
}

func (s *Service) signVouchers(p ledger.Plan) ([]SignedVoucher, error) {
	out := make([]SignedVoucher, len(p.Vouchers))
	for i, v := range p.Vouchers {
		if p.Spenders[i] == 0 {
			out[i] = SignedVoucher{v, p.Signatures[i]}
			continue
		}
		k, err := s.cfg.Spender(p.Spenders[i])
		if err != nil {
			return nil, err
		}
		sig, err := receipt.Sign(k, s.cfg.Domain, v)
		if err != nil {
			return nil, fmt.Errorf("voucher of session %d: %w", v.Session, err)
		}
		out[i] = SignedVoucher{v, sig}
	}
	return out, nil
}

// mined compares what the chain paid with what the batch asked for and records it.
func (s *Service) mined(ctx context.Context, b *ledger.Batch, m Mined, began time.Time) error {
	var paid ledger.Paid
	chain := map[uint64]ChainSession{}
	for _, id := range b.Plan.Sessions() {
		c, err := s.cfg.Chain.Session(ctx, id)
		if err != nil {
			return fmt.Errorf("session %d: %w", id, err)
		}
		x, err := s.cfg.Store.Session(ctx, id)
		if err != nil {
			return err
		}
		if err := s.cfg.Store.PutSession(ctx, stored(id, x.SpenderN, c)); err != nil {
			return err
		}
		chain[id] = c
	}
	for _, v := range b.Plan.Vouchers {
		c := chain[v.Session]
		if c.Debited.Cmp(v.Cumulative) < 0 || c.Through < v.Through { // free jobs debit nothing
			s.log.ErrorContext(ctx, "a voucher was not paid", "session", v.Session, "asked", v.Cumulative, "debited", c.Debited, "through", c.Through)
			continue
		}
		paid.Sessions = append(paid.Sessions, v.Session)
	}
	var err error
	if paid.Singles, err = s.paidAlone(ctx, b.Plan); err != nil {
		return err
	}
	for _, c := range b.Plan.Credits {
		standing, err := s.cfg.Chain.Miner(ctx, c.Miner)
		if err != nil {
			return fmt.Errorf("miner %s: %w", c.Miner, err)
		}
		if err := s.cfg.Store.SetCredited(ctx, c.Miner, standing.Credited); err != nil {
			return err
		}
		if standing.Credited.Cmp(c.Total) < 0 {
			s.log.ErrorContext(ctx, "a miner was not paid in full", "miner", c.Miner, "owed", c.Total, "credited", standing.Credited)
		}
		s.mu.Lock()
		if p := s.miners[c.Miner]; p != nil {
			p.limit = standing.Limit
		}
		s.mu.Unlock()
	}
	if err := s.cfg.Store.BatchMined(ctx, b.ID, m.Tx, m.Block, paid, time.Now().UnixMilli()); err != nil {
		return err
	}
	settled, err := s.cfg.Store.SettledJobs(ctx, b.ID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.settledLocked(settled)
	s.mu.Unlock()
	s.paid(ctx, b, m, began)
	s.log.InfoContext(ctx, "settled", "batch", b.ID, "jobs", len(b.Plan.Jobs), "block", m.Block, "skipped", m.Skipped)
	return nil
}

// prove fetches and stores what the receipts of a batch need to be verified
// offline, while the chain still has the state of its block.
func (s *Service) prove(ctx context.Context, b *ledger.Batch) error {
	p, err := s.cfg.Chain.Prove(ctx, b.Tx, b.Plan.Signers, b.Plan.Sessions())
	if err != nil {
		return fmt.Errorf("prove batch %d: %w", b.ID, err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode proof of batch %d: %w", b.ID, err)
	}
	return s.cfg.Store.BatchProved(ctx, b.ID, string(raw))
}

// follow takes over what the chain says about our sessions: deposits, and that
// they close.
func (s *Service) follow(ctx context.Context) {
	if !s.leads() {
		return
	}
	if err := s.followBlocks(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "the chain is not answering", "err", err)
	}
}

// maxSpan bounds the blocks that are asked for at once.
const maxSpan = 5000

func (s *Service) followBlocks(ctx context.Context) error {
	const cursor = "followed"
	head, _, err := s.cfg.Chain.Head(ctx)
	if err != nil {
		return err
	}
	text, err := s.cfg.Store.Meta(ctx, cursor)
	if err != nil {
		return err
	}
	var at uint64
	if text != "" {
		if _, err := fmt.Sscanf(text, "%d", &at); err != nil {
			return fmt.Errorf("cursor %q: %w", text, err)
		}
	}
	for at < head {
		to := min(head, at+maxSpan)
		ids, err := s.cfg.Chain.TouchedSessions(ctx, at+1, to)
		if err != nil {
			return fmt.Errorf("events: %w", err)
		}
		for _, id := range ids {
			if err := s.refresh(ctx, id); err != nil {
				return err
			}
		}
		at = to
		if len(ids) == 0 && at == head && head%64 != 0 {
			break // nothing learnt: spare the disk
		}
		if err := s.cfg.Store.PutMeta(ctx, cursor, fmt.Sprint(at)); err != nil {
			return err
		}
	}
	return s.dueSessions(ctx)
}

// dueSessions asks again about sessions whose time is over: the node refunds
// them in a system call, whose events are in no Ethereum receipt.
func (s *Service) dueSessions(ctx context.Context) error {
	all, err := s.cfg.Store.Sessions(ctx)
	if err != nil {
		return err
	}
	for _, x := range all {
		if time.Now().Unix() >= int64(x.DueAt) {
			if err := s.refresh(ctx, x.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// refresh stores a session as the chain has it, if it is one that we know.
func (s *Service) refresh(ctx context.Context, id uint64) error {
	x, err := s.cfg.Store.Session(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil // opened with us, but its client never asked for a key
	} else if err != nil {
		return err
	}
	c, err := s.cfg.Chain.Session(ctx, id)
	if err != nil {
		return fmt.Errorf("session %d: %w", id, err)
	}
	return s.cfg.Store.PutSession(ctx, stored(id, x.SpenderN, c))
}
