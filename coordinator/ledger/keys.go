package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// ErrUsed says that something that counts once was used before.
var ErrUsed = errors.New("used before")

// Scopes of API keys.
const (
	ScopeClient = "client" // orders jobs, and reads
	ScopeRead   = "read"   // reads what the account's session has
	ScopeMiner  = "miner"
	ScopeAdmin  = "admin"
	// ScopeLogin is a wallet's: for a short time it makes, lists and revokes the account's keys.
	ScopeLogin = "login"
)

// Key is what an API key opens. It never changes: whoever wants another budget makes another key.
type Key struct {
	Scope   string
	Account common.Address
	Session uint64 // 0 for none
	Name    string // as its owner calls it
	Made    bool   // by another key and not by a wallet's signature: it manages no keys
	Expires int64  // milliseconds since 1970, 0 for never
	Rate    uint32 // requests a minute, 0 for the service's own limit
	Budget  Budget
}

// Budget is the most that a key's jobs may cost, in all and in a UTC day or month. Zero is no limit.
type Budget struct{ Total, Day, Month market.Amount }

// Limits reports whether there is any limit.
func (b Budget) Limits() bool { return b != Budget{} }

// KeyRow is a key as it is listed: nobody has the key itself.
type KeyRow struct {
	Hash common.Hash
	Key
	Created int64 // milliseconds since 1970
	Spent   Spent
}

// KeyQuery chooses keys.
type KeyQuery struct {
	Account common.Address // zero for all
	Miners  bool           // with those of miners
	Limit   int
}

// Spent is what the jobs of a key with a budget cost, and those that are open may cost at most. A job counts in the
// window in which it was ordered.
type Spent struct {
	Total market.Amount
	Day   Window
	Month Window
}

// Window is an amount within a numbered stretch of time.
type Window struct {
	N      int64
	Amount market.Amount
}

// BudgetError says which limit of a key a job would exceed.
type BudgetError struct {
	What         string // total, day or month
	Limit, Spent market.Amount
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("the key's %s budget is %s, of which %s is spent or reserved", e.What, e.Limit.Coins(), e.Spent.Coins())
}

// windows are the numbers of a moment's day and month.
func windows(at int64) (day, month int64) {
	t := time.UnixMilli(at).UTC()
	return at / (24 * time.Hour).Milliseconds(), int64(t.Year())*12 + int64(t.Month())
}

// Hold counts a new job's highest price. It returns a [*BudgetError] if that is more than is left.
func (b Budget) Hold(s Spent, at int64, most market.Amount) (Spent, error) {
	day, month := windows(at)
	old := s
	add := func(what string, v *market.Amount, limit market.Amount) error {
		sum, err := v.Add(most)
		if err != nil {
			return err
		}
		if !limit.IsZero() && sum.Cmp(limit) > 0 {
			return &BudgetError{what, limit, *v}
		}
		*v = sum
		return nil
	}
	// A clock that is behind counts in the newest window: that is the safe side.
	if day > s.Day.N {
		s.Day = Window{N: day}
	}
	if month > s.Month.N {
		s.Month = Window{N: month}
	}
	if err := add("total", &s.Total, b.Total); err != nil {
		return old, err
	}
	if err := add("day", &s.Day.Amount, b.Day); err != nil {
		return old, err
	}
	if err := add("month", &s.Month.Amount, b.Month); err != nil {
		return old, err
	}
	return s, nil
}

// Give takes back what a job that was ordered at a time did not cost.
func (s Spent) Give(at int64, back market.Amount) (Spent, error) {
	day, month := windows(at)
	old := s
	var err error
	if s.Total, err = s.Total.Sub(back); err != nil {
		return old, fmt.Errorf("spent in all: %w", err)
	}
	for _, w := range []struct {
		window *Window
		n      int64
	}{{&s.Day, day}, {&s.Month, month}} {
		if w.window.N != w.n {
			continue // that window is over
		}
		if w.window.Amount, err = w.window.Amount.Sub(back); err != nil {
			return old, fmt.Errorf("spent in a window: %w", err)
		}
	}
	return s, nil
}

// Left is what a finished job gives back to its key's budget.
func (j *Job) Left() (market.Amount, error) {
	if j.Payment == market.Refunded {
		return j.MaxPrice, nil
	}
	return j.MaxPrice.Sub(j.Price)
}
