package coordinator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// Reconciler compares the ledger with the chain, to the unit: each session's
// deposit, debits and last order, each miner's credits, and the settlement
// account. What is in a batch that waits for its block is taken into account.
// It is for one caller at a time.
type Reconciler struct {
	Store Store
	Chain Chain
	// Pause is the time between looks, in which a coordinator that follows the
	// chain learns what is new there.
	Pause time.Duration

	closed map[uint64]ChainSession // what the chain does not change any more
}

// Reconciliation is what a comparison found.
type Reconciliation struct {
	OK          bool                `json:"ok"`
	Block       uint64              `json:"block"` // newest when it was made
	Sessions    int                 `json:"sessions"`
	Miners      int                 `json:"miners"`
	Differences []ledger.Difference `json:"differences"`
	// Lost is what sessions were charged that ended before the chain paid it. The
	// coordinator bears it; both books say so, and it is no difference.
	Lost market.Amount `json:"lost"`
	// Records is how many the audit log has, whose chain was verified. Only an audit does that.
	Records uint64 `json:"records,omitempty"`
}

// errBusy says that money moved all the while.
var errBusy = errors.New("ledger and chain never stood still long enough to be compared: try again")

// looks bounds how often one comparison looks at the books.
const looks = 20

// Run compares until two looks in a row find the same difference, or one finds
// none: what is new on the chain is not in the ledger at once.
func (r *Reconciler) Run(ctx context.Context) (*Reconciliation, error) {
	var last *Reconciliation
	for n := range looks {
		if n > 0 {
			select {
			case <-time.After(r.Pause):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		now, steady, err := r.look(ctx)
		if err != nil {
			return nil, err
		}
		if !steady {
			continue
		}
		if now.OK || last != nil && slices.Equal(last.Differences, now.Differences) {
			return now, nil
		}
		last = now
	}
	return nil, errBusy
}

// Audit is Run and, before it, the whole ledger against itself: accounts,
// jobs and journal, and the audit log's chain. An audit log that is not what was written is an error.
func (r *Reconciler) Audit(ctx context.Context) (*Reconciliation, error) {
	a, err := r.Store.Audit(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	out, err := r.Run(ctx)
	if err != nil {
		return nil, err
	}
	out.Differences = slices.Concat(a.Check(), out.Differences)
	out.OK = len(out.Differences) == 0
	out.Records, err = ledger.CheckChain(records(ctx, r.Store))
	return out, err
}

// records reads the audit log, the newest record first.
func records(ctx context.Context, s Store) iter.Seq2[ledger.Record, error] {
	const page = 1000
	return func(yield func(ledger.Record, error) bool) {
		for before := uint64(0); ; {
			list, err := s.Records(ctx, common.Address{}, before, page)
			if err != nil {
				yield(ledger.Record{}, err)
				return
			}
			for _, r := range list {
				if before = r.N; !yield(r, nil) {
					return
				}
			}
			if len(list) < page {
				return
			}
		}
	}
}

// expected is what the chain must say by the ledger.
type expected struct {
	sessions map[uint64]ledger.Session
	miners   map[common.Address]market.Amount // credits
}

// look compares once. It reports whether nothing moved meanwhile.
func (r *Reconciler) look(ctx context.Context) (*Reconciliation, bool, error) {
	before, want, err := r.books(ctx)
	if err != nil {
		return nil, false, err
	}
	out := &Reconciliation{Sessions: len(before.Sessions), Miners: len(before.Miners), Differences: []ledger.Difference{}}
	if out.Block, _, err = r.Chain.Head(ctx); err != nil {
		return nil, false, fmt.Errorf("head: %w", err)
	}
	funds := &tally{}
	for _, x := range before.Sessions {
		if err := r.session(ctx, out, want.sessions[x.ID], funds); err != nil {
			return nil, false, err
		}
	}
	for _, m := range before.Miners {
		if err := r.miner(ctx, out, m.Address, want.miners[m.Address], funds); err != nil {
			return nil, false, err
		}
	}
	if err := r.account(ctx, out, funds); err != nil {
		return nil, false, err
	}
	_, again, err := r.books(ctx)
	if err != nil {
		return nil, false, err
	}
	out.OK = len(out.Differences) == 0
	return out, maps.Equal(want.sessions, again.sessions) && maps.Equal(want.miners, again.miners), nil
}

// books reads the ledger and works out what the chain must have: what is known
// to be settled, and what stands in batches that are in a block and not yet
// known to be.
func (r *Reconciler) books(ctx context.Context) (*ledger.Books, expected, error) {
	want := expected{map[uint64]ledger.Session{}, map[common.Address]market.Amount{}}
	b, err := r.Store.Books(ctx)
	if err != nil {
		return nil, want, fmt.Errorf("read the ledger: %w", err)
	}
	for _, x := range b.Sessions {
		want.sessions[x.ID] = ledger.Session{ID: x.ID, Account: market.SessionAccount{Deposit: x.Account.Deposit, Charged: x.Account.Charged}, FeeBps: x.FeeBps, Settled: x.Settled, SettledThrough: x.SettledThrough, State: x.State}
	}
	for _, m := range b.Miners {
		want.miners[m.Address] = m.Settled
	}
	for _, o := range b.Open {
		_, mined, err := r.Chain.FindSettlement(ctx, o.Root, o.FromBlock)
		if err != nil {
			return nil, want, fmt.Errorf("look for batch %d: %w", o.ID, err)
		}
		if !mined {
			continue
		}
		for _, id := range o.Plan.Sessions() {
			x, err := want.sessions[id].Pay(o.Plan.Vouchers, o.Plan.Singles)
			if err != nil {
				return nil, want, err
			}
			want.sessions[id] = x
		}
		for _, c := range o.Plan.Credits {
			want.miners[c.Miner] = c.Total
		}
	}
	return b, want, nil
}

const between = "ledger and chain"

func (r *Reconciler) session(ctx context.Context, out *Reconciliation, x ledger.Session, funds *tally) error {
	c, final := r.closed[x.ID]
	if !final {
		var err error
		if c, err = r.Chain.Session(ctx, x.ID); err != nil {
			return fmt.Errorf("session %d: %w", x.ID, err)
		}
		if c.State == ledger.SessionClosed {
			if r.closed == nil {
				r.closed = map[uint64]ChainSession{}
			}
			r.closed[x.ID] = c
		}
	}
	who := fmt.Sprintf("session %d", x.ID)
	out.Differences = slices.Concat(out.Differences,
		ledger.Compare(who, "deposit", between, x.Account.Deposit, c.Deposit),
		ledger.Compare(who, "debited", between, x.Settled, c.Debited),
		ledger.Compare(who, "through", between, market.Units(x.SettledThrough), market.Units(c.Through)))
	if c.State == ledger.SessionClosed {
		lost, err := x.Account.Charged.Sub(x.Settled)
		if err == nil {
			out.Lost, err = out.Lost.Add(lost)
		}
		if err != nil {
			return fmt.Errorf("session %d: settled more than charged: %w", x.ID, err)
		}
	}
	fee, err := market.Fee(market.Amount{}, x.Settled, x.FeeBps)
	if err != nil {
		return fmt.Errorf("session %d: %w", x.ID, err)
	}
	funds.add(x.Settled)
	funds.sub(fee)
	return nil
}

func (r *Reconciler) miner(ctx context.Context, out *Reconciliation, a common.Address, want market.Amount, funds *tally) error {
	m, err := r.Chain.Miner(ctx, a)
	if err != nil {
		return fmt.Errorf("miner %s: %w", a, err)
	}
	if m.Credited.Cmp(want) > 0 { // it may have collected by itself
		claimed, err := r.Chain.Claimed(ctx, a)
		if err != nil {
			return fmt.Errorf("claims of miner %s: %w", a, err)
		}
		if claimed.Cmp(want) > 0 {
			want = claimed
		}
	}
	out.Differences = append(out.Differences, ledger.Compare("miner "+a.Hex(), "credited", between, want, m.Credited)...)
	funds.sub(want)
	return nil
}

// account compares the settlement account with what must be in it: debits less
// fees and credits.
func (r *Reconciler) account(ctx context.Context, out *Reconciliation, funds *tally) error {
	have, err := r.Chain.Settlement(ctx)
	if err != nil {
		return fmt.Errorf("settlement account: %w", err)
	}
	want, err := funds.sum()
	if err == nil && want == have {
		return nil
	}
	// Its owner may have taken some out, and the bond may have paid in its stead.
	withdrawn, drawn, err := r.Chain.Flows(ctx)
	if err != nil {
		return fmt.Errorf("flows of the settlement account: %w", err)
	}
	funds.sub(withdrawn)
	funds.add(drawn)
	if want, err = funds.sum(); err != nil {
		// Less than nothing: show both sides.
		out.Differences = append(out.Differences, ledger.Compare("settlement account", "paid out beyond what came in", between, funds.in, funds.out)...)
		return nil
	}
	out.Differences = append(out.Differences, ledger.Compare("settlement account", "amount", between, want, have)...)
	return nil
}

// tally adds and subtracts without going below zero on the way.
type tally struct {
	in, out market.Amount
	err     error
}

func (t *tally) add(a market.Amount) { t.move(&t.in, a) }
func (t *tally) sub(a market.Amount) { t.move(&t.out, a) }

func (t *tally) move(side *market.Amount, a market.Amount) {
	sum, err := side.Add(a)
	if err != nil {
		t.err = err
		return
	}
	*side = sum
}

func (t *tally) sum() (market.Amount, error) {
	if t.err != nil {
		return market.Amount{}, t.err
	}
	return t.in.Sub(t.out)
}

// reconcile compares ledger and chain and raises the alarm where they differ.
func (s *Service) reconcile(ctx context.Context, r *Reconciler) {
	if !s.leads() { // whoever does will say
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reconciled, s.differences = time.Time{}, nil
		return
	}
	out, err := r.Run(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "ledger and chain were not compared", "err", err)
		}
		return
	}
	for _, d := range out.Differences {
		s.log.ErrorContext(ctx, "ledger and chain differ", "subject", d.Subject, "what", d.What, "where", d.Where, "want", d.Want, "have", d.Have, "by", d.By, "block", out.Block)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reconciled, s.differences = time.Now(), out.Differences
}

// reconciler compares the books of a running coordinator.
func (s *Service) reconciler() *Reconciler {
	return &Reconciler{Store: s.cfg.Store, Chain: s.cfg.Chain, Pause: followEvery + followEvery/2}
}

// Reconciled returns what the last comparison of ledger and chain found, and
// when it was; zero before the first.
func (s *Service) Reconciled() (time.Time, []ledger.Difference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reconciled, s.differences
}
