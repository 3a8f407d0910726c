package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/pidlock"
	"github.com/aitbc/aitbc/marketplace/daemon"
	"github.com/aitbc/aitbc/wallet/keystore"
)

func serveCommand() command {
	one := func(name, short, long string, run func(*call, context.Context) error) command {
		return command{name: name, short: short, long: long, setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error { return run(c, ctx) }
		}}
	}
	return command{
		name: "serve", short: "run one service of a development network, as a container does",
		long: `All services share one home. AITBC_API_URL, AITBC_RPC_URL and AITBC_ETH_RPC_URL say
where the others are; docker-compose.yml shows how they go together. aitbc up runs
all of them on this machine instead.`,
		subs: []command{
			one("blockchain", "make the network's keys and first block unless they are there, and run its node", "The settings are those of aitbcd start.", (*call).serveBlockchain),
			one("coordinator", "run the coordinator, and see to it that the network's client can pay", "The settings are those of aitbc coordinator.", (*call).serveCoordinator),
			one("miner", "run the miner", "The settings are those of aitbc-miner start.", (*call).serveMiner),
			one("marketplace", "run the marketplace, which gives new accounts their first coins", "The settings are those of aitbc marketplace.", (*call).serveMarketplace),
		},
	}
}

// devnetConfig is how a service of a development network is run.
func (c *call) devnetConfig(n devnet.Network) (devnet.Config, error) {
	self, err := c.Executable()
	if err != nil {
		return devnet.Config{}, fmt.Errorf("find this program: %w", err)
	}
	bins, err := devnet.FindBinaries(self)
	if err != nil {
		return devnet.Config{}, hint(err, "make build makes all programs in bin/")
	}
	return devnet.Config{Network: n, Binaries: bins, Environ: c.Environ, Deposit: defaultDeposit, Progress: c.tell}, nil
}

func (c *call) tell(format string, args ...any) { c.progress("aitbc: "+format, args...) }

// elsewhere says where the environment has the services.
func (c *call) elsewhere() devnet.URLs {
	return devnet.URLs{API: c.Getenv(envAPIURL), RPC: c.Getenv(envRPCURL), EthRPC: c.Getenv(envEthRPCURL)}
}

func (c *call) serveBlockchain(ctx context.Context) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	cfg, err := c.devnetConfig(n)
	if err != nil {
		return err
	}
	if err := home.Make(n.Home.Run()); err != nil {
		return err
	}
	lock, err := pidlock.Acquire(n.LockFile())
	if err != nil {
		return hint(fmt.Errorf("make the network of %s: %w", n.Home, err), "another network runs in this home")
	}
	made, err := devnet.Prepare(ctx, cfg)
	if err := errors.Join(err, lock.Release()); err != nil {
		return err
	}
	return become(cfg.Binaries.Node, c.Environ, "start", "--home", made.Home.Node())
}

// become has a program take this process's place: it gets the signals itself.
func become(program string, env []string, args ...string) error {
	if err := syscall.Exec(program, append([]string{filepath.Base(program)}, args...), env); err != nil { //nolint:gosec // a program of ours
		return fmt.Errorf("run %s: %w", program, err)
	}
	return nil
}

// neighbour waits until another service has made the network, and returns it.
func (c *call) neighbour(ctx context.Context) (devnet.Network, devnet.Config, error) {
	n, err := c.network()
	if err != nil {
		return n, devnet.Config{}, err
	}
	c.tell("waiting for the network of %s to be made, and its node to answer", n.Home)
	if n, err = devnet.Await(ctx, n.Home, c.elsewhere()); err != nil {
		return n, devnet.Config{}, err
	}
	cfg, err := c.devnetConfig(n)
	return n, cfg, err
}

func (c *call) serveCoordinator(ctx context.Context) error {
	n, cfg, err := c.neighbour(ctx)
	if err != nil {
		return err
	}
	own := c.assuming(map[string]string{keystore.PassphraseFileVariable: n.PassphraseFile()})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return own.coordinator(ctx, flag.NewFlagSet("serve", flag.ContinueOnError)) })
	g.Go(func() error { return devnet.KeepClient(ctx, cfg, n) })
	return g.Wait()
}

// assuming is the call with settings for variables that the environment leaves out.
func (c *call) assuming(defaults map[string]string) *call {
	own := *c
	own.Getenv = func(name string) string { return cmp.Or(c.Getenv(name), defaults[name]) }
	return &own
}

func (c *call) serveMarketplace(ctx context.Context) error {
	n, _, err := c.neighbour(ctx)
	if err != nil {
		return err
	}
	defaults := map[string]string{keystore.PassphraseFileVariable: n.PassphraseFile()}
	if n.Giver != (common.Address{}) {
		defaults[daemon.FaucetAccountVariable] = n.Giver.Hex()
	}
	return c.assuming(defaults).marketplace(ctx, flag.NewFlagSet("serve", flag.ContinueOnError))
}

func (c *call) serveMiner(ctx context.Context) error {
	n, cfg, err := c.neighbour(ctx)
	if err != nil {
		return err
	}
	env := append([]string{keystore.PassphraseFileVariable + "=" + n.PassphraseFile()}, c.Environ...) // the last one counts
	return become(cfg.Binaries.Miner, env, "start", "--home", string(n.Home), "--coordinator", n.APIURL(), "--rpc", n.EthRPCURL())
}

func healthCommand() command {
	return command{
		name: "health", args: "URL", short: "ask a service whether it is well", min: 1, max: 1,
		long: `Asks URL/health. Exit status 1 if it is not well, or not there: container engines and
scripts ask so without other programs.`,
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				u, err := url.Parse(c.args[0])
				if err != nil || u.Host == "" {
					return usagef("health", "%q is not a URL as http://127.0.0.1:18000", printable(c.args[0]))
				}
				remote, err := httpx.NewClient(strings.TrimSuffix(c.args[0], "/"))
				if err != nil {
					return err
				}
				if _, err := remote.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/health", Timeout: 5 * time.Second}, nil); err != nil {
					return err
				}
				if c.json {
					return c.printJSON(map[string]string{"url": c.args[0], "status": "ok"})
				}
				_, err = fmt.Fprintln(c.Stdout, "ok")
				return err
			}
		},
	}
}
