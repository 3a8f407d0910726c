package abci

import (
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/aitbc/aitbc/chain/upgrade"
	"github.com/aitbc/aitbc/chain/valset"
)

// lookAhead reads the upgrade plan after a block. A contract that does not answer plans nothing, and is told of.
func (a *App) lookAhead() {
	if a.cfg.Genesis.Upgrades == nil || a.halt != nil {
		return
	}
	height := a.cfg.Chain.Head().Number.Uint64() + 1
	plan, err := a.exec.Plan(*a.cfg.Genesis.Upgrades)
	if err != nil {
		a.cfg.Log.Error("no upgrade plan can be read", "height", height, "err", err)
		return
	}
	if plan != a.plan {
		a.plan = plan
		if plan.Height >= height {
			a.cfg.Log.Warn("an upgrade is planned", "name", plan.Name, "height", plan.Height, "info", plan.Info,
				"known_here", upgrade.Check(plan, plan.Height) == nil)
		}
	}
	if a.halt = upgrade.Check(plan, height); a.halt != nil {
		close(a.needed)
	}
}

// halted waits, once the program must not run another block, until the node stops; the error says why.
func (a *App) halted() error {
	if a.halt == nil {
		return nil
	}
	<-a.stop
	return a.halt
}

// Needed is closed when the next block belongs to another program; Halt then says which.
func (a *App) Needed() <-chan struct{} { return a.needed }

// Halt is why no more block is run. It may be called after Needed was closed.
func (a *App) Halt() error { return a.halt }

// sameSet checks that CometBFT begins with the set that the state holds, if it holds one.
func sameSet(set []valset.Validator, told []abci.ValidatorUpdate) error {
	if len(set) == 0 {
		return nil
	}
	have := make([]valset.Validator, len(told))
	for i, v := range told {
		var err error
		if have[i], err = valset.FromCompressed(v.PubKey.GetSecp256K1Eth(), uint64(v.Power)); err != nil { //nolint:gosec // not negative
			return fmt.Errorf("validator %d of the genesis: %w", i, err)
		}
	}
	if d := valset.Diff(set, have); len(d) > 0 {
		return fmt.Errorf("validator %v of the state is not the genesis file's", d[0].Address())
	}
	return nil
}
