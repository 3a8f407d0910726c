package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/daemon/serve"
	"github.com/aitbc/aitbc/wallet/keystore"
)

func walletCommand() command {
	return command{
		name: "wallet", short: "keep wallets and sign: the daemon on port 18002, and what it can do",
		long: `Without a further word it is the daemon. Settings come from HOME/wallet/config.toml,
the environment (AITBC_WALLET_HOST, AITBC_WALLET_PORT, AITBC_WALLET_SOCKET,
AITBC_WALLET_ALLOWED_HOSTS, AITBC_WALLET_ALLOWED_ORIGINS,
AITBC_WALLET_PASSKEY_DOMAIN, AITBC_ETH_RPC_URL, LOG_LEVEL) and flags, the later over the earlier. The other words ask it, with the
API key of HOME/secrets/wallet.key or AITBC_WALLET_KEY. Passphrases are read from
the file that AITBC_PASSPHRASE_FILE names, or asked for.`,
		subs: []command{
			walletCreateCommand(), walletImportCommand(), walletListCommand(), walletUnlockCommand(), walletLockCommand(),
			walletBalanceCommand(), walletSendCommand(), walletSignCommand(), walletTxCommand(), walletHistoryCommand(),
			walletPolicyCommand(), walletAuditCommand(), walletBackupCommand(), walletRestoreCommand(), walletDrillCommand(),
			walletExportCommand(), walletAccountCommand(), walletPassphraseCommand(), walletFactorCommand(),
		},
		setup: func(fs *flag.FlagSet) runner {
			fs.String("host", "", "`address` to listen on (default 127.0.0.1)")
			fs.Int("port", 0, "`port` to listen on (default 18002)")
			fs.String("socket", "", "`path` of a unix socket to listen on instead")
			fs.String("eth-rpc-url", "", "`URL` of the node's Ethereum JSON-RPC")
			fs.String("allowed-hosts", "", "`names` by which the daemon may be asked, with commas between")
			fs.String("allowed-origins", "", "`origins` whose pages may ask it, with commas between")
			fs.String("passkey-domain", "", "`domain` of those pages that use passkeys (default localhost)")
			fs.String("log-level", "", "debug, info, warn or error")
			return func(ctx context.Context, c *call) error { return c.walletDaemon(ctx, fs) }
		},
	}
}

func (c *call) walletDaemon(ctx context.Context, flags *flag.FlagSet) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	cfg := serve.Default(n.PortOffset)
	if err := c.settings(&cfg, n.Home.Wallet(), flags); err != nil {
		return err
	}
	log, err := c.log(cfg.LogLevel)
	if err != nil {
		return err
	}
	return serve.Run(ctx, n.Home, cfg, log)
}

// wallets is the door to the daemon.
type wallets struct {
	call *call
	http *httpx.Client
	home home.Dir
}

func (c *call) wallets() (*wallets, error) {
	base, err := c.url(envWalletURL, devnet.Network.WalletURL)
	if err != nil {
		return nil, err
	}
	n, err := c.network()
	if err != nil {
		return nil, err
	}
	key := secret.New(c.Getenv(envWalletKey))
	if key.Empty() || c.pinned() {
		if key, err = secret.ReadFile(serve.KeyFile(n.Home)); errors.Is(err, fs.ErrNotExist) {
			return nil, hint(errors.New("there is no key of a wallet daemon"), "aitbc wallet starts one and stores its key in %s; or set %s", serve.KeyFile(n.Home), envWalletKey)
		} else if err != nil {
			return nil, err
		}
	}
	h, err := httpx.NewClient(base)
	if err != nil {
		return nil, err
	}
	h.Header.Set("X-Api-Key", key.Reveal())
	return &wallets{call: c, http: h, home: n.Home}, nil
}

// answerWithin is how long an answer may take: a person may have to confirm at a device.
const answerWithin = 3 * time.Minute

// ask sends a request and decodes the answer. A nil body is a GET.
func (w *wallets) ask(ctx context.Context, path string, in, out any, header ...string) error {
	method := http.MethodPost
	if in == nil {
		method = http.MethodGet
	}
	return w.send(ctx, method, path, in, out, header...)
}

