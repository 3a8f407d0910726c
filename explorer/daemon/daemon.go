// Package daemon puts an explorer together from its settings and runs it.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/explorer/verify"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/lifecycle"
	"github.com/aitbc/aitbc/web"
)

// stopGrace is how long a part may take to stop.
const stopGrace = 10 * time.Second

// Config is what an operator sets, in HOME/explorer/config.toml, in the
// environment or by flags.
type Config struct {
	Host        string `toml:"host" env:"AITBC_EXPLORER_HOST" flag:"host"`
	Port        int    `toml:"port" env:"AITBC_EXPLORER_PORT" flag:"port"`
	Index       string `toml:"index" env:"AITBC_EXPLORER_INDEX" flag:"index"` // SQLite file, or a postgres:// URL
	RPCURL      string `toml:"rpc_url" env:"AITBC_RPC_URL" flag:"rpc-url"`
	EthRPCURL   string `toml:"eth_rpc_url" env:"AITBC_ETH_RPC_URL" flag:"eth-rpc-url"`
	Coordinator string `toml:"coordinator_url" env:"AITBC_API_URL" flag:"coordinator-url"`
	Solc        string `toml:"solc" env:"AITBC_SOLC" flag:"solc"` // a compiler, or a folder of them; empty: nothing is verified
	LogLevel    string `toml:"log_level" env:"LOG_LEVEL" flag:"log-level"`
}

// Default returns the settings of a home whose ports are shifted by offset.
func Default(dir home.Dir, offset int) Config {
	local := func(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port+offset) }
	return Config{
		Host: "127.0.0.1", Port: home.PortExplorer + offset, Index: filepath.Join(dir.Explorer(), "index.db"),
		RPCURL: local(home.PortChainRPC), EthRPCURL: local(home.PortEthRPC), Coordinator: local(home.PortCoordinator), LogLevel: "info",
	}
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	if c.Port < 1 || c.Port > 65535 {
		return fmt.Errorf("port is %d: use 1 to 65535", c.Port)
	}
	if !store.IsURL(c.Index) && (c.Index == "" || strings.ContainsAny(c.Index, "?#") || strings.Contains(c.Index, "://")) {
		return errors.New("index is neither the path of a file nor a postgres:// URL")
	}
	return nil
}

// Addr is where the explorer listens.
func (c *Config) Addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// Run serves until ctx is done. It shows what is public, so it may listen on any address.
func Run(ctx context.Context, cfg Config, version string, log *slog.Logger) (err error) {
	source, err := index.NewNode(cfg.RPCURL)
	if err != nil {
		return err
	}
	comet, err := chainclient.NewComet(cfg.RPCURL)
	if err != nil {
		return err
	}
	eth, err := chainclient.New(cfg.EthRPCURL)
	if err != nil {
		return err
	}
	coordinator, err := httpx.NewClient(cfg.Coordinator)
	if err != nil {
		return err
	}
	blocks, err := store.Open(ctx, cfg.Index)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blocks.Close()) }()
	verifier := verify.New(cfg.Solc)
	versions, err := verifier.Versions(ctx)
	if err != nil {
		return fmt.Errorf("solc is neither a Solidity compiler nor a folder of them: %w", err)
	}
	ln, err := httpx.Listen(ctx, cfg.Addr(), true)
	if err != nil {
		return err
	}
	watching, letGo := context.WithCancel(ctx) // of those who watch the head: they end before the server does
	defer letGo()
	server := httpapi.New(watching, httpapi.Config{Index: blocks, Contracts: blocks, Verifier: verifier, Eth: eth, Comet: comet, Coordinator: coordinator, Page: web.Explorer(), Version: version})
	follower := index.Follower{Source: source, Store: blocks, Log: log, Added: server.Added}
	log.InfoContext(ctx, "explorer serves", "addr", ln.Addr().String(), "index", store.Redacted(cfg.Index), "compilers", len(versions))
	return lifecycle.Run(ctx, stopGrace,
		lifecycle.Part{Name: "index", Run: func(ctx context.Context, ready func()) error {
			ready()
			return follower.Run(ctx)
		}},
		lifecycle.Part{Name: "http", Run: func(ctx context.Context, ready func()) error {
			ready()
			defer context.AfterFunc(ctx, letGo)()
			return httpx.Serve(ctx, ln, server.Handler())
		}},
	)
}
