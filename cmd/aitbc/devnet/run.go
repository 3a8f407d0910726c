package devnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/lifecycle"
	"github.com/aitbc/aitbc/supervise"
)

// Patience with the network's parts.
const (
	stopGrace   = 30 * time.Second // of one part, with its own supervisor's
	offersSoon  = 30 * time.Second // for a miner to be online
	pollReady   = 50 * time.Millisecond
	renewEvery  = 10 * time.Minute // look at the client's session
	probeWithin = 2 * time.Second
)

// Run starts the services of a prepared network one after another, each when
// the one before answers, sees to it that the client has a session, calls ready
// with the network as it stands, and blocks until ctx is done. Then it stops
// them in reverse. A service that dies is started again.
func Run(ctx context.Context, cfg Config, n Network, ready func(Status)) error {
	var parts []lifecycle.Part
	for _, c := range n.children(cfg) {
		parts = append(parts, supervise.Part(c, supervise.Policy{}, func(e supervise.Event) { n.tell(cfg, e) }))
	}
	parts = append(parts, lifecycle.Part{Name: "client", Run: func(ctx context.Context, up func()) error {
		return n.serveClient(ctx, cfg, func(s Status) { up(); ready(s) })
	}})
	return lifecycle.Run(ctx, stopGrace, parts...)
}

// children are the programs of the network, in the order of their start.
func (n *Network) children(cfg Config) []supervise.Child {
	env := n.environ(cfg)
	where := []string{"--home", string(n.Home), "--port-offset", fmt.Sprint(n.PortOffset)}
	return []supervise.Child{
		{
			Name: "node", Path: cfg.Binaries.Node, Env: env, Log: n.log("node"),
			Args:  []string{"start", "--home", n.Home.Node(), "--port-offset", fmt.Sprint(n.PortOffset)},
			Ready: n.nodeReady,
		},
		{
			Name: "coordinator", Path: cfg.Binaries.Aitbc, Env: env, Log: n.log("coordinator"),
			Args:  append([]string{"coordinator", "--account", n.Coordinator.Hex(), "--api-port", strconv.Itoa(home.PortCoordinator + n.PortOffset)}, where...),
			Ready: func(ctx context.Context) error { return healthy(ctx, n.APIURL()) },
		},
		{
			Name: "miner", Path: cfg.Binaries.Miner, Env: env, Log: n.log("miner"),
			Args:  append([]string{"start"}, where...),
			Ready: func(ctx context.Context) error { return healthy(ctx, n.MinerURL()) },
		},
		{
			Name: "wallet", Path: cfg.Binaries.Aitbc, Env: env, Log: n.log("wallet"),
			Args:  append([]string{"wallet", "--port", strconv.Itoa(home.PortWallet + n.PortOffset), "--eth-rpc-url", n.EthRPCURL()}, where...),
			Ready: func(ctx context.Context) error { return healthy(ctx, n.WalletURL()) },
		},
		{
			Name: "explorer", Path: cfg.Binaries.Aitbc, Env: env, Log: n.log("explorer"),
			Args:  append([]string{"explorer", "--host", "127.0.0.1", "--port", strconv.Itoa(home.PortExplorer + n.PortOffset)}, where...),
			Ready: func(ctx context.Context) error { return healthy(ctx, n.ExplorerURL()) },
		},
		{
			Name: "marketplace", Path: cfg.Binaries.Aitbc, Env: env, Log: n.log("marketplace"),
			Args: append([]string{
				"marketplace", "--host", "127.0.0.1", "--port", strconv.Itoa(home.PortMarketplace + n.PortOffset),
				"--explorer-url", n.ExplorerURL(), "--public-api-url", n.APIURL(), "--faucet-account", n.Giver.Hex(),
			}, where...),
			Ready: func(ctx context.Context) error { return healthy(ctx, n.MarketplaceURL()) },
		},
	}
}

