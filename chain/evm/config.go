package evm

import (
	"errors"
	"fmt"
	"math/big"
	"net"
	"runtime"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/txpool/legacypool"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/aitbc/aitbc/chain/intake"
)

// Config says where a chain lives and what it serves.
type Config struct {
	// Dir is the data directory; a lock in it keeps a second process out.
	Dir string
	// Genesis is the first block. It must be the one that the directory was made with.
	Genesis *core.Genesis
	// HTTP and WS are "host:port" for the Ethereum JSON-RPC; empty serves nothing, port 0 takes a free one.
	HTTP string
	WS   string
	// CORSOrigins may call the HTTP door from a browser page, VirtualHosts are the accepted Host names.
	CORSOrigins  []string
	VirtualHosts []string
	// Archive keeps and indexes the state of every block; without it the last StateHistory blocks are kept.
	Archive      bool
	StateHistory uint64
	// FlushEvery is the number of blocks between forced writes of the state to disk: the longest replay after a crash.
	FlushEvery uint64
	// IndexLogs keeps an index of all events, so that eth_getLogs need not look at every header of a long range. The index
	// is made in maps of 65,536 entries, and writing one takes half a second of a processor.
	IndexLogs bool
	// Alone says that there are no other nodes, whose votes a flood of signatures to check could delay: all processors
	// may check them then, otherwise half.
	Alone bool
	// PoolWait is how long a transaction may wait in the pool before others are refused; 0 is [intake.Target].
	PoolWait time.Duration
	// Refused, if set, is told of every transaction that the pool does not take.
	Refused func(Refusal)
}

// Validate reports what cannot work.
func (c Config) Validate() error {
	if c.Dir == "" || c.Genesis == nil {
		return errors.New("evm: a directory and a genesis are needed")
	}
	if c.FlushEvery == 0 {
		return errors.New("evm: FlushEvery must be at least 1")
	}
	for _, a := range []string{c.HTTP, c.WS} {
		if a == "" {
			continue
		}
		if _, _, err := hostPort(a); err != nil {
			return err
		}
	}
	return nil
}

func hostPort(address string) (string, int, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: %w", address, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: %w", address, err)
	}
	return host, int(n), nil
}

// loopback reports whether only this machine can reach host.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// modules are the JSON-RPC namespaces of one listener: those that can stop or slow a node stay on loopback.
func modules(host string) []string {
	m := []string{"eth", "net", "web3"}
	if loopback(host) {
		m = append(m, "debug", "txpool")
	}
	return m
}

func (c Config) stack() (*node.Config, error) {
	n := &node.Config{
		Name: "evm", DataDir: c.Dir,
		HTTPCors: c.CORSOrigins, HTTPVirtualHosts: c.VirtualHosts, WSOrigins: c.CORSOrigins,
		HTTPTimeouts: rpc.DefaultHTTPTimeouts, BatchRequestLimit: 1000, BatchResponseMaxSize: 25 << 20,
		P2P: p2p.Config{MaxPeers: 0, NoDiscovery: true, NoDial: true},
	}
	var err error
	if c.HTTP != "" {
		if n.HTTPHost, n.HTTPPort, err = hostPort(c.HTTP); err != nil {
			return nil, err
		}
		n.HTTPModules = modules(n.HTTPHost)
	}
	if c.WS != "" {
		if n.WSHost, n.WSPort, err = hostPort(c.WS); err != nil {
			return nil, err
		}
		n.WSModules = modules(n.WSHost)
	}
	return n, nil
}

// checks is how many signatures may be checked at once.
func (c Config) checks() int {
	n := runtime.GOMAXPROCS(0)
	if c.Alone {
		return n
	}
	return max(1, n/2)
}

// pendingTime bounds the making of the pending state from the pool.
const pendingTime = 50 * time.Millisecond

func (c Config) service() *ethconfig.Config {
	e := ethconfig.Defaults
	e.Genesis, e.NetworkId = c.Genesis, c.Genesis.Config.ChainID.Uint64()
	e.SyncMode, e.StateScheme = ethconfig.FullSync, rawdb.PathScheme
	e.DatabaseCache, e.TrieCleanCache, e.TrieDirtyCache, e.SnapshotCache = 32, 32, 32, 32
	e.TxPool = Pool()
	// The pending state is made only when somebody asks for it, once a block.
	e.Miner.GasCeil, e.Miner.Recommit, e.Miner.GasPrice = c.Genesis.GasLimit, pendingTime, new(big.Int).SetUint64(e.TxPool.PriceLimit)
	e.EthDiscoveryURLs, e.SnapDiscoveryURLs = nil, nil
	e.RPCTxFeeCap = 0        // the sender's own wallet decides what a transaction may cost
	e.TransactionHistory = 0 // every transaction can be found
	e.LogNoHistory = !c.IndexLogs
	e.StateHistory, e.TrienodeHistory = c.StateHistory, -1
	if c.Archive {
		e.NoPruning, e.StateHistory, e.TrienodeHistory = true, 0, 0
	}
	return &e
}

// Pool bounds the transaction pool. What waits for room in a block is bounded before it by package intake, which knows
// how long it waits; these bounds are above that, and bound what waits for its turn.
func Pool() legacypool.Config {
	c := legacypool.DefaultConfig
	c.NoLocals, c.Journal = true, ""
	c.PriceLimit = 1
	c.AccountSlots, c.GlobalSlots = intake.SenderSlots, 6144
	c.AccountQueue, c.GlobalQueue = 64, 1024
	return c
}
