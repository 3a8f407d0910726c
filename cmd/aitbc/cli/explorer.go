package cli

import (
	"context"
	"flag"

	"github.com/aitbc/aitbc/explorer/daemon"
)

func explorerCommand() command {
	return command{
		name: "explorer", short: "serve the block explorer",
		long: `Indexes the chain of a node into one file, or into PostgreSQL, and shows it at
http://127.0.0.1:3000. The index can be deleted: it is made again from any node
that keeps all blocks. Give a URL with a password in AITBC_EXPLORER_INDEX.
Settings come from HOME/explorer/config.toml, the environment
(AITBC_EXPLORER_HOST, AITBC_EXPLORER_PORT, AITBC_RPC_URL, AITBC_ETH_RPC_URL,
AITBC_API_URL, AITBC_SOLC, LOG_LEVEL) and flags, the later over the earlier.`,
		setup: func(fs *flag.FlagSet) runner {
			fs.String("host", "", "`address` to listen on (default 127.0.0.1)")
			fs.Int("port", 0, "`port` to listen on (default 3000)")
			fs.String("index", "", "`file` of the index, or a postgres:// URL (default HOME/explorer/index.db)")
			fs.String("rpc-url", "", "`URL` of the node's RPC")
			fs.String("eth-rpc-url", "", "`URL` of the node's Ethereum JSON-RPC")
			fs.String("coordinator-url", "", "`URL` of the coordinator, which knows its miners")
			fs.String("solc", "", "Solidity compiler, or `folder` of several (solc-v0.8.30, ...), to verify contracts with; you install it")
			fs.String("log-level", "", "debug, info, warn or error")
			return func(ctx context.Context, c *call) error { return c.explorer(ctx, fs) }
		},
	}
}

func (c *call) explorer(ctx context.Context, fs *flag.FlagSet) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	cfg := daemon.Default(n.Home, n.PortOffset)
	if err := c.settings(&cfg, n.Home.Explorer(), fs); err != nil {
		return err
	}
	log, err := c.log(cfg.LogLevel)
	if err != nil {
		return err
	}
	return daemon.Run(ctx, cfg, buildVersion(), log)
}
