package predeploy

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// Faucet gives coins away, on test networks only.
type Faucet struct{ contract }

// NewFaucet returns the Faucet of the chain that c is a client of, which may
// have none.
func NewFaucet(c *chainclient.Client) *Faucet {
	return &Faucet{contract{client: c, address: contracts.FaucetAddress, abi: faucetABI()}}
}

// Available returns what the Faucet still gives in this hour, if it has so much.
// It returns [ErrNotDeployed], wrapped, where there is none.
func (f *Faucet) Available(ctx context.Context, at chainclient.Block) (market.Amount, error) {
	return f.readAmount(ctx, at, "available")
}

// Drip has the Faucet give its portion to an account, whoever sends it, and
// returns how much that was.
func (f *Faucet) Drip(ctx context.Context, by *chainclient.Sender, to common.Address) (market.Amount, *types.Receipt, error) {
	r, err := f.send(ctx, by, market.Amount{}, "drip", to)
	return f.amountOf(r, err, "Dripped")
}

// Treasury holds the protocol's own coins.
type Treasury struct{ contract }

// NewTreasury returns the Treasury of the chain that c is a client of.
func NewTreasury(c *chainclient.Client) *Treasury {
	return &Treasury{contract{client: c, address: contracts.TreasuryAddress, abi: treasuryABI()}}
}

// Holds returns what governance can spend.
func (t *Treasury) Holds(ctx context.Context, at chainclient.Block) (market.Amount, error) {
	return t.readAmount(ctx, at, "owed")
}
