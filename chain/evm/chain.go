package evm

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/eth/tracers"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native" // the call tracers behind debug_trace*
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/aitbc/aitbc/chain/intake"
)

// Chain is an open chain. Its methods may be called from any goroutine, except Commit, which has one caller.
type Chain struct {
	bc         *core.BlockChain
	pool       *txpool.TxPool
	gate       *intake.Gate
	db         ethdb.Database
	stack      *node.Node
	flushEvery uint64
	archive    bool
	flushed    atomic.Uint64
	refused    func(Refusal)
	dir        string
	imported   atomic.Bool   // no block was committed since an import
	recovering chan struct{} // has room for as many signatures as may be checked at once
}

// Open opens or creates the chain in cfg.Dir and starts serving it. Close must be called.
func Open(cfg Config) (*Chain, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sc, err := cfg.stack()
	if err != nil {
		return nil, err
	}
	if err := afresh(sc, cfg.Dir); err != nil {
		return nil, err
	}
	if err := prepare(sc, cfg); err != nil {
		return nil, err
	}
	return start(sc, cfg)
}

// prepare writes the first block of a new chain. go-ethereum decides when it opens a database whether to index old
// states from now on; it does so at once only if there is a recent block by then. And until it has indexed a second
// block it answers "indexing is in progress" to whoever asks for a transaction that is not there yet, unless it finds
// that everything is indexed from the first block on.
func prepare(sc *node.Config, cfg Config) error {
	if _, err := os.Stat(filepath.Join(cfg.Dir, sc.Name, "chaindata")); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	quiet := *sc
	quiet.HTTPHost, quiet.WSHost = "", ""
	c, err := start(&quiet, cfg)
	if err != nil {
		return err
	}
	rawdb.WriteTxIndexTail(c.db, 0)
	return c.Close()
}

func begin(sc *node.Config, cfg Config) (*Chain, error) {
	stack, err := node.New(sc)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Dir, err)
	}
	c, err := open(stack, cfg)
	if err != nil {
		_ = stack.Close() // the first error says more
		return nil, err
	}
	return c, nil
}

func open(stack *node.Node, cfg Config) (*Chain, error) {
	svc, err := eth.New(stack, cfg.service())
	if err != nil {
		return nil, fmt.Errorf("open chain in %s: %w", cfg.Dir, err)
	}
	c := &Chain{
		bc: svc.BlockChain(), pool: svc.TxPool(), gate: intake.New(cmp.Or(cfg.PoolWait, intake.Target)), db: svc.ChainDb(), stack: stack, flushEvery: cfg.FlushEvery,
		archive: cfg.Archive, refused: cfg.Refused, dir: cfg.Dir,
		recovering: make(chan struct{}, cfg.checks()),
	}
	c.imported.Store(marked(cfg.Dir, imported))
	submit, err := newSubmitAPI(c, svc.APIs())
	if err != nil {
		return nil, err
	}
	fs := filters.NewFilterSystem(svc.APIBackend, filters.Config{})
	ours := slices.Concat([]rpc.API{
		{Namespace: "eth", Service: filters.NewFilterAPI(fs)},
		{Namespace: "eth", Service: submit}, // after the stock service, whose methods of those names it replaces
	}, tracers.APIs(svc.APIBackend))
	stack.RegisterAPIs(ours)
	if err := cfg.door(stack, slices.Concat(svc.APIs(), ours)); err != nil {
		return nil, fmt.Errorf("serve the Ethereum JSON-RPC: %w", err)
	}
	if err := stack.Start(); err != nil {
		return nil, fmt.Errorf("serve the Ethereum JSON-RPC: %w", err)
	}
	svc.SetSynced()
	return c, nil
}

// Close stops serving, writes the state to disk and closes the database.
func (c *Chain) Close() error {
	if err := c.stack.Close(); err != nil {
		return fmt.Errorf("close chain: %w", err)
	}
	return nil
}

// BlockChain is go-ethereum's view of the chain.
func (c *Chain) BlockChain() *core.BlockChain { return c.bc }

// PoolWait is how long a transaction may wait in the pool.
func (c *Chain) PoolWait() time.Duration { return c.gate.Wait() }

// Pool is the transaction pool.
func (c *Chain) Pool() *txpool.TxPool { return c.pool }

// HTTPEndpoint is the address of the HTTP JSON-RPC as a URL.
func (c *Chain) HTTPEndpoint() string { return c.stack.HTTPEndpoint() }

// WSEndpoint is the address of the WebSocket JSON-RPC as a URL.
func (c *Chain) WSEndpoint() string { return c.stack.WSEndpoint() }

// Head is the header of the last committed block.
func (c *Chain) Head() *types.Header { return c.bc.CurrentBlock() }

