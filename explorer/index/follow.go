package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"
)

// How a chain is read.
const (
	parallel    = 8     // blocks asked for at a time
	rangeBlocks = 512   // at most, in one transaction of the store
	rangeTxs    = 4_000 // after which a range is ended
	pollHead    = 200 * time.Millisecond
	retryAfter  = 2 * time.Second
)

// Errors that end a [Follower]: asking again would not help.
var (
	// ErrOtherChain reports a node of another network than the index's.
	ErrOtherChain = errors.New("the index was made from another chain: use another database, or delete this one to have it made again")
	// ErrPruned reports a node that does not have the next block any more.
	ErrPruned = errors.New("the node no longer has the next block: index from a node that keeps all blocks")
)

// Source is a node.
type Source interface {
	Tip(ctx context.Context) (Tip, error)
	Block(ctx context.Context, height uint64) (Block, error)
}

// Position is how far a store is.
type Position struct {
	Network // zero: nothing is stored
	Next    uint64
	Last    common.Hash // of block Next-1
}

// Store keeps what is indexed.
type Store interface {
	Position(ctx context.Context) (Position, error)
	// Begin notes of which network the index is, and its first block. It is called on an
	// empty store, and changes nothing if another explorer has begun it meanwhile.
	Begin(ctx context.Context, n Network, first uint64) error
	// Append adds the next blocks, all or none, but for those that are there already. It
	// returns [ErrOtherChain] for blocks that do not follow.
	Append(ctx context.Context, blocks []Block) error
}

// Follower brings a store up to a node's newest block and keeps it there.
type Follower struct {
	Source Source
	Store  Store
	Log    *slog.Logger
	// Added is told of blocks that are in the store now, in order. It may be nil.
	Added func(blocks []Block)
}

// Run follows the node until ctx is done. What the node fails to answer is asked
// again; [ErrOtherChain], [ErrPruned] and what the store refuses are returned.
func (f *Follower) Run(ctx context.Context) error {
	for {
		err := f.catchUp(ctx, nil)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
		case errors.Is(err, errNode):
			f.Log.WarnContext(ctx, "the node could not be read", "err", err)
		default:
			return err
		}
		wait := pollHead
		if err != nil {
			wait = retryAfter
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// CatchUp brings the store up to the node's newest block, or to the block until
// if that comes first, and returns. Its errors are those of [Follower.Run] and
// of reading the node.
func (f *Follower) CatchUp(ctx context.Context, until uint64) error { return f.catchUp(ctx, &until) }

// errNode marks what the node failed to answer.
var errNode = errors.New("read node")

func (f *Follower) catchUp(ctx context.Context, until *uint64) error {
	tip, err := f.Source.Tip(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errNode, err)
	}
	p, err := f.position(ctx, tip)
	if err != nil {
		return err
	}
	head := tip.Head
	if until != nil {
		head = min(head, *until)
	}
	if p.Next > head {
		return nil
	}
	if p.Next < tip.First {
		return fmt.Errorf("block %d, the node's first is %d: %w", p.Next, tip.First, ErrPruned)
	}
	// One range is read while the one before is written.
	ranges := make(chan []Block, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(ranges)
		return f.read(ctx, p.Next, head, ranges)
	})
	g.Go(func() error {
		for blocks := range ranges {
			if err := f.add(ctx, &p, blocks); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// position returns where the store stands, having begun it if it is empty.
func (f *Follower) position(ctx context.Context, tip Tip) (Position, error) {
	p, err := f.Store.Position(ctx)
	if err != nil {
		return p, err
	}
	if p.Network == (Network{}) {
		if err := f.Store.Begin(ctx, tip.Network, tip.First); err != nil {
			return p, err
		}
		if p, err = f.Store.Position(ctx); err != nil {
			return p, err
		}
	}
	if p.Network != tip.Network {
		return p, fmt.Errorf("the node is of chain %d with genesis %s, the index of chain %d with genesis %s: %w",
			tip.ChainID, tip.Genesis, p.ChainID, p.Genesis, ErrOtherChain)
	}
	return p, nil
}

// answer is a block, or why there is none.
type answer struct {
	block Block
	err   error
}

// read sends the blocks from next to head, in ranges. While one is waited for, those after it
// are asked for.
func (f *Follower) read(ctx context.Context, next, head uint64, out chan<- []Block) error {
	ctx, stop := context.WithCancel(ctx)
	var g errgroup.Group
	defer func() { _ = g.Wait() }() // there is nothing that it could tell
	defer stop()
	asked := make(chan chan answer, parallel)
	g.Go(func() error {
		defer close(asked)
		for h := next; h <= head; h++ {
			one := make(chan answer, 1)
			select {
			case asked <- one:
			case <-ctx.Done():
				return nil
			}
			g.Go(func() error {
				b, err := f.Source.Block(ctx, h)
				one <- answer{b, err}
				return nil
			})
		}
		return nil
	})
	var blocks []Block
	txs := 0
	for one := range asked {
		a := <-one
		if a.err != nil {
			return fmt.Errorf("%w: %w", errNode, a.err)
		}
		blocks = append(blocks, a.block)
		if txs += len(a.block.Txs); a.block.Height < head && len(blocks) < rangeBlocks && txs < rangeTxs {
			continue
		}
		select {
		case out <- blocks:
			blocks, txs = nil, 0
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// add puts a range into the store, once it follows what is there.
func (f *Follower) add(ctx context.Context, p *Position, blocks []Block) error {
	for i := range blocks {
		b := &blocks[i]
		if b.Height != p.Next || (p.Last != (common.Hash{}) && b.Parent != p.Last) {
			return fmt.Errorf("block %d has parent %s and block %d is %s: %w", b.Height, b.Parent, p.Next-1, p.Last, ErrOtherChain)
		}
		p.Next, p.Last = b.Height+1, b.Hash
	}
	if err := f.Store.Append(ctx, blocks); err != nil {
		return fmt.Errorf("index blocks %d to %d: %w", blocks[0].Height, p.Next-1, err)
	}
	if f.Added != nil {
		f.Added(blocks)
	}
	return nil
}
