package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/pidlock"
	"github.com/aitbc/aitbc/lifecycle"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/onchain"
	"github.com/aitbc/aitbc/miner/settings"
	"github.com/aitbc/aitbc/miner/spool"
	"github.com/aitbc/aitbc/receipt/sealed"
	"github.com/aitbc/aitbc/trace"
	"github.com/aitbc/aitbc/wallet/keystore"
)

func startCommand() command {
	return command{name: "start", short: "Register, take jobs and run them until stopped", setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
		declareAddresses(fs)
		return func(ctx context.Context, c *call) error { return c.start(ctx) }
	}}
}

// declareAddresses declares flags that override settings of the same name.
func declareAddresses(fs *flag.FlagSet) {
	fs.Int("port-offset", 0, "shift every port by `N`")
	fs.String("coordinator", "", "coordinator's `URL`")
	fs.String("rpc", "", "`URL` of the chain's Ethereum JSON-RPC")
}

func (c *call) settings() (*settings.Settings, error) {
	s, err := settings.Load(c.home, c.Getenv, c.flags)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hinted{err, "run aitbc-miner init first"}
	}
	if err == nil {
		if on, perr := strconv.ParseBool(c.Getenv("DEBUG")); perr == nil {
			s.Debug = on
		}
	}
	return s, err
}

