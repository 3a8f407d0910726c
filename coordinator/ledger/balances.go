package ledger

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Balances are what a journal's entries add up to.
type Balances struct {
	Reserved map[uint64]market.Amount // by session
	Charged  map[uint64]market.Amount // by session: what left its reservations for others
	Earned   map[common.Address]market.Amount
	Fees     market.Amount
	Margin   market.Amount
}

// Sum adds up a journal in its order. An account below zero, or an entry
// between accounts that no rule connects, is an error.
func Sum(journal iter.Seq2[Entry, error]) (*Balances, error) {
	b := &Balances{Reserved: map[uint64]market.Amount{}, Charged: map[uint64]market.Amount{}, Earned: map[common.Address]market.Amount{}}
	for e, err := range journal {
		if err != nil {
			return nil, err
		}
		if err := b.add(e); err != nil {
			return nil, fmt.Errorf("journal: session %d, job %s, %s to %s: %w", e.Session, e.Job, e.From, e.To, err)
		}
	}
	return b, nil
}

func (b *Balances) add(e Entry) (err error) {
	if e.From == accAvailable && e.To == accReserved {
		b.Reserved[e.Session], err = b.Reserved[e.Session].Add(e.Amount)
		return err
	}
	if e.From != accReserved {
		return fmt.Errorf("no rule moves money so")
	}
	if b.Reserved[e.Session], err = b.Reserved[e.Session].Sub(e.Amount); err != nil || e.To == accAvailable {
		return err
	}
	if b.Charged[e.Session], err = b.Charged[e.Session].Add(e.Amount); err != nil {
		return err
	}
	switch m, isMiner := strings.CutPrefix(e.To, accMiner); {
	case isMiner:
		a := common.HexToAddress(m)
		b.Earned[a], err = b.Earned[a].Add(e.Amount)
	case e.To == accFees:
		b.Fees, err = b.Fees.Add(e.Amount)
	case e.To == accMargin:
		b.Margin, err = b.Margin.Add(e.Amount)
	default:
		err = fmt.Errorf("no rule moves money so")
	}
	return err
}

// A Difference is an amount that two books have differently. It is found to a
// single unit.
type Difference struct {
	Subject string        `json:"subject"` // as "session 7" or "miner 0x…"
	What    string        `json:"what"`    // the quantity that differs
	Where   string        `json:"where"`   // the two books, as "ledger and chain"
	Want    market.Amount `json:"want"`    // by the first of them
	Have    market.Amount `json:"have"`    // by the second
	By      market.Amount `json:"by"`      // how much they differ
}

// Compare returns how want and have differ, or nothing.
func Compare(subject, what, where string, want, have market.Amount) []Difference {
	by, err := want.Sub(have)
	if err != nil {
		by, err = have.Sub(want)
	}
	if err != nil || by.IsZero() {
		return nil
	}
	return []Difference{{Subject: subject, What: what, Where: where, Want: want, Have: have, By: by}}
}

// Books is a consistent view of everything that the ledger has of money.
type Books struct {
	Sessions []Session
	Miners   []Miner
	Open     []*Batch // batches that are not known to be in a block
}

// Sums are what a session's jobs add up to.
type Sums struct {
	Reserved market.Amount // most that open jobs may cost
	Charged  market.Amount // price of jobs that are charged and not known to be paid
	Settled  market.Amount // price of jobs that the chain has paid
}

// Add counts a job of a payment state.
func (s *Sums) Add(p market.PaymentState, maxPrice, price market.Amount) (err error) {
	switch p {
	case market.Reserved:
		s.Reserved, err = s.Reserved.Add(maxPrice)
	case market.Charged:
		s.Charged, err = s.Charged.Add(price)
	case market.Settled:
		s.Settled, err = s.Settled.Add(price)
	case market.Refunded:
	}
	return err
}

// An Audit is the books with what stands behind them.
type Audit struct {
	Books
	Journal *Balances
	Jobs    map[uint64]Sums               // by session
	Keys    []KeyRow                      // that have a budget
	KeyJobs map[common.Hash]market.Amount // what jobs of such a key cost, or may cost at most
}

// AddKeyJob counts a job of a key with a budget.
func (a *Audit) AddKeyJob(key common.Hash, p market.PaymentState, maxPrice, price market.Amount) (err error) {
	switch p {
	case market.Reserved:
		a.KeyJobs[key], err = a.KeyJobs[key].Add(maxPrice)
	case market.Charged, market.Settled:
		a.KeyJobs[key], err = a.KeyJobs[key].Add(price)
	case market.Refunded:
	}
	return err
}

// Check compares the books with themselves: accounts, jobs and journal must say
// the same.
func (a *Audit) Check() []Difference {
	var out []Difference
	for _, x := range a.Sessions {
		who := fmt.Sprintf("session %d", x.ID)
		j := a.Jobs[x.ID]
		spent, err := j.Charged.Add(j.Settled)
		if err != nil {
			spent = market.MaxAmount()
		}
		out = slices.Concat(out,
			Compare(who, "reserved", "account and journal", x.Account.Reserved, a.Journal.Reserved[x.ID]),
			Compare(who, "charged", "account and journal", x.Account.Charged, a.Journal.Charged[x.ID]),
			Compare(who, "reserved", "account and jobs", x.Account.Reserved, j.Reserved),
			Compare(who, "charged", "account and jobs", x.Account.Charged, spent),
			Compare(who, "settled", "account and jobs", x.Settled, j.Settled))
	}
	for _, m := range a.Miners {
		out = append(out, Compare("miner "+m.Address.Hex(), "earned", "account and journal", m.Total, a.Journal.Earned[m.Address])...)
	}
	for _, k := range a.Keys {
		out = append(out, Compare("key "+k.Hash.Hex(), "spent", "budget and jobs", k.Spent.Total, a.KeyJobs[k.Hash])...)
	}
	return out
}
