package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/daemon"
	"github.com/aitbc/aitbc/trace"
	"github.com/aitbc/aitbc/wallet/keystore"
)

func coordinatorCommand() command {
	return command{
		name: "coordinator", subs: []command{coordinatorCheckCommand(), coordinatorAdminCommand()}, short: "serve the job API, and settle with the chain",
		long: `Settings come from HOME/coordinator/config.toml, the environment (DATABASE_URL,
API_HOST, API_PORT, AITBC_RPC_URL, AITBC_ETH_RPC_URL, LOG_LEVEL) and flags, the
later over the earlier. The account's key is in HOME/keystore; its passphrase is
read from the file that AITBC_PASSPHRASE_FILE names, or asked for.`,
		setup: func(fs *flag.FlagSet) runner {
			ledgerFlags(fs)
			fs.String("api-host", "", "`address` to listen on (default 127.0.0.1)")
			fs.Int("api-port", 0, "`port` to listen on (default 18000)")
			fs.String("rpc-url", "", "`URL` of the node's RPC")
			fs.String("endpoint", "", "public `URL`, written into the registry")
			fs.String("log-level", "", "debug, info, warn or error")
			fs.String("bond", "", "base units to lock when registering")
			fs.String("miner-limit", "", "base units of the bond to reserve for each miner")
			fs.Int("margin-bps", 0, "margin in basis points of a job's price")
			fs.Duration("settle-every", 0, "time between settlements")
			fs.Duration("keep-content", 0, "how `long` prompts, answers and files are kept (default 30 days)")
			fs.String("login-domains", "", "`hosts` that wallets may sign in to, with commas between (default this machine)")
			fs.String("admins", "", "`addresses` that may make admin keys, beside the account")
			fs.Uint("address-rate", 0, "requests a minute that one address may send without a key (default 60)")
			return func(ctx context.Context, c *call) error { return c.coordinator(ctx, fs) }
		},
	}
}

// ledgerFlags declares the flags that say which ledger and which chain.
func ledgerFlags(fs *flag.FlagSet) {
	fs.String("account", "", "the coordinator's `address`; its key is in HOME/keystore")
	fs.String("database-url", "", "where the ledger is: `URL` as sqlite:///PATH or postgres://USER@HOST/DATABASE")
	fs.String("eth-rpc-url", "", "`URL` of the node's Ethereum JSON-RPC")
}

func (c *call) coordinatorSettings(fs *flag.FlagSet) (devnet.Network, daemon.Config, error) {
	n, err := c.network()
	if err != nil {
		return n, daemon.Config{}, err
	}
	cfg := daemon.Default(n.Home, n.PortOffset)
	cfg.Account = n.Coordinator // of a devnet; the zero address elsewhere
	return n, cfg, c.settings(&cfg, n.Home.Coordinator(), fs)
}

func coordinatorCheckCommand() command {
	return command{
		name: "check", short: "compare the coordinator's ledger with itself and with the chain, to the unit",
		long: `The settings are those of aitbc coordinator, which may run meanwhile. Exit status 1
if a single unit differs.`,
		setup: func(fs *flag.FlagSet) runner {
			ledgerFlags(fs)
			return func(ctx context.Context, c *call) error { return c.coordinatorCheck(ctx, fs) }
		},
	}
}

// errBooks reports that ledger and chain differ.
var errBooks = errors.New("the books do not agree")

func (c *call) coordinatorCheck(ctx context.Context, fs *flag.FlagSet) error {
	_, cfg, err := c.coordinatorSettings(fs)
	if err != nil {
		return err
	}
	out, err := daemon.Check(ctx, cfg)
	if err != nil {
		return err
	}
	return c.printReconciliation(out)
}

func (c *call) printReconciliation(out *coordinator.Reconciliation) error {
	if c.json {
		if err := c.printJSON(out); err != nil {
			return err
		}
	} else {
		t := newTable(c.Stdout)
		for _, d := range out.Differences {
			t.row(d.Subject, d.What, d.Where, d.Want.String(), d.Have.String(), "differ by "+d.By.String())
		}
		if err := t.flush(); err != nil {
			return err
		}
		if out.OK {
			fmt.Fprintf(c.Stdout, "%d sessions and %d miners agree, in the ledger and with the chain at block %d, to the unit.\n", out.Sessions, out.Miners, out.Block)
		}
		if out.Records > 0 {
			fmt.Fprintf(c.Stdout, "The audit log's %d records are a whole chain.\n", out.Records)
		}
		if !out.Lost.IsZero() {
			fmt.Fprintf(c.Stdout, "%s were charged to sessions that ended before the chain paid.\n", out.Lost.Coins())
		}
	}
	if !out.OK {
		return fmt.Errorf("%w: %d differences", errBooks, len(out.Differences))
	}
	return nil
}

func (c *call) coordinator(ctx context.Context, fs *flag.FlagSet) error {
	n, cfg, err := c.coordinatorSettings(fs)
	if err != nil {
		return err
	}
	log, err := c.log(cfg.LogLevel)
	if err != nil {
		return err
	}
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
	if cfg.Tracer, err = trace.FromEnv(c.Getenv, "aitbc-coordinator", buildVersion()); err != nil {
		return err
	}
	return daemon.Run(ctx, cfg, key, buildVersion(), log)
}
