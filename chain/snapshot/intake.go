package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"os"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/evm"
)

// Intake takes one snapshot from peers, chunk by chunk. It checks each chunk as it comes and keeps it in a folder; the
// chain is written when the last one has come and everything is right. It has one caller at a time.
type Intake struct {
	chain  *evm.Chain
	dir    string
	supply *big.Int

	m      *Manifest
	target Target
	opener *opener
	walk   *walk
	have   int
}

// ErrChunk is returned for a chunk that is not the one of the manifest: another peer may have the right one.
var ErrChunk = errors.New("not the chunk of this snapshot")

// ErrOrder is returned for a chunk that nobody waits for.
var ErrOrder = errors.New("no such chunk is expected")

// NewIntake makes an intake for an empty chain. The folder is its own. Supply is what genesis gave away.
func NewIntake(chain *evm.Chain, dir string, supply *big.Int) *Intake {
	return &Intake{chain: chain, dir: dir, supply: supply}
}

// Offered is what a peer says of its snapshot, and what the chain says of that height.
type Offered struct {
	Height   uint64
	Format   uint32
	Chunks   uint32
	Hash     []byte
	Manifest []byte
	Block    common.Hash // the app hash that the validators have signed
}

// Offer begins with a snapshot and forgets any before it. It returns ErrFormat, ErrCorrupt or evm.ErrNotEmpty to refuse.
func (i *Intake) Offer(o Offered) error {
	if err := i.Abandon(); err != nil {
		return err
	}
	if o.Format != Format {
		return fmt.Errorf("%w: %d", ErrFormat, o.Format)
	}
	if n := i.chain.Head().Number; n.Sign() > 0 {
		return fmt.Errorf("%w: %d", evm.ErrNotEmpty, n)
	}
	m, err := ParseManifest(o.Manifest)
	if err != nil {
		return err
	}
	if hash := sha256.Sum256(o.Manifest); string(hash[:]) != string(o.Hash) || int(o.Chunks) != len(m.Chunks) {
		return fmt.Errorf("%w: the manifest is not what was announced", ErrCorrupt)
	}
	t := Target{Genesis: i.chain.BlockChain().Genesis().Hash(), Supply: i.supply, Height: o.Height, Block: o.Block}
	if err := t.check(m); err != nil {
		return err
	}
	if err := os.MkdirAll(i.dir, 0o700); err != nil {
		return fmt.Errorf("take snapshot: %w", err)
	}
	if i.opener, err = newOpener(); err != nil {
		return err
	}
	i.m, i.target, i.walk, i.have = m, t, newWalk(m, i.supply, nil), 0
	return nil
}

// Take takes the next chunk. After the last, done, the chain has the snapshot's state. It returns ErrChunk or ErrOrder,
// and nothing has changed; ErrCorrupt if no peer can have the rest of this snapshot, as its chunks contradict the block;
// any other error leaves the chain unusable until it is opened again.
func (i *Intake) Take(index uint32, chunk []byte) (done bool, err error) {
	if i.m == nil || int(index) != i.have {
		return false, fmt.Errorf("%w: %d", ErrOrder, index)
	}
	if sha256.Sum256(chunk) != i.m.Chunks[index] {
		return false, fmt.Errorf("%w: %d", ErrChunk, index)
	}
	plain, err := i.opener.open(chunk, i.m.Chunks[index])
	if err == nil {
		err = i.walk.chunk(plain)
	}
	if err == nil && i.have == len(i.m.Chunks)-1 {
		err = i.walk.finish()
	}
	if err != nil {
		return false, errors.Join(fmt.Errorf("chunk %d: %w", index, err), i.Abandon())
	}
	if err := save(chunkPath(i.dir, i.have), chunk); err != nil {
		return false, err
	}
	if i.have++; i.have < len(i.m.Chunks) {
		return false, nil
	}
	err = Restore(i.chain, i.m, i.target, func(n int) ([]byte, error) { return os.ReadFile(chunkPath(i.dir, n)) })
	if err != nil {
		return false, err
	}
	return true, i.Abandon()
}

// Abandon forgets what came so far.
func (i *Intake) Abandon() error {
	if i.opener != nil {
		i.opener.close()
	}
	i.m, i.walk, i.opener = nil, nil, nil
	if err := os.RemoveAll(i.dir); err != nil {
		return fmt.Errorf("remove an unfinished snapshot: %w", err)
	}
	return nil
}
