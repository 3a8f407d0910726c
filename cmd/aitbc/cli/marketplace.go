package cli

import (
	"context"
	"flag"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/marketplace/daemon"
)

func marketplaceCommand() command {
	return command{
		name: "marketplace", short: "serve the market's page: offers, playground, keys, stake",
		long: `Shows the market of a coordinator at http://127.0.0.1:5173, where a wallet in the
browser pays for jobs. What it saw of prices, speed and presence
it notes in one file, which can be deleted.
Settings come from HOME/marketplace/config.toml, the environment
(AITBC_MARKETPLACE_HOST, AITBC_MARKETPLACE_PORT, AITBC_API_URL,
AITBC_EXPLORER_URL, AITBC_ETH_RPC_URL, AITBC_PUBLIC_API_URL, LOG_LEVEL) and
flags, the later over the earlier.`,
		setup: func(fs *flag.FlagSet) runner {
			fs.String("host", "", "`address` to listen on (default 127.0.0.1)")
			fs.Int("port", 0, "`port` to listen on (default 5173)")
			fs.String("history", "", "`file` of what was seen (default HOME/marketplace/history.db)")
			fs.String("eth-rpc-url", "", "`URL` of the node's Ethereum JSON-RPC")
			fs.String("coordinator-url", "", "`URL` of the coordinator")
			fs.String("explorer-url", "", "`URL` of the explorer")
			fs.String("public-api-url", "", "`URL` by which people's programs reach the coordinator (default the coordinator's)")
			fs.String("allowed-hosts", "", "`names` by which it is asked, beside this machine's, with commas between")
			fs.String("faucet-account", "", "`address` of a key in HOME/keystore that asks a test network's faucet for accounts that are empty")
			fs.String("log-level", "", "debug, info, warn or error")
			return func(ctx context.Context, c *call) error { return c.marketplace(ctx, fs) }
		},
	}
}

func (c *call) marketplace(ctx context.Context, fs *flag.FlagSet) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	cfg := daemon.Default(n.Home, n.PortOffset)
	if err := c.settings(&cfg, n.Home.Marketplace(), fs); err != nil {
		return err
	}
	log, err := c.log(cfg.LogLevel)
	if err != nil {
		return err
	}
	var key chainclient.Signer
	if cfg.FaucetAccount != (common.Address{}) {
		if key, err = c.unlock(cfg.FaucetAccount); err != nil {
			return err
		}
	}
	return daemon.Run(ctx, cfg, key, buildVersion(), log)
}
