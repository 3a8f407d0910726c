package abci

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/genesis"
)

// Config is what an application needs.
type Config struct {
	Chain   *evm.Chain
	Genesis *genesis.State
	Log     *slog.Logger
	// Hold is how long a proposer waits for work before it proposes an empty block.
	Hold time.Duration
	// BuildTime bounds the choosing and running of a proposal's transactions.
	BuildTime time.Duration
	// Committed, if set, is told of every block after it is final. It must not block.
	Committed func(*exec.Result)
	// Timer, if set, is told how long blocks take.
	Timer Timer
	// Snapshots are for nodes that join.
	Snapshots Snapshots
	// Retention says which old blocks may go.
	Retention Retention
}

// Timer hears how long it took to make a proposal once there was work, and to run a block that another node made.
type Timer interface {
	Built(time.Duration)
	Executed(time.Duration)
}

// App implements CometBFT's Application. The consensus calls come one at a time; those of the mempool and of queries
// run beside them.
type App struct {
	abci.BaseApplication
	cfg  Config
	exec *exec.Executor

	cache map[common.Hash]*exec.Result // executions of the height being decided; consensus calls only
	next  *exec.Result                 // decided, to be committed; consensus calls only

	halt   error         // upgrade.ErrNeeded and why, from the block before the one that needs it; consensus calls only
	needed chan struct{} // closed after halt was set
	plan   exec.Plan     // as last read
	pace   pace          // of proposals; consensus calls only

	failedCalls atomic.Uint64
	stop        chan struct{}
	stopOnce    sync.Once
	synced      chan error // one word on state sync; snapshot calls only
	inbox       *inbox

	// mu guards gossip.
	mu     sync.Mutex
	gossip [][]byte
}

// maxGossip bounds the transactions waiting to be told to peers. When it is full new ones are not told: they stay in
// our own pool, and their sender's node or a later block spreads them.
const maxGossip = 16384

// New makes an application on an open chain. It returns upgrade.ErrNeeded if the next block belongs to another program.
func New(cfg Config) (*App, error) {
	if cfg.Chain == nil || cfg.Genesis == nil || cfg.Log == nil || cfg.BuildTime <= 0 || cfg.Hold < 0 {
		return nil, errors.New("abci: incomplete configuration")
	}
	a := &App{
		cfg: cfg, exec: exec.New(cfg.Chain.BlockChain(), cfg.Genesis.Calls()),
		inbox: newInbox(), pace: newPace(cfg.BuildTime, cfg.Chain.PoolWait()),
		cache: map[common.Hash]*exec.Result{}, stop: make(chan struct{}), synced: make(chan error, 1), needed: make(chan struct{}),
	}
	if a.lookAhead(); a.halt != nil {
		return nil, a.halt
	}
	return a, nil
}

// Run takes peers' transactions into the pool, and tells peers of new ones, until ctx ends.
func (a *App) Run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		for txs := a.inbox.take(ctx); txs != nil; txs = a.inbox.take(ctx) {
			a.cfg.Chain.Relay(txs)
		}
		return nil
	})
	parts.Go(func() error { return a.collect(ctx) })
	return parts.Wait()
}

// collect gathers new transactions for gossip.
func (a *App) collect(ctx context.Context) error {
	events := make(chan core.NewTxsEvent, 1024)
	sub := a.cfg.Chain.Pool().SubscribeTransactions(events, false)
	defer sub.Unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-sub.Err():
			if err != nil {
				return fmt.Errorf("transaction pool: %w", err)
			}
			return nil // the pool has closed
		case ev := <-events:
			a.tell(ev)
		}
	}
}

func (a *App) tell(ev core.NewTxsEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, tx := range ev.Txs {
		if len(a.gossip) >= maxGossip {
			return
		}
		if raw, err := tx.MarshalBinary(); err == nil {
			a.gossip = append(a.gossip, raw)
		}
	}
}

// Stop lets a held proposal go at once, so that the node can stop. It may be called more than once.
func (a *App) Stop() { a.stopOnce.Do(func() { close(a.stop) }) }

// FailedCalls counts the system calls that reverted since the node started.
func (a *App) FailedCalls() uint64 { return a.failedCalls.Load() }

// Info tells CometBFT which block the application has; it replays whatever comes after.
func (a *App) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	head := a.cfg.Chain.Head()
	res := &abci.ResponseInfo{Data: "aitbc", AppVersion: Version, LastBlockHeight: head.Number.Int64()}
	if head.Number.Sign() > 0 {
		res.LastBlockAppHash = head.Hash().Bytes()
	}
	a.cfg.Log.Info("chain opened", "height", head.Number.Uint64(), "hash", head.Hash())
	return res, nil
}

// Version of the application's rules, in every CometBFT header.
const Version = 1

// InitChain checks that the database was made from the genesis that CometBFT has.
func (a *App) InitChain(_ context.Context, r *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	s, err := genesis.Parse(r.AppStateBytes)
	if err != nil {
		return nil, err
	}
	have := a.cfg.Chain.BlockChain().Genesis().Hash()
	if got := s.Hash(); got != have {
		return nil, fmt.Errorf("genesis is of block %v, the database was made from %v", got, have)
	}
	if r.ChainId != s.CometID() {
		return nil, fmt.Errorf("chain id %q does not fit the genesis, whose is %q", r.ChainId, s.CometID())
	}
	if err := sameSet(s.Set(), r.Validators); err != nil {
		return nil, err
	}
	return &abci.ResponseInitChain{AppHash: have.Bytes()}, nil
}

// Query is not offered: the Ethereum JSON-RPC answers all questions.
func (a *App) Query(context.Context, *abci.RequestQuery) (*abci.ResponseQuery, error) {
	return &abci.ResponseQuery{Code: 1, Log: "use the Ethereum JSON-RPC"}, nil
}
