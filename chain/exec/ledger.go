package exec

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
)

// ledger remembers the balance that every account had before the block first changed it, so that the block's whole
// effect on the supply is known, whatever happened in between.
type ledger struct{ before map[common.Address]*big.Int }

func newLedger() *ledger { return &ledger{before: map[common.Address]*big.Int{}} }

func (l *ledger) hooks() *tracing.Hooks {
	return &tracing.Hooks{OnBalanceChange: func(a common.Address, before, _ *big.Int, _ tracing.BalanceChangeReason) {
		if _, ok := l.before[a]; !ok {
			l.before[a] = before
		}
	}}
}

// vanished is what the block took from all balances together, besides what it issued. Base fees are part of it, and
// coins that a contract destroyed with itself; less than the base fees would be money from nowhere, which is an error.
func (l *ledger) vanished(sdb *state.StateDB, fees, issued *big.Int) (*big.Int, error) {
	sum := new(big.Int).Set(issued)
	for a, before := range l.before {
		sum.Add(sum, before).Sub(sum, sdb.GetBalance(a).ToBig())
	}
	if sum.Cmp(fees) < 0 {
		return nil, fmt.Errorf("balances fell by %v, base fees alone are %v: money was made", sum, fees)
	}
	return sum, nil
}
