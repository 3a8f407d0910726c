// Package daemon puts a coordinator together from its settings and runs it.
package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/postgres"
	"github.com/aitbc/aitbc/coordinator/sqlite"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/trace"
)

// Config is what an operator sets, in HOME/coordinator/config.toml, in the
// environment or by flags.
type Config struct {
	Account     common.Address `toml:"account" env:"AITBC_COORDINATOR_ACCOUNT" flag:"account"`
	DatabaseURL string         `toml:"database_url" env:"DATABASE_URL" flag:"database-url"`
	APIHost     string         `toml:"api_host" env:"API_HOST" flag:"api-host"`
	APIPort     int            `toml:"api_port" env:"API_PORT" flag:"api-port"`
	RPCURL      string         `toml:"rpc_url" env:"AITBC_RPC_URL" flag:"rpc-url"`
	EthRPCURL   string         `toml:"eth_rpc_url" env:"AITBC_ETH_RPC_URL" flag:"eth-rpc-url"`
	Endpoint    string         `toml:"endpoint" env:"AITBC_COORDINATOR_ENDPOINT" flag:"endpoint"`
	LogLevel    string         `toml:"log_level" env:"LOG_LEVEL" flag:"log-level"`

	Bond        market.Amount `toml:"bond" flag:"bond"`               // base units, locked when it registers
	MinerLimit  market.Amount `toml:"miner_limit" flag:"miner-limit"` // base units of the bond for each miner
	MarginBps   int           `toml:"margin_bps" flag:"margin-bps"`
	SettleEvery time.Duration `toml:"settle_every" flag:"settle-every"`
	VoucherWait time.Duration `toml:"voucher_wait" flag:"voucher-wait"` // before orders without a voucher are settled alone

	// LoginDomains are the authorities that wallets sign in to, as market.example or localhost:5173.
	LoginDomains []string `toml:"login_domains" env:"AITBC_LOGIN_DOMAINS" flag:"login-domains"`
	// KeepContent is how long prompts, answers and files are kept.
	KeepContent time.Duration `toml:"keep_content" flag:"keep-content"`
	// Tracer gets the spans of jobs; it is made from the environment.
	Tracer      *trace.Tracer    `toml:"-"`
	Admins      []common.Address `toml:"admins" env:"AITBC_ADMINS" flag:"admins"`
	AddressRate uint32           `toml:"address_rate" flag:"address-rate"` // requests a minute without a key
}

// Default returns the settings of a home whose ports are shifted by offset.
func Default(dir home.Dir, offset int) Config {
	local := func(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port+offset) }
	return Config{
		DatabaseURL: "sqlite:///" + filepath.ToSlash(filepath.Join(dir.Coordinator(), "coordinator.db")),
		APIHost:     "127.0.0.1", APIPort: home.PortCoordinator + offset,
		RPCURL: local(home.PortChainRPC), EthRPCURL: local(home.PortEthRPC),
		LogLevel: "info", Bond: market.Coins(100_000), MinerLimit: market.Coins(100), MarginBps: 100, SettleEvery: 2 * time.Second, VoucherWait: 2 * time.Minute, AddressRate: 60, KeepContent: 30 * 24 * time.Hour,
	}
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	if c.Account == (common.Address{}) {
		return fmt.Errorf("account is not set: it is the address of a key in HOME/keystore")
	}
	if c.APIPort < 1 || c.APIPort > 65535 {
		return fmt.Errorf("api_port is %d: use 1 to 65535", c.APIPort)
	}
	if c.MarginBps < 0 || c.MarginBps > 5000 {
		return fmt.Errorf("margin_bps is %d: use 0 to 5000", c.MarginBps)
	}
	if c.SettleEvery < 100*time.Millisecond {
		return fmt.Errorf("settle_every is %s: use at least 100ms", c.SettleEvery)
	}
	if c.VoucherWait < time.Second {
		return fmt.Errorf("voucher_wait is %s: use at least 1s", c.VoucherWait)
	}
	if c.KeepContent < 25*time.Hour {
		return fmt.Errorf("keep_content is %s: use at least 25h, as a batch may take a day", c.KeepContent)
	}
	if c.AddressRate < 1 {
		return fmt.Errorf("address_rate is %d: use at least 1 request a minute", c.AddressRate)
	}
	if isPostgres(c.DatabaseURL) {
		return nil // what is wrong with it, the driver knows best
	}
	_, err := databasePath(c.DatabaseURL)
	return err
}

// Addr is where the coordinator listens.
func (c *Config) Addr() string { return net.JoinHostPort(c.APIHost, strconv.Itoa(c.APIPort)) }

// databasePath reads a database URL: sqlite:///relative or sqlite:////absolute,
// as SQLAlchemy spells them.
func databasePath(url string) (string, error) {
	path, ok := strings.CutPrefix(url, "sqlite:///")
	if !ok || path == "" || strings.ContainsAny(path, "?#") {
		kind, _, _ := strings.Cut(url, "://") // the rest may hold a password
		return "", fmt.Errorf("database_url begins with %q: use sqlite:///PATH or postgres://USER@HOST/DATABASE", kind)
	}
	return filepath.FromSlash(path), nil
}

// isPostgres reports whether a database URL is PostgreSQL's.
func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// Store is an open ledger.
type Store interface {
	coordinator.Store
	Close() error
}

// OpenStore opens the ledger that a database URL names.
func OpenStore(ctx context.Context, url string) (Store, error) {
	return openStore(ctx, url, sqlite.Options{})
}

func openStore(ctx context.Context, url string, o sqlite.Options) (Store, error) {
	if isPostgres(url) {
		return postgres.Open(ctx, url)
	}
	path, err := databasePath(url)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the database's folder: %w", err)
	}
	o.Path = path
	return sqlite.Open(ctx, o)
}
