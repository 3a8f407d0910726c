package miner

import (
	"fmt"

	"github.com/aitbc/aitbc/market"
)

// account is what a coordinator owes this miner, and what it must have set
// aside for it. The zero value knows nothing and allows no work.
type account struct {
	total    market.Amount // owed or paid, the most that anyone said
	credited market.Amount // paid by the chain
	limit    market.Amount
	known    bool   // credited and limit are
	distrust string // why no more work is taken, "" if it is
	drained  bool   // the same, by its owner
}

// owed notes a coordinator's word on its debt. It never goes down.
func (a *account) owed(total market.Amount) {
	if total.Cmp(a.total) > 0 {
		a.total = total
	}
}

func (a *account) standing(s Standing) {
	a.credited, a.limit, a.known = s.Credited, s.Limit, true
}

// obstacle returns why no job may be taken, or "".
func (a *account) obstacle() string {
	if a.distrust != "" {
		return a.distrust
	}
	if a.drained {
		return "drained by its owner: aitbc-miner drain --off has it take jobs again"
	}
	if !a.known {
		return "waiting to learn what the coordinator has set aside"
	}
	open, err := a.total.Sub(a.credited)
	if err != nil {
		open = market.Amount{} // paid for more than we know of
	}
	if open.Cmp(a.limit) >= 0 {
		return fmt.Sprintf("the coordinator owes %s and has %s of its bond set aside: no work until it pays", open.Coins(), a.limit.Coins())
	}
	return ""
}
