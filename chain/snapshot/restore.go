package snapshot

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/evm"
)

// Target says what a snapshot must be of.
type Target struct {
	// Genesis is the hash of the chain's first block, Supply what it gave away.
	Genesis common.Hash
	Supply  *big.Int
	// Height and Block are what the chain vouches for.
	Height uint64
	Block  common.Hash
}

func (t Target) check(m *Manifest) error {
	switch {
	case m.Genesis != t.Genesis:
		return fmt.Errorf("%w: it is of the chain that begins with %v, not %v", ErrCorrupt, m.Genesis, t.Genesis)
	case m.Height != t.Height || m.Block != t.Block:
		return fmt.Errorf("%w: it is of block %d %v, not %d %v", ErrCorrupt, m.Height, m.Block, t.Height, t.Block)
	default:
		return nil
	}
}

// Chunks hands out the chunks of a snapshot. What it returns is valid until the next call.
type Chunks func(index int) ([]byte, error)

// Verify reads a whole snapshot and checks it. It returns ErrCorrupt, or an error of chunks.
func Verify(m *Manifest, t Target, chunks Chunks) error {
	if err := t.check(m); err != nil {
		return err
	}
	_, err := pass(m, t.Supply, nil, chunks)
	return err
}

func pass(m *Manifest, supply *big.Int, sink Sink, chunks Chunks) (*walk, error) {
	opener, err := newOpener()
	if err != nil {
		return nil, err
	}
	defer opener.close()
	w := newWalk(m, supply, sink)
	for i, want := range m.Chunks {
		raw, err := chunks(i)
		if err != nil {
			return nil, err
		}
		plain, err := opener.open(raw, want)
		if err != nil {
			return nil, fmt.Errorf("chunk %d: %w", i, err)
		}
		if err := w.chunk(plain); err != nil {
			return nil, fmt.Errorf("chunk %d: %w", i, err)
		}
	}
	return w, w.finish()
}

// Restore makes the snapshot the state of a chain that is at its genesis. The snapshot must have been verified: Restore
// checks everything again, but a chain into which a wrong one was written begins anew when it is next opened.
func Restore(chain *evm.Chain, m *Manifest, t Target, chunks Chunks) error {
	if err := t.check(m); err != nil {
		return err
	}
	imp, err := chain.Import()
	if err != nil {
		return err
	}
	w, err := pass(m, t.Supply, imp, chunks)
	if err != nil {
		return err
	}
	if err := imp.Finish(w.head()); err != nil {
		return fmt.Errorf("restore block %d: %w", m.Height, err)
	}
	if got := chain.Head().Hash(); got != t.Block {
		return errors.Join(ErrCorrupt, fmt.Errorf("restored block %v instead of %v", got, t.Block))
	}
	return nil
}
