package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/onchain"
	"github.com/aitbc/aitbc/coordinator/sqlite"
)

// checkPause gives a running coordinator time to learn what is new on the chain.
const checkPause = 1500 * time.Millisecond

// Check compares a ledger with itself and with the chain. The coordinator may
// run meanwhile. It needs no key.
func Check(ctx context.Context, cfg Config) (out *coordinator.Reconciliation, err error) {
	client, err := chainclient.New(cfg.EthRPCURL)
	if err != nil {
		return nil, err
	}
	chainID, err := client.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, cfg.DatabaseURL, sqlite.Options{Beside: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := bindStore(ctx, store, chainID, cfg); err != nil {
		return nil, err
	}
	r := coordinator.Reconciler{Store: store, Chain: onchain.Reader(client, cfg.Account), Pause: checkPause}
	return r.Audit(ctx)
}