func (c *call) start(ctx context.Context) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if set.Debug {
		level = slog.LevelDebug
	}
	recent := newRecent()
	log := slog.New(slog.NewTextHandler(io.MultiWriter(c.Stderr, recent), &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	if err := home.Make(c.home.Run(), c.home.Miner()); err != nil {
		return err
	}
	lock, err := pidlock.Acquire(c.home.Path("run", "miner.lock"))
	if err != nil {
		return fmt.Errorf("another miner runs in %s: %w", c.home, err)
	}
	limits := c.limiter(log)
	if err := limits.Apply(ctx, inUse(set), powerWanted(set)); err != nil {
		return errors.Join(adviseOnPower(limits, err), lock.Release())
	}
	err = c.serve(ctx, set, recent, log)
	return errors.Join(err, limits.Restore(context.WithoutCancel(ctx)), lock.Release())
}

// serve runs the miner until it is stopped.
func (c *call) serve(ctx context.Context, set *settings.Settings, recent *recent, log *slog.Logger) error {
	tracer, err := trace.FromEnv(c.Getenv, "aitbc-miner", version())
	if err != nil {
		return err
	}
	svc, closeModels, err := c.service(ctx, set, tracer, log)
	if err != nil {
		return err
	}
	token, err := c.newToken()
	if err != nil {
		return errors.Join(err, closeModels())
	}
	ln, err := httpx.Listen(ctx, set.Server.Addr, set.Server.Public)
	if err != nil {
		return errors.Join(err, closeModels())
	}
	gpus := watch(set, svc, log)
	log.InfoContext(ctx, "miner starts", "version", version(), "home", string(c.home), "health", "http://"+set.Server.Addr+"/health")
	err = lifecycle.Run(ctx, set.Mining.Grace+stopMargin,
		lifecycle.Part{Name: "traces", Run: func(ctx context.Context, ready func()) error {
			ready()
			return tracer.Run(ctx, func(err error) { log.WarnContext(ctx, "spans were not taken", "err", err) })
		}},
		lifecycle.Part{Name: "status server", Run: func(ctx context.Context, ready func()) error {
			ready()
			return httpx.Serve(ctx, ln, withControl(ctx, withGPUs(svc.Handler(), gpus), token, svc, recent))
		}},
		lifecycle.Part{Name: "GPUs", Run: func(ctx context.Context, ready func()) error {
			ready()
			return gpus.Run(ctx)
		}},
		lifecycle.Part{Name: "miner", Run: func(ctx context.Context, ready func()) error {
			ready()
			return svc.Run(ctx)
		}})
	log.InfoContext(context.WithoutCancel(ctx), "miner stopped")
	return errors.Join(err, closeModels())
}

// stopMargin is what stopping takes beside the jobs under way.
const stopMargin = 20 * time.Second

// service builds the miner. The returned function closes its models.
func (c *call) service(ctx context.Context, set *settings.Settings, tracer *trace.Tracer, log *slog.Logger) (*miner.Fleet, func() error, error) {
	list, err := gpu.This().Devices(ctx)
	if err != nil {
		log.WarnContext(ctx, "the GPUs cannot be looked at", "err", err)
	}
	for _, n := range gpu.This().Missing(list, named(set)) {
		log.WarnContext(ctx, "a device of mining.gpu_devices, or of an engine's gpus, is not in this machine: what should run there runs on the processor, or not at all", "device", n)
	}
	key, err := c.unlock(set)
	if err != nil {
		return nil, nil, err
	}
	var coordinators []*httpx.Client
	for _, url := range append([]string{set.Coordinator.URL}, set.Coordinator.More...) {
		client, err := httpx.NewClient(url)
		if err != nil {
			return nil, nil, fmt.Errorf("coordinator: %w", err)
		}
		coordinators = append(coordinators, client)
	}
	eth, err := chainclient.New(set.Chain.RPCURL)
	if err != nil {
		return nil, nil, fmt.Errorf("chain.rpc_url: %w", err)
	}
	kept, err := spool.Open(c.home.Path("miner", "spool"))
	if err != nil {
		return nil, nil, err
	}
	offerings, closeModels, err := load(ctx, set, local{c.home.Engines(), c.Getenv("LD_LIBRARY_PATH")}, list, log)
	if err != nil {
		return nil, nil, err
	}
	sealing, err := sealingKey(key)
	if err != nil {
		return nil, nil, errors.Join(err, closeModels())
	}
	if set.Mining.Benchmark && set.Mining.ComputeEnabled {
		benchmark(ctx, offerings, log)
	}
	chain := onchain.New(eth, key, market.Coins(set.Mining.StakeAmount))
	chain.SealingKeyHash = sealed.Fingerprint(sealing.Public())
	svc, err := miner.NewFleet(miner.Config{
		Signer: key, Chain: chain, Sealing: sealing,
		Offerings: offerings, Slots: set.Mining.Slots, GPUSlots: set.Mining.GPUSlots, Spool: kept, Paused: !set.Mining.ComputeEnabled,
		Grace: set.Mining.Grace, Version: version(), Log: log, Tracer: tracer,
	}, coordinators)
	if err != nil {
		return nil, nil, errors.Join(err, closeModels())
	}
	return svc, closeModels, nil
}

// sealingKey is the key that sealed jobs come with. It grows from the account's,
// so that nothing more has to be kept: its seed is the hash of the one signature
// that a key derived for this makes.
func sealingKey(account *keystore.Key) (*sealed.Key, error) {
	const purpose = "aitbc/miner-sealing"
	k, err := account.Derive(purpose)
	if err != nil {
		return nil, err
	}
	sig, err := k.SignDigest(crypto.Keccak256Hash([]byte(purpose)))
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	return sealed.NewKey(crypto.Keccak256(sig))
}

func (c *call) unlock(set *settings.Settings) (*keystore.Key, error) {
	store, err := keystore.Open(set.Keys.Dir, keystore.Standard())
	if err != nil {
		return nil, err
	}
	file := cmp.Or(c.Getenv(keystore.PassphraseFileVariable), set.Keys.PassphraseFile)
	if file == "" {
		if _, err := os.Stat(c.home.Passphrase()); err == nil { // of aitbc up's network
			file = c.home.Passphrase()
		}
	}
	pass, err := keystore.Passphrase(keystore.PassphraseSource{File: file, In: c.Stdin, Out: c.Stderr})
	if errors.Is(err, os.ErrNotExist) {
		return nil, &hinted{err, "keys.passphrase_file or " + keystore.PassphraseFileVariable + " names it"}
	}
	if err != nil {
		return nil, err
	}
	key, err := store.Unlock(set.Keys.Address, pass)
	debug.FreeOSMemory() // the derivation took up to 256 MB, once
	return key, err
}