func (n *Network) log(name string) string { return n.Home.Path("logs", name+".log") }

// nodeReady reports whether the node answers and is the one of this home.
func (n *Network) nodeReady(ctx context.Context) error {
	eth, err := chainclient.New(n.EthRPCURL())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	id, err := eth.ChainID(ctx)
	if err != nil {
		return err
	}
	if id != n.ChainID {
		return fmt.Errorf("chain %d answers at %s, not ours, %d: another network has these ports", id, n.EthRPCURL(), n.ChainID)
	}
	height, err := eth.BlockNumber(ctx)
	if err != nil {
		return err
	}
	if height == 0 {
		return errors.New("the first block is not there yet")
	}
	return healthy(ctx, n.RPCURL())
}

func healthy(ctx context.Context, url string) error {
	c, err := httpx.NewClient(url)
	if err != nil {
		return err
	}
	_, err = c.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/health", Timeout: probeWithin}, nil)
	return err
}

// tell words what a supervisor reports, and keeps each program's process id in
// a file for people.
func (n *Network) tell(cfg Config, e supervise.Event) {
	switch e.Kind {
	case supervise.Started:
		if err := atomicfile.Write(n.Home.Path("run", e.Child+".pid"), []byte(strconv.Itoa(e.PID)+"\n"), 0o600); err != nil {
			cfg.Progress("%v", err)
		}
	case supervise.Ready:
		cfg.Progress("%s answers (process %d)", e.Child, e.PID)
	case supervise.Stopped:
		cfg.Progress("%s stopped", e.Child)
	case supervise.Died:
		cfg.Progress("%s died: %v; starting it again in %s; its log ends:", e.Child, e.Err, e.Delay)
		for _, l := range e.Tail {
			cfg.Progress("  | %s", strings.ToValidUTF8(l, "·"))
		}
	}
}

// serveClient sees to it that the client can pay, now and later.
func (n *Network) serveClient(ctx context.Context, cfg Config, ready func(Status)) error {
	if err := n.ensureSession(ctx, cfg); err != nil {
		return err
	}
	if err := n.awaitOffers(ctx); err != nil {
		return err
	}
	s, err := n.Status(ctx)
	if err != nil {
		return err
	}
	ready(s)
	return KeepClient(ctx, cfg, *n)
}

// retryClient is how soon what failed for the client is tried again.
const retryClient = 2 * time.Second

// KeepClient sees to it that the network's client can pay, until ctx is done.
// What fails, as when a service is not there yet, is told and tried again.
func KeepClient(ctx context.Context, cfg Config, n Network) error {
	for {
		next := renewEvery
		if err := n.ensureSession(ctx, cfg); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			cfg.Progress("the client's session could not be looked after: %v", err)
			next = retryClient
		}
		wait := time.NewTimer(next)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
	}
}

// Await returns the network of a home once it is made there and its node
// answers.
func Await(ctx context.Context, dir home.Dir, at URLs) (Network, error) {
	tick := time.NewTicker(pollReady)
	defer tick.Stop()
	for {
		n, err := Load(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return n, err
		}
		n.At = at
		if err == nil && n.ChainID != 0 && n.nodeReady(ctx) == nil {
			return n, nil
		}
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-tick.C:
		}
	}
}

var errNoOffer = errors.New("no miner offers a model yet")

// awaitOffers returns once a model is on offer.
func (n *Network) awaitOffers(ctx context.Context) error {
	remote, err := client.New(n.APIURL(), secret.Text{})
	if err != nil {
		return err
	}
	limit := time.NewTimer(offersSoon)
	defer limit.Stop()
	tick := time.NewTicker(pollReady)
	defer tick.Stop()
	for {
		models, err := remote.Models(ctx)
		if err == nil && len(models) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			if err == nil {
				err = errNoOffer
			}
			return fmt.Errorf("wait for the miner: %w (see %s)", err, n.log("miner"))
		case <-tick.C:
		}
	}
}
