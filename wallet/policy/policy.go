// Package policy decides what a wallet may sign: limits for a transaction and a
// day, an allow-list whose entries wait before they count, a second factor above
// an amount. It is pure: states in, states out, no clock and no disk.
package policy

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Policy is what the owner of a wallet has set. The zero value allows whatever
// can be shown.
type Policy struct {
	PerTransaction    *market.Amount `json:"per_transaction,omitempty"`     // most that one signature may be worth
	PerDay            *market.Amount `json:"per_day,omitempty"`             // most in a UTC day
	SecondFactorAbove *market.Amount `json:"second_factor_above,omitempty"` // signatures worth more need a code
	AllowOnly         bool           `json:"allow_only,omitempty"`          // sign for these receivers alone
	Allow             []Receiver     `json:"allow,omitempty"`
	DelaySeconds      int64          `json:"delay_seconds,omitempty"` // before a change that loosens takes effect
	BlindCalls        bool           `json:"blind_calls,omitempty"`   // sign calls that cannot be decoded
}

// Receiver is an account that a wallet may pay or call.
type Receiver struct {
	Address common.Address `json:"address"`
	Name    string         `json:"name,omitempty"`
}

const (
	maxReceivers = 1000
	maxDelay     = 90 * 24 * 3600
)

// Check returns an error unless p can be set.
func (p *Policy) Check() error {
	if len(p.Allow) > maxReceivers {
		return fmt.Errorf("the allow-list has more than %d entries", maxReceivers)
	}
	if p.DelaySeconds < 0 || p.DelaySeconds > maxDelay {
		return fmt.Errorf("delay_seconds is %d: use 0 to %d", p.DelaySeconds, maxDelay)
	}
	seen := map[common.Address]bool{}
	for _, r := range p.Allow {
		if seen[r.Address] || len(r.Name) > 64 {
			return fmt.Errorf("the allow-list has %s twice, or with a long name", r.Address)
		}
		seen[r.Address] = true
	}
	return nil
}

// loosens reports whether next allows anything that p does not.
func (p *Policy) loosens(next *Policy) bool {
	wider := func(old, now *market.Amount) bool {
		return old != nil && (now == nil || now.Cmp(*old) > 0)
	}
	newReceiver := slices.ContainsFunc(next.Allow, func(r Receiver) bool { return !p.lists(r.Address) })
	// What an allow-list trusts may cost what no limit counts.
	newTrust := next.AllowOnly && !p.AllowOnly && len(next.Allow) > 0 && (p.PerTransaction != nil || p.PerDay != nil)
	return newTrust || wider(p.PerTransaction, next.PerTransaction) || wider(p.PerDay, next.PerDay) || wider(p.SecondFactorAbove, next.SecondFactorAbove) ||
		p.AllowOnly && (!next.AllowOnly || newReceiver) || next.DelaySeconds < p.DelaySeconds || next.BlindCalls && !p.BlindCalls
}

func (p *Policy) lists(a common.Address) bool {
	return slices.ContainsFunc(p.Allow, func(r Receiver) bool { return r.Address == a })
}

// State is a policy with what it has to remember. The zero value is that of a
// new wallet. Methods change a copy.
type State struct {
	Policy   Policy                   `json:"policy"`
	Next     *Policy                  `json:"next,omitempty"`    // takes effect at NextAt
	NextAt   int64                    `json:"next_at,omitempty"` // seconds since 1970
	Day      int64                    `json:"day,omitempty"`     // days since 1970
	Spent    market.Amount            `json:"spent"`             // on Day
	Chain    uint64                   `json:"chain,omitempty"`   // of Vouchers
	Vouchers map[uint64]market.Amount `json:"vouchers,omitempty"`
}

const day = 24 * 60 * 60

// At returns the state at a moment: what was to take effect has, and on a new
// day nothing is spent yet.
func (s State) At(now time.Time) State {
	if s.Next != nil && now.Unix() >= s.NextAt {
		s.Policy, s.Next, s.NextAt = *s.Next, nil, 0
	}
	if today := now.Unix() / day; today > s.Day {
		s.Day, s.Spent = today, market.Amount{}
	}
	return s
}

// Set returns the state with another policy: at once if it loosens nothing, else
// after the delay of the one that holds.
func (s State) Set(p Policy, now time.Time) (State, error) {
	if err := p.Check(); err != nil {
		return s, err
	}
	s = s.At(now)
	if s.Policy.DelaySeconds > 0 && s.Policy.loosens(&p) {
		s.Next, s.NextAt = &p, now.Unix()+s.Policy.DelaySeconds
		return s, nil
	}
	s.Policy, s.Next, s.NextAt = p, nil, 0
	return s, nil
}

