// Package node puts a node together and runs it: embedded EVM, application, consensus, and the doors.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	elog "github.com/ethereum/go-ethereum/log"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/chain/abci"
	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/consensus"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/metrics"
	"github.com/aitbc/aitbc/chain/proof"
	"github.com/aitbc/aitbc/chain/rpc"
	"github.com/aitbc/aitbc/chain/stream"
)

// Options are a node's.
type Options struct {
	Home    home.Home
	Config  config.Config
	Log     *slog.Logger
	Version string
	// Ready, if set, is told where the doors are as soon as all are open.
	Ready func(Doors)
}

// Doors are the addresses of an open node, "host:port".
type Doors struct {
	RPC, WS, EthHTTP, EthWS string
	// Metrics is empty if there is none.
	Metrics string
}

// ErrValidator refuses to start with another key than the operator expects.
var ErrValidator = errors.New("VALIDATOR_ADDRESS is not the address of this home's consensus key")

// Run runs the node until ctx ends, and then stops it in the reverse order of its start. A node that begins with state
// sync is opened twice, and ready the second time.
func Run(ctx context.Context, o Options) error {
	err := once(ctx, o)
	if errors.Is(err, errSynced) && ctx.Err() == nil {
		o.Log.Info("state sync is done, opening the node again")
		err = once(ctx, o)
	}
	if errors.Is(err, errSynced) {
		return nil
	}
	return err
}

func once(ctx context.Context, o Options) error {
	p, err := load(o)
	if err != nil {
		return err
	}
	addresses := []string{o.Config.Listen.RPC, o.Config.Listen.WS}
	if o.Config.Listen.Metrics != "" {
		addresses = append(addresses, o.Config.Listen.Metrics)
	}
	if err := p.room(o.Config.Storage.MinFreeMiB << 20); err != nil {
		return err
	}
	if err := p.leftover(); err != nil {
		return err
	}
	listeners, err := listen(ctx, addresses...)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			_ = l.Close() // closed already if it was served
		}
	}()
	figures := metrics.New(p.state.CometID(), o.Version)
	elog.SetDefault(elog.NewLogger(quiet{o.Log.With("part", "evm").Handler()}))
	chain, err := evm.Open(evm.Config{
		Dir: o.Home.EVM(), Genesis: p.state.EVM, HTTP: o.Config.Listen.EthHTTP, WS: o.Config.Listen.EthWS,
		CORSOrigins: o.Config.RPC.CORSOrigins, VirtualHosts: o.Config.RPC.VirtualHosts,
		Archive: o.Config.Storage.Archive, StateHistory: o.Config.Storage.StateHistory, FlushEvery: o.Config.Storage.FlushEvery,
		IndexLogs: o.Config.Storage.IndexLogs,
		Alone:     len(o.Config.P2P.Peers) == 0,
		PoolWait:  time.Duration(o.Config.PoolWait),
		Refused:   func(why evm.Refusal) { figures.Refused(string(why)) },
	})
	if err != nil {
		return err
	}
	return p.whyStopped(errors.Join(p.run(ctx, chain, figures, listeners), chain.Close()))
}

// listen takes the ports before anything is started, so that a taken one stops the node at once.
func listen(ctx context.Context, addresses ...string) ([]net.Listener, error) {
	var out []net.Listener
	for _, a := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a)
		if err != nil {
			for _, open := range out {
				_ = open.Close() // the first error says more
			}
			return nil, fmt.Errorf("listen: %w", err)
		}
		out = append(out, l)
	}
	return out, nil
}

