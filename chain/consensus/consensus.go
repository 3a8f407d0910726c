// Package consensus runs CometBFT in process around the application, without its own RPC server.
package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/core"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitbc/aitbc/chain/config"
)

// Config is what consensus needs.
type Config struct {
	// Dir holds CometBFT's databases and log.
	Dir     string
	App     abci.Application
	Genesis *cmttypes.GenesisDoc
	Signer  cmttypes.PrivValidator
	NodeKey *p2p.NodeKey
	// Listen is "host:port" for peers, Peers are kept connected.
	Listen string
	Peers  []string
	// BlockTime is the longest time between blocks, Gap the shortest, BuildTime what making one takes at most.
	BlockTime, Gap, BuildTime time.Duration
	// StateSync lets a node without blocks begin from a snapshot of its peers.
	StateSync config.StateSync
	Log       *slog.Logger
	// Metrics, if set, takes CometBFT's figures.
	Metrics prometheus.Registerer
}

// Node is a CometBFT node.
type Node struct {
	node *node.Node
	env  *core.Environment
	log  log.Logger
}

// ErrStopped is returned when consensus ended by itself: a block could not be decided or executed.
var ErrStopped = errors.New("consensus has stopped")

// Open opens CometBFT's databases and replays into the application whatever it has not got. Run must be called:
// it alone closes them.
func Open(ctx context.Context, c Config) (*Node, error) {
	l := logger{c.Log.With("part", "consensus")}
	cc := settings(c)
	if err := cc.ValidateBasic(); err != nil {
		return nil, fmt.Errorf("consensus settings: %w", err)
	}
	n, err := node.NewNodeWithContext(ctx, cc, c.Signer, c.NodeKey,
		// Each connection of the application has its own lock: one for all would shut the mempool out while a proposal is held.
		proxy.NewConnSyncLocalClientCreator(c.App),
		func() (*cmttypes.GenesisDoc, error) { return c.Genesis, nil },
		openGate, figures(c.Metrics), l)
	if err != nil {
		return nil, fmt.Errorf("open consensus: %w", err)
	}
	env, err := n.ConfigureRPC()
	if err != nil {
		return nil, fmt.Errorf("open consensus: %w", err)
	}
	return &Node{node: n, env: env, log: l}, nil
}

// discovery is how long a node that syncs asks its peers for snapshots before it chooses one.
const discovery = 5 * time.Second

// votesWait is how long the votes of those who are slower than two thirds are waited for: some ways around the world.
const votesWait = 400 * time.Millisecond

// dbPath is where CometBFT's databases are in the data folder.
const dbPath = "db"

func settings(c Config) *cfg.Config {
	cc := cfg.DefaultConfig()
	cc.SetRoot(c.Dir)
	cc.DBPath = dbPath
	cc.P2P.AddrBook = "addrbook.json"
	cc.Consensus.WalPath = "wal/wal"
	cc.RPC.ListenAddress = "" // we serve its routes ourselves, with our own
	cc.P2P.ListenAddress = "tcp://" + c.Listen
	cc.P2P.PersistentPeers = strings.Join(c.Peers, ",")
	cc.P2P.AddrBookStrict, cc.P2P.AllowDuplicateIP = false, true
	cc.Consensus.TimeoutCommit = c.Gap
	// A held proposal must not look like a missing one. A validator that is dead costs this and one votesWait whenever it
	// should propose; every further round gives half a second more to those that are slow.
	cc.Consensus.TimeoutPropose = c.BlockTime + c.BuildTime + votesWait
	cc.Consensus.TimeoutPrevote, cc.Consensus.TimeoutPrecommit = votesWait, votesWait
	cc.Consensus.CreateEmptyBlocks = true
	cc.Consensus.PeerGossipSleepDuration = 10 * time.Millisecond
	cc.Mempool.Type = cfg.MempoolTypeApp
	cc.Mempool.ReapInterval = 20 * time.Millisecond
	if len(c.Peers) == 0 {
		cc.Mempool.ReapInterval = time.Second // nobody to tell
	}
	cc.Mempool.MaxBatchBytes = 1 << 20
	cc.TxIndex.Indexer = "null" // transactions are found in the Ethereum database
	cc.Storage.DiscardABCIResponses = false
	if s := c.StateSync; s.Enabled {
		cc.StateSync.Enable, cc.StateSync.TempDir = true, c.Dir
		cc.StateSync.RPCServers = s.RPCServers
		cc.StateSync.TrustHeight, cc.StateSync.TrustHash = s.TrustHeight, strings.TrimPrefix(strings.ToLower(s.TrustHash), "0x")
		cc.StateSync.TrustPeriod = time.Duration(s.TrustPeriod)
		cc.StateSync.DiscoveryTime = discovery
	}
	return cc
}

// Run takes part in consensus until ctx ends, and then stops. It returns ErrStopped if consensus ends by itself.
func (n *Node) Run(ctx context.Context) error {
	if err := n.node.Start(); err != nil {
		return fmt.Errorf("start consensus: %w", err)
	}
	ended := make(chan struct{})
	if w, ok := n.env.ConsensusState.(interface{ Wait() }); ok {
		// It ends when consensus does, which Stop below brings about; but consensus that never began, since the node
		// was still catching up, never ends either, and so nothing waits for this.
		var watch sync.WaitGroup
		watch.Go(func() {
			w.Wait()
			close(ended)
		})
	}
	var failure error
	select {
	case <-ctx.Done():
	case <-ended:
		failure = ErrStopped
	}
	if err := n.node.Stop(); err != nil && failure == nil {
		failure = fmt.Errorf("stop consensus: %w", err)
	}
	n.node.Wait()
	return failure
}

// Env is what CometBFT's RPC routes work on.
func (n *Node) Env() *core.Environment { return n.env }

// Logger is for CometBFT's RPC server.
func (n *Node) Logger() log.Logger { return n.log }

// Decided reads what was decided.
func (n *Node) Decided() Decided { return Decided{n.env} }