// Action is what is to be signed, as far as a policy is concerned.
type Action struct {
	Worth   market.Amount    // the most that it can cost
	Parties []common.Address // who gets or may take something, and which contracts are called
	Opaque  bool             // a call that cannot be decoded
	Unknown bool             // it may move what Worth does not count
	Factor  bool             // the second factor was shown
	Voucher *Voucher         // adds to Worth what it allows beyond the one before
}

// Voucher is a claim on a session that replaces those before.
type Voucher struct {
	Chain      uint64
	Session    uint64
	Cumulative market.Amount
}

// Reason is why a policy refuses.
type Reason int

// The reasons.
const (
	Denied       Reason = iota // by the allow-list, or because nobody can tell what it does
	OverLimit                  // of a transaction, or of the day
	NeedsFactor                // a code would do
	NotCountable               // the amounts are beyond any limit
)

// Refusal says why a policy does not let something be signed.
type Refusal struct {
	Reason  Reason
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func refuse(why Reason, format string, args ...any) error {
	return &Refusal{why, fmt.Sprintf(format, args...)}
}

// Allow returns the state after a signature, or a *[Refusal] if there must be
// none. The caller stores the state before it signs.
func (s State) Allow(a Action, now time.Time) (State, error) {
	s = s.At(now)
	p := &s.Policy
	if a.Voucher != nil {
		if s.Chain != a.Voucher.Chain { // forgetting vouchers only makes them count once more
			s.Chain, s.Vouchers = a.Voucher.Chain, nil
		}
		before := s.Vouchers[a.Voucher.Session]
		if more, err := a.Voucher.Cumulative.Sub(before); err == nil {
			if a.Worth, err = a.Worth.Add(more); err != nil {
				return s, refuse(NotCountable, "the amount is too large")
			}
			s.Vouchers = withVoucher(s.Vouchers, *a.Voucher)
		}
	}
	if a.Opaque && !p.BlindCalls {
		return s, refuse(Denied, "what this call does cannot be shown, and blind signing is off: the wallet's policy can allow it with blind_calls")
	}
	if p.AllowOnly {
		for _, party := range a.Parties {
			if !p.lists(party) {
				return s, refuse(Denied, "%s is not on the wallet's allow-list", party)
			}
		}
	}
	limited := p.PerTransaction != nil || p.PerDay != nil || p.AllowOnly
	if a.Unknown && limited {
		trusted := p.AllowOnly && len(a.Parties) > 0 // all of them are listed: that was seen to above
		if !trusted {
			return s, refuse(Denied, "what this could cost is not known, and the wallet has limits: put the contract on an allow-list to sign for it")
		}
	}
	if p.PerTransaction != nil && a.Worth.Cmp(*p.PerTransaction) > 0 {
		return s, refuse(OverLimit, "it can cost %s with its fee, more than the %s of one transaction", a.Worth.Coins(), p.PerTransaction.Coins())
	}
	spent, err := s.Spent.Add(a.Worth)
	if err != nil {
		return s, refuse(NotCountable, "the amount is too large")
	}
	if p.PerDay != nil && spent.Cmp(*p.PerDay) > 0 {
		return s, refuse(OverLimit, "it can cost %s, and of the day's %s already %s are used: the next day begins at 00:00 UTC", a.Worth.Coins(), p.PerDay.Coins(), s.Spent.Coins())
	}
	if p.SecondFactorAbove != nil && !a.Factor && (a.Worth.Cmp(*p.SecondFactorAbove) > 0 || a.Unknown) {
		return s, refuse(NeedsFactor, "above %s the wallet asks for a second factor", p.SecondFactorAbove.Coins())
	}
	s.Spent = spent
	return s, nil
}

// GiveBack returns the state without a worth that was allowed and then surely
// not used, with the vouchers that before, the state then, knew.
func (s State) GiveBack(worth market.Amount, before State, now time.Time) State {
	s = s.At(now)
	s.Chain, s.Vouchers = before.Chain, before.Vouchers
	left, err := s.Spent.Sub(worth)
	if err != nil { // it was of another day
		left = market.Amount{}
	}
	s.Spent = left
	return s
}

// maxVouchers bounds how many sessions are remembered.
const maxVouchers = 1000

func withVoucher(old map[uint64]market.Amount, v Voucher) map[uint64]market.Amount {
	m := make(map[uint64]market.Amount, len(old)+1)
	lowest := v.Session
	for k, x := range old {
		m[k] = x
		lowest = min(lowest, k)
	}
	m[v.Session] = v.Cumulative
	if len(m) > maxVouchers { // the oldest session: forgetting it only makes its vouchers count once more
		delete(m, lowest)
	}
	return m
}

// String names a reason.
func (r Reason) String() string {
	switch r {
	case Denied:
		return "denied"
	case OverLimit:
		return "over limit"
	case NeedsFactor:
		return "needs second factor"
	case NotCountable:
		return "not countable"
	}
	return "reason " + strconv.Itoa(int(r))
}