// run runs everything above the EVM.
func (p *parts) run(ctx context.Context, chain *evm.Chain, figures *metrics.Metrics, doors []net.Listener) error {
	hub := stream.New(signer(p.state), p.opt.Log)
	block := time.Duration(p.opt.Config.BlockTime)
	money := newAuditor(p, chain, figures)
	snapshots, err := p.snapshots(chain)
	if err != nil {
		return err
	}
	app, err := abci.New(abci.Config{
		Snapshots: snapshots, Retention: p.retention(),
		Chain: chain, Genesis: p.state, Log: p.opt.Log, Committed: committed(chain, figures, hub, money), Timer: figures,
		Hold: max(block-config.Gap, 0), BuildTime: config.BuildTime,
	})
	if err != nil {
		return err
	}
	cons, err := consensus.Open(ctx, consensus.Config{
		Dir: p.opt.Home.Data(), App: app, Genesis: p.doc, Signer: p.keys.Consensus, NodeKey: p.keys.Node,
		Listen: p.opt.Config.Listen.P2P, Peers: p.opt.Config.P2P.Peers,
		BlockTime: block, Gap: config.Gap, BuildTime: config.BuildTime, StateSync: p.opt.Config.StateSync, Log: p.opt.Log, Metrics: figures.Registry(),
	})
	if err != nil {
		return err
	}
	p.watch(figures, chain, cons, hub)
	api := rpc.NewAPI(rpc.API{
		Chain: chain, Genesis: p.state, Decided: cons.Decided(), Proofs: proof.NewBuilder(chain, cons.Decided()),
		Validator: p.validator, Version: p.opt.Version, FailedCalls: app.FailedCalls,
	})
	handler := rpc.Handler(cons.Env(), api, p.opt.Config.RPC.CORSOrigins, cons.Logger())

	// Consensus outlives the doors: whoever still asks gets an answer from a living node.
	consCtx, stopCons := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCons()
	inner, innerCtx := errgroup.WithContext(consCtx)
	inner.Go(func() error { return app.Run(innerCtx) })
	inner.Go(func() error { return cons.Run(innerCtx) })
	inner.Go(func() error { return snapshots.Maker.Run(innerCtx) })

	outer, outerCtx := errgroup.WithContext(ctx)
	outer.Go(func() error { return rpc.Serve(outerCtx, doors[0], handler) })
	outer.Go(func() error { return rpc.Serve(outerCtx, doors[1], hub) })
	outer.Go(func() error { return hub.Run(outerCtx) })
	outer.Go(func() error { return money.run(outerCtx) })
	if len(doors) > 2 {
		outer.Go(func() error { return rpc.Serve(outerCtx, doors[2], figures.Handler()) })
	}
	outer.Go(func() error { return p.watchDisk(outerCtx) })
	outer.Go(func() error { // consensus that ends by itself, or needs another program, closes the doors
		select {
		case <-outerCtx.Done():
			return nil
		case <-app.Needed():
			return app.Halt()
		case <-innerCtx.Done():
			return context.Cause(innerCtx)
		}
	})
	if p.joins(chain) {
		p.opt.Log.Info("state sync: asking peers for a snapshot", "rpc", doors[0].Addr().String())
		outer.Go(func() error { return synced(outerCtx, app, cons, chain) })
	} else {
		p.announce(chain, doors)
	}
	err = outer.Wait()
	app.Stop()
	stopCons()
	if failed := ignoreCanceled(inner.Wait()); failed != nil && !errors.Is(err, failed) {
		return errors.Join(err, failed)
	}
	return err
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (p *parts) announce(chain *evm.Chain, doors []net.Listener) {
	d := Doors{RPC: doors[0].Addr().String(), WS: doors[1].Addr().String(), EthHTTP: bare(chain.HTTPEndpoint()), EthWS: bare(chain.WSEndpoint())}
	if len(doors) > 2 {
		d.Metrics = doors[2].Addr().String()
	}
	p.opt.Log.Info("node is open", "chain", p.state.CometID(), "validator", p.validator, "rpc", d.RPC, "ws", d.WS, "eth", d.EthHTTP, "eth_ws", d.EthWS, "metrics", d.Metrics)
	if p.opt.Ready != nil {
		p.opt.Ready(d)
	}
}

// bare takes the scheme off an address.
func bare(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	return rest
}

// mode checks that the configuration and the genesis agree.
func mode(c config.Config, s *genesis.State) error {
	if c.ConsensusMode != s.Mode {
		return fmt.Errorf("consensus mode is %q here and %q in the genesis", c.ConsensusMode, s.Mode)
	}
	return nil
}
