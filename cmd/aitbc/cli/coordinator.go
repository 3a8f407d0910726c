package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/aitbc/aitbc/config"
	"github.com/aitbc/aitbc/coordinator/daemon"
	"github.com/aitbc/aitbc/wallet/keystore"
)

func coordinatorCommand() command {
	return command{
		name: "coordinator", short: "serve the job API, and settle with the chain",
		long: `Settings come from HOME/coordinator/config.toml, the environment (DATABASE_URL,
API_HOST, API_PORT, AITBC_RPC_URL, AITBC_ETH_RPC_URL, LOG_LEVEL) and flags, the
later over the earlier. The account's key is in HOME/keystore; its passphrase is
read from the file that AITBC_PASSPHRASE_FILE names, or asked for.`,
		setup: func(fs *flag.FlagSet) runner {
			fs.String("account", "", "the coordinator's `address`; its key is in HOME/keystore")
			fs.String("database-url", "", "where the ledger is: `URL` as sqlite:///PATH or postgres://USER@HOST/DATABASE")
			fs.String("api-host", "", "`address` to listen on (default 127.0.0.1)")
			fs.Int("api-port", 0, "`port` to listen on (default 18000)")
			fs.String("rpc-url", "", "`URL` of the node's RPC")
			fs.String("eth-rpc-url", "", "`URL` of the node's Ethereum JSON-RPC")
			fs.String("endpoint", "", "public `URL`, written into the registry")
			fs.String("log-level", "", "debug, info, warn or error")
			fs.String("bond", "", "base units to lock when registering")
			fs.String("miner-limit", "", "base units of the bond to reserve for each miner")
			fs.Int("margin-bps", 0, "margin in basis points of a job's price")
			fs.Duration("settle-every", 0, "time between settlements")
			return func(ctx context.Context, c *call) error { return c.coordinator(ctx, fs) }
		},
	}
}

func (c *call) coordinator(ctx context.Context, fs *flag.FlagSet) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	cfg := daemon.Default(n.Home, n.PortOffset)
	src := config.Source{File: filepath.Join(n.Home.Coordinator(), "config.toml"), Optional: true, Env: c.Getenv, Flags: fs}
	if err := config.Load(&cfg, src); err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return fmt.Errorf("log_level is %q: use debug, info, warn or error", cfg.LogLevel)
	}
	log := slog.New(slog.NewTextHandler(c.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	store, err := keystore.Open(n.Home.Keystore(), keystore.Standard())
	if err != nil {
		return err
	}
	pass, err := keystore.Passphrase(keystore.PassphraseSource{Env: c.Getenv, In: os.Stdin, Out: c.Stderr})
	if err != nil {
		return err
	}
	key, err := store.Unlock(cfg.Account, pass)
	if err != nil {
		return err
	}
	return daemon.Run(ctx, cfg, key, buildVersion(), log)
}
