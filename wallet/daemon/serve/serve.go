// Package serve puts a wallet daemon together from its settings and runs it.
package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/pidlock"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/lifecycle"
	"github.com/aitbc/aitbc/wallet/daemon"
	"github.com/aitbc/aitbc/wallet/daemon/httpapi"
	"github.com/aitbc/aitbc/wallet/guard"
)

// Config is what a person sets, in HOME/wallet/config.toml, in the environment
// or by flags.
type Config struct {
	Host      string `toml:"host" env:"AITBC_WALLET_HOST" flag:"host"`
	Port      int    `toml:"port" env:"AITBC_WALLET_PORT" flag:"port"`
	Socket    string `toml:"socket" env:"AITBC_WALLET_SOCKET" flag:"socket"` // path of a unix socket, instead of host and port
	EthRPCURL string `toml:"eth_rpc_url" env:"AITBC_ETH_RPC_URL" flag:"eth-rpc-url"`
	LogLevel  string `toml:"log_level" env:"LOG_LEVEL" flag:"log-level"`

	// AllowedHosts are names by which the daemon is asked, beside this machine's. Only with them may it listen on an
	// address that other machines reach.
	AllowedHosts []string `toml:"allowed_hosts" env:"AITBC_WALLET_ALLOWED_HOSTS" flag:"allowed-hosts"`
	// AllowedOrigins are pages that may ask, as https://wallet.example.
	AllowedOrigins []string `toml:"allowed_origins" env:"AITBC_WALLET_ALLOWED_ORIGINS" flag:"allowed-origins"`
	// PasskeyDomain is that of those pages that use passkeys.
	PasskeyDomain string `toml:"passkey_domain" env:"AITBC_WALLET_PASSKEY_DOMAIN" flag:"passkey-domain"`
}

// Default returns the settings of a home whose ports are shifted by offset.
func Default(offset int) Config {
	return Config{
		Host: "127.0.0.1", Port: home.PortWallet + offset, LogLevel: "info", PasskeyDomain: "localhost",
		EthRPCURL: "http://127.0.0.1:" + strconv.Itoa(home.PortEthRPC+offset),
	}
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	if c.Port < 1 || c.Port > 65535 {
		return fmt.Errorf("port is %d: use 1 to 65535", c.Port)
	}
	for i, h := range c.AllowedHosts {
		if h == "" || strings.ContainsAny(h, "/*: ") {
			return fmt.Errorf("allowed_hosts has %q: name hosts without port, such as wallet.lan", h)
		}
		c.AllowedHosts[i] = strings.ToLower(h)
	}
	for _, o := range c.AllowedOrigins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "chrome-extension" && u.Scheme != "moz-extension" {
			return fmt.Errorf("allowed_origins has %q: name origins such as https://wallet.example", o)
		}
	}
	return nil
}

// KeyFile holds the API key of a home's wallet daemon.
func KeyFile(dir home.Dir) string { return dir.Path("secrets", "wallet.key") }

// Key returns the API key of a home's wallet daemon, made at the first use.
func Key(dir home.Dir) (secret.Text, error) {
	key, err := secret.ReadFile(KeyFile(dir))
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := home.Make(dir.Secrets()); err != nil {
		return secret.Text{}, err
	}
	key = secret.New("wallet_" + rand.Text())
	return key, secret.WriteFile(KeyFile(dir), key)
}

const grace = 20 * time.Second

// Run serves the wallets of a home until ctx is done.
func Run(ctx context.Context, dir home.Dir, cfg Config, log *slog.Logger) (err error) {
	if err := guard.NoCore(); err != nil {
		return err
	}
	if err := home.Make(dir.Wallet()); err != nil {
		return err
	}
	lock, err := pidlock.Acquire(filepath.Join(dir.Wallet(), "lock"))
	if err != nil {
		return fmt.Errorf("wallets of %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	key, err := Key(dir)
	if err != nil {
		return err
	}
	chain, err := chainclient.New(cfg.EthRPCURL)
	if err != nil {
		return err
	}
	svc, err := daemon.New(daemon.Options{Dir: dir.Wallet(), Chain: chain, Log: log, Pages: cfg.AllowedOrigins, PasskeyDomain: cfg.PasskeyDomain})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, svc.Close()) }()
	handler, err := httpapi.New(svc, httpapi.Options{Key: key, Hosts: cfg.AllowedHosts, Origins: cfg.AllowedOrigins, AnyHost: cfg.Socket != ""})
	if err != nil {
		return err
	}
	return lifecycle.Run(ctx, grace,
		lifecycle.Part{Name: "wallets", Run: func(ctx context.Context, ready func()) error {
			ready()
			return svc.Run(ctx)
		}},
		lifecycle.Part{Name: "http", Run: func(ctx context.Context, ready func()) error {
			ln, err := listen(ctx, cfg)
			if err != nil {
				return err
			}
			ready()
			log.InfoContext(ctx, "wallet daemon answers", "address", ln.Addr().String())
			return httpx.Serve(ctx, ln, handler)
		}},
	)
}

// listen opens the door: a socket for this user alone, or an address.
func listen(ctx context.Context, cfg Config) (net.Listener, error) {
	if cfg.Socket == "" {
		return httpx.Listen(ctx, net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)), len(cfg.AllowedHosts) > 0)
	}
	if info, err := os.Lstat(cfg.Socket); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(cfg.Socket); err != nil { // of a run that was killed: the lock is ours
			return nil, fmt.Errorf("listen: %w", err)
		}
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "unix", cfg.Socket)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(cfg.Socket, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), ln.Close())
	}
	return ln, nil
}