func (w *wallets) send(ctx context.Context, method, path string, in, out any, header ...string) error {
	r := httpx.Request{Method: method, Path: path, JSON: in, Header: http.Header{}, Timeout: answerWithin}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	_, err := w.http.Do(ctx, r, out)
	switch {
	case apierr.HasCode(err, apierr.Unauthorized):
		return hint(err, "the key is in %s, and aitbc env prints it", serve.KeyFile(w.home))
	case apierr.HasCode(err, apierr.Locked):
		return hint(err, "aitbc wallet unlock opens it for a while")
	case apierr.HasCode(err, apierr.FactorRequired):
		return hint(err, "--code takes a code of the authenticator, or a recovery code")
	case apierr.HasCode(err, apierr.Insufficient):
		return hint(err, "aitbc wallet balance shows what there is")
	}
	return err
}

// pick returns the wallet of an id or name, or the only one.
func (w *wallets) pick(ctx context.Context, which string) (walletapi.Wallet, error) {
	var list walletapi.WalletList
	if err := w.ask(ctx, "/v1/wallet", nil, &list); err != nil {
		return walletapi.Wallet{}, err
	}
	if which == "" && len(list.Wallets) == 1 {
		return list.Wallets[0], nil
	}
	for _, x := range list.Wallets {
		if which != "" && (x.ID == which || x.Name == which) {
			return x, nil
		}
	}
	if which == "" {
		return walletapi.Wallet{}, hint(fmt.Errorf("there are %d wallets", len(list.Wallets)), "aitbc wallet list shows them; --wallet says which, or the argument")
	}
	return walletapi.Wallet{}, hint(fmt.Errorf("there is no wallet %q", printable(which)), "aitbc wallet list shows those there are")
}

// capFile keeps what unlock answered, for the commands after it.
func (w *wallets) capFile(id string) string { return w.home.Path("secrets", "wallet-"+id+".cap") }

// capability returns the headers that carry a wallet's capability.
func (w *wallets) capability(id string) ([]string, error) {
	if v := w.call.Getenv(envWalletCap); v != "" {
		return []string{walletapi.CapabilityHeader, v}, nil
	}
	token, err := secret.ReadFile(w.capFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the daemon says that it is locked
	}
	if err != nil {
		return nil, err
	}
	return []string{walletapi.CapabilityHeader, token.Reveal()}, nil
}

// walletPassphrase asks for a passphrase, or reads its file.
func (c *call) walletPassphrase(what, file string, confirm bool) (string, error) {
	src := keystore.PassphraseSource{File: file, Out: c.Stderr, Confirm: confirm}
	if what == "" {
		src.Env = c.Getenv
	}
	if f, ok := c.Stdin.(*os.File); ok {
		src.In = f
	}
	if what != "" && file == "" {
		c.progress("%s", what)
	}
	p, err := keystore.Passphrase(src)
	return p.Reveal(), err
}

// proofFlags declares what commands take that change or reveal a wallet.
func proofFlags(fs *flag.FlagSet) (code *string) {
	return fs.String("code", "", "`code` of the second factor, where there is one")
}

// proof asks for the wallet's passphrase.
func (c *call) proof(code string) (walletapi.Proof, error) {
	p, err := c.walletPassphrase("", "", false)
	return walletapi.Proof{Passphrase: p, Code: code}, err
}

func walletFlag(fs *flag.FlagSet) *string {
	return fs.String("wallet", "", "`name` or id of the wallet (default the only one)")
}

// first is the only argument, or nothing.
func (c *call) first() string { return strings.Join(c.args, "") }

// managed is a command about one wallet, its only argument.
func managed(name, short, long string, run func(fs *flag.FlagSet) walletRun) command {
	return command{
		name: name, args: "[WALLET]", short: short, long: long, max: 1,
		setup: func(fs *flag.FlagSet) runner {
			do := run(fs)
			return func(ctx context.Context, c *call) error {
				w, err := c.wallets()
				if err != nil {
					return err
				}
				x, err := w.pick(ctx, c.first())
				if err != nil {
					return err
				}
				return do(ctx, c, w, x)
			}
		},
	}
}