// Archive reports whether the states of all blocks are kept.
func (c *Chain) Archive() bool { return c.archive }

// Flushed is the height whose state was last forced to disk by Commit; 0 before the first time.
func (c *Chain) Flushed() uint64 { return c.flushed.Load() }

// StateAt opens the state after the block of the header, from memory, disk or, on an archive node, history.
func (c *Chain) StateAt(h *types.Header) (*state.StateDB, error) {
	st, err := c.bc.StateAt(h.Root, h.Number, h.Time)
	if err == nil {
		return st, nil
	}
	if !c.archive {
		return nil, fmt.Errorf("state of block %d: %w, but nodes with storage.archive = true do: %w", h.Number, ErrPruned, err)
	}
	if st, err = c.bc.HistoricState(h.Root, h.Number, h.Time); err != nil {
		return nil, fmt.Errorf("state of block %d: %w", h.Number, err)
	}
	return st, nil
}

// Sealed is an executed block on its way to disk.
type Sealed struct {
	Block    *types.Block
	Receipts types.Receipts
	State    *state.StateDB
	// Issued and Burned are what this block alone added to and took from the supply.
	Issued, Burned *big.Int
	// Paused is how long nobody proposed the block, as when its first proposer was dead: no transaction that waited for it
	// waited for the work of others then.
	Paused time.Duration
}

// Commit makes the block, which must follow the head, the new final head.
func (c *Chain) Commit(s Sealed) error {
	b := s.Block
	if err := c.write(s); err != nil {
		return err
	}
	rules := c.bc.Config().Rules(b.Number(), true, b.Time())
	root, err := s.State.Commit(rules, b.NumberU64())
	if err != nil {
		return fmt.Errorf("commit state of block %d: %w", b.NumberU64(), err)
	}
	if root != b.Root() {
		return fmt.Errorf("block %d: state root is %v, header says %v", b.NumberU64(), root, b.Root())
	}
	// A block is final before it is the head, so nobody finds a head that is not.
	c.bc.SetSafe(b.Header())
	c.bc.SetFinalized(b.Header())
	if _, err := c.bc.SetCanonical(b); err != nil {
		return fmt.Errorf("make block %d the head: %w", b.NumberU64(), err)
	}
	c.committed(s)
	if b.NumberU64()%c.flushEvery == 0 {
		if err := c.flush(root, b.NumberU64()); err != nil {
			return err
		}
	}
	if c.imported.CompareAndSwap(true, false) {
		if err := os.Remove(filepath.Join(c.dir, imported)); err != nil {
			return fmt.Errorf("unmark the import: %w", err)
		}
	}
	return nil
}

// flush writes the head's state to disk, in the background. Flushing takes older states out of memory; the pool must
// not be reading one of them: it would find no balances.
func (c *Chain) flush(root common.Hash, number uint64) error {
	if c.flushed.Load() == number {
		return nil
	}
	if err := c.pool.Sync(); err != nil {
		return fmt.Errorf("move the pool to block %d: %w", number, err)
	}
	if err := c.bc.TrieDB().Commit(root, false); err != nil {
		return fmt.Errorf("flush state of block %d: %w", number, err)
	}
	c.flushed.Store(number)
	return nil
}

// write stores block, receipts and supply in one batch; until SetCanonical nothing points at them.
func (c *Chain) write(s Sealed) error {
	b := s.Block
	before, err := c.Supply(b.ParentHash())
	if err != nil {
		return err
	}
	batch := c.db.NewBatch()
	defer batch.Close()
	rawdb.WriteBlock(batch, b)
	rawdb.WriteReceipts(batch, b.Hash(), b.NumberU64(), s.Receipts)
	if err := putSupply(batch, b.Hash(), before.add(s.Issued, s.Burned)); err != nil {
		return err
	}
	if err := batch.Write(); err != nil {
		return fmt.Errorf("write block %d: %w", b.NumberU64(), err)
	}
	return c.remember(b)
}

// Transaction finds a committed transaction: its block, its index there and its receipt. ok is false if there is none.
func (c *Chain) Transaction(hash common.Hash) (tx *types.Transaction, header *types.Header, receipt *types.Receipt, ok bool) {
	at, tx := c.bc.GetCanonicalTransaction(hash)
	if at == nil {
		return nil, nil, nil, false
	}
	receipts := c.bc.GetReceiptsByHash(at.BlockHash)
	header = c.bc.GetHeader(at.BlockHash, at.BlockIndex)
	if header == nil || at.Index >= uint64(len(receipts)) {
		return nil, nil, nil, false
	}
	return tx, header, receipts[at.Index], true
}
