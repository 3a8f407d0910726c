package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/httpapi"
	"github.com/aitbc/aitbc/coordinator/onchain"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/lifecycle"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// stopGrace is how long a part may take to stop.
const stopGrace = 10 * time.Second

// chainWait is how long a coordinator waits for its node to answer at start.
const chainWait = 60 * time.Second

// Run serves until ctx is done. key is the coordinator's account; it signs
// transactions and countersignatures, and the sessions' spender keys are derived
// from it.
func Run(ctx context.Context, cfg Config, key *keystore.Key, version string, log *slog.Logger) (err error) {
	if key.Address() != cfg.Account {
		return fmt.Errorf("the key is of %s, the account is %s", key.Address(), cfg.Account)
	}
	client, err := chainclient.New(cfg.EthRPCURL)
	if err != nil {
		return err
	}
	comet, err := chainclient.NewComet(cfg.RPCURL)
	if err != nil {
		return err
	}
	chainID, err := waitForChain(ctx, client, log)
	if err != nil {
		return err
	}
	store, err := OpenStore(ctx, cfg.DatabaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	chain := onchain.New(client, comet, key)
	register := func() error { return chain.Join(ctx, cfg.Endpoint, cfg.Bond) }
	replicas, shared := store.(replicated)
	if shared { // of several that start at once, one registers
		err = replicas.Exclusively(ctx, "register", register)
	} else {
		err = register()
	}
	if err != nil {
		return fmt.Errorf("register coordinator %s on the chain: %w", cfg.Account, err)
	}
	if err := bindStore(ctx, store, chainID, cfg); err != nil {
		return err
	}
	settings := coordinator.Config{
		Domain: receipt.Domain{ChainID: chainID, Market: contracts.MarketAddress}, Registry: contracts.RegistryAddress,
		Account: cfg.Account, Signer: key, Spender: spender(key), Store: store, Chain: chain, Log: log, Version: version,
		MarginBps: uint16(cfg.MarginBps), MinerLimit: cfg.MinerLimit, SettleEvery: cfg.SettleEvery, VoucherWait: cfg.VoucherWait,
		Tracer: cfg.Tracer, Translate: httpapi.Translate, KeepContent: cfg.KeepContent, LoginDomains: cfg.LoginDomains, Admins: cfg.Admins, AddressRate: cfg.AddressRate,
	}
	if shared {
		settings.Cluster = replicas
	}
	svc, err := coordinator.New(settings)
	if err != nil {
		return err
	}
	ln, err := httpx.Listen(ctx, cfg.Addr(), true)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "coordinator serves", "addr", cfg.Addr(), "account", cfg.Account, "chain", chainID)
	return lifecycle.Run(ctx, stopGrace,
		lifecycle.Part{Name: "traces", Run: func(ctx context.Context, ready func()) error {
			ready()
			return cfg.Tracer.Run(ctx, func(err error) { log.WarnContext(ctx, "spans were not taken", "err", err) })
		}},
		lifecycle.Part{Name: "ledger", Run: func(ctx context.Context, ready func()) error {
			ready()
			if w, ok := store.(watched); ok {
				return w.Watch(ctx)
			}
			<-ctx.Done()
			return nil
		}},
		lifecycle.Part{Name: "coordinator", Run: svc.Run},
		lifecycle.Part{Name: "http", Run: func(ctx context.Context, ready func()) error {
			ready()
			return httpx.Serve(ctx, ln, httpapi.New(ctx, svc))
		}},
	)
}

// replicated is a store that several coordinators may share.
type replicated interface {
	coordinator.Cluster
	// Exclusively runs fn while no other process does something of that name.
	Exclusively(ctx context.Context, name string, fn func() error) error
}

// watched is a store that may become unable to write: the process then ends, and
// the next one reads what is on the disk.
type watched interface {
	Watch(ctx context.Context) error
}

// spender derives the key of a session from the coordinator's.
func spender(key *keystore.Key) func(uint64) (receipt.Signer, error) {
	return func(n uint64) (receipt.Signer, error) { return key.Derive(fmt.Sprintf("aitbc/spender/%d", n)) }
}

// waitForChain returns the chain's id once the node answers.
func waitForChain(ctx context.Context, c *chainclient.Client, log *slog.Logger) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, chainWait)
	defer cancel()
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for said := false; ; {
		id, err := c.ChainID(ctx)
		if err == nil {
			return id, nil
		}
		if !said {
			log.InfoContext(ctx, "waiting for the node", "err", err)
			said = true
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("the node does not answer: %w", err)
		}
	}
}

// bindStore refuses a database that was made for another chain or account: its
// sessions would be of another network.
func bindStore(ctx context.Context, s coordinator.Store, chainID uint64, cfg Config) error {
	const key = "network"
	want := fmt.Sprintf("%d/%s", chainID, cfg.Account)
	have, err := s.Meta(ctx, key)
	if err != nil {
		return err
	}
	if have == "" {
		return s.PutMeta(ctx, key, want)
	}
	if have != want {
		return fmt.Errorf("the database is of chain and account %s, not %s: use another database_url", have, want)
	}
	return nil
}
