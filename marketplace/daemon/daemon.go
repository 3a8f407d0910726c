// Package daemon puts a marketplace together from its settings and runs it.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/lifecycle"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/marketplace/history"
	"github.com/aitbc/aitbc/marketplace/httpapi"
	"github.com/aitbc/aitbc/marketplace/sqlite"
	"github.com/aitbc/aitbc/web"
)

// stopGrace is how long a part may take to stop.
const stopGrace = 10 * time.Second

// FaucetAccountVariable is the environment's name of [Config.FaucetAccount].
const FaucetAccountVariable = "AITBC_MARKETPLACE_FAUCET_ACCOUNT"

// Config is what an operator sets, in HOME/marketplace/config.toml, in the
// environment or by flags.
type Config struct {
	Host        string `toml:"host" env:"AITBC_MARKETPLACE_HOST" flag:"host"`
	Port        int    `toml:"port" env:"AITBC_MARKETPLACE_PORT" flag:"port"`
	History     string `toml:"history" env:"AITBC_MARKETPLACE_HISTORY" flag:"history"` // SQLite file
	EthRPCURL   string `toml:"eth_rpc_url" env:"AITBC_ETH_RPC_URL" flag:"eth-rpc-url"`
	Coordinator string `toml:"coordinator_url" env:"AITBC_API_URL" flag:"coordinator-url"`
	Explorer    string `toml:"explorer_url" env:"AITBC_EXPLORER_URL" flag:"explorer-url"`
	// PublicAPI is the coordinator's address as a person's programs know it: the page's examples name it.
	PublicAPI string `toml:"public_api_url" env:"AITBC_PUBLIC_API_URL" flag:"public-api-url"`
	// AllowedHosts are names by which the marketplace is asked, beside this machine's. Logging in from another one needs
	// the coordinator's login_domains, too.
	AllowedHosts []string `toml:"allowed_hosts" env:"AITBC_MARKETPLACE_ALLOWED_HOSTS" flag:"allowed-hosts"`
	// FaucetAccount pays for the faucet's transactions to accounts that are empty. Its key is in HOME/keystore, and is the
	// marketplace's alone. Test networks only; zero: nobody does.
	FaucetAccount common.Address `toml:"faucet_account" env:"AITBC_MARKETPLACE_FAUCET_ACCOUNT" flag:"faucet-account"`
	LogLevel      string         `toml:"log_level" env:"LOG_LEVEL" flag:"log-level"`
}

// Default returns the settings of a home whose ports are shifted by offset.
func Default(dir home.Dir, offset int) Config {
	local := func(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port+offset) }
	return Config{
		Host: "127.0.0.1", Port: home.PortMarketplace + offset, History: filepath.Join(dir.Marketplace(), "history.db"),
		EthRPCURL: local(home.PortEthRPC), Coordinator: local(home.PortCoordinator), Explorer: local(home.PortExplorer), LogLevel: "info",
	}
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	if c.Port < 1 || c.Port > 65535 {
		return fmt.Errorf("port is %d: use 1 to 65535", c.Port)
	}
	if c.History == "" || strings.ContainsAny(c.History, "?#") {
		return errors.New("history is not the path of a file")
	}
	for i, h := range c.AllowedHosts {
		if h == "" || strings.ContainsAny(h, "/*: ") {
			return fmt.Errorf("allowed_hosts has %q: name hosts without port, such as market.example", h)
		}
		c.AllowedHosts[i] = strings.ToLower(h)
	}
	if c.PublicAPI != "" {
		if u, err := url.Parse(c.PublicAPI); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("public_api_url is %q: want a URL such as https://api.example", c.PublicAPI)
		}
	}
	return nil
}

// Addr is where the marketplace listens.
func (c *Config) Addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// giver asks the faucet with a key.
type giver struct {
	faucet *predeploy.Faucet
	sender *chainclient.Sender
}

// Give implements [httpapi.Giver].
func (g giver) Give(ctx context.Context, to common.Address) (market.Amount, error) {
	amount, _, err := g.faucet.Drip(ctx, g.sender, to)
	return amount, err
}

// Run serves until ctx is done, with the key of the faucet's account if there is
// one. Requests can spend nothing of the server's but fees of the faucet's
// transactions, and it answers only to its names, so it may listen on any address.
func Run(ctx context.Context, cfg Config, key chainclient.Signer, version string, log *slog.Logger) (err error) {
	eth, err := chainclient.New(cfg.EthRPCURL)
	if err != nil {
		return err
	}
	coordinator, err := httpx.NewClient(cfg.Coordinator)
	if err != nil {
		return err
	}
	explorer, err := httpx.NewClient(cfg.Explorer)
	if err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, cfg.History)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ln, err := httpx.Listen(ctx, cfg.Addr(), true)
	if err != nil {
		return err
	}
	streaming, letGo := context.WithCancel(ctx) // those who follow a job: they end before the server does
	defer letGo()
	var gives httpapi.Giver
	if key != nil {
		gives = giver{predeploy.NewFaucet(eth), predeploy.NewSender(eth, key)}
	}
	server := httpapi.New(streaming, httpapi.Config{
		Eth: eth, Coordinator: coordinator, Explorer: explorer, History: store, Page: web.Marketplace(), Hosts: cfg.AllowedHosts,
		APIURL: strings.TrimRight(cmp.Or(cfg.PublicAPI, cfg.Coordinator), "/"), Giver: gives, Version: version,
	})
	watcher := history.Watcher{Coordinator: coordinator, Store: store, Log: log}
	log.InfoContext(ctx, "marketplace serves", "addr", ln.Addr().String(), "history", cfg.History)
	return lifecycle.Run(ctx, stopGrace,
		lifecycle.Part{Name: "history", Run: func(ctx context.Context, ready func()) error {
			ready()
			return watcher.Run(ctx)
		}},
		lifecycle.Part{Name: "http", Run: func(ctx context.Context, ready func()) error {
			ready()
			defer context.AfterFunc(ctx, letGo)()
			return httpx.Serve(ctx, ln, server.Handler())
		}},
	)
}
