package predeploy

import (
	"context"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
)

// Plan is an upgrade of the node's program. A plan of height 0 is none.
type Plan struct {
	Name   string
	Height uint64 // the first block that the new program runs
	Info   string
}

// Upgrades holds the plan by which the node's program changes.
type Upgrades struct{ contract }

// NewUpgrades returns Upgrades of the chain that c is a client of.
func NewUpgrades(c *chainclient.Client) *Upgrades {
	return &Upgrades{contract{client: c, address: contracts.UpgradesAddress, abi: upgradesABI()}}
}

// Plan returns the newest plan, which may be past.
func (u *Upgrades) Plan(ctx context.Context, at chainclient.Block) (Plan, error) {
	var p Plan
	err := u.readTuple(ctx, at, &p, "plan")
	return p, err
}
