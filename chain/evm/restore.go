package evm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rlp"
)

// ErrNotEmpty refuses to write a state over a chain that has blocks.
var ErrNotEmpty = errors.New("the chain has blocks already")

// batchBytes is how much an importer writes at once.
const batchBytes = 4 << 20

// Importer writes a verified state into a chain that is at its genesis. Until Finish has returned without an error the
// chain is unusable; when it is next opened after a failure or a crash it begins from genesis. It is for one goroutine.
type Importer struct {
	chain *Chain
	batch ethdb.Batch
}

// Import begins an import. The chain must be at genesis, or ErrNotEmpty is returned.
func (c *Chain) Import() (*Importer, error) {
	if n := c.Head().Number; n.Sign() > 0 {
		return nil, fmt.Errorf("%w: %d", ErrNotEmpty, n)
	}
	if err := mark(c.dir, importing); err != nil {
		return nil, err
	}
	if err := c.bc.SnapSyncStart(); err != nil {
		return nil, fmt.Errorf("set the state aside: %w", err)
	}
	// Everything under these prefixes is state; what genesis had and the new state has not must go.
	for _, p := range [][]byte{
		rawdb.TrieNodeAccountPrefix, rawdb.TrieNodeStoragePrefix, rawdb.SnapshotAccountPrefix, rawdb.SnapshotStoragePrefix,
	} {
		if err := wipe(c.db, p); err != nil {
			return nil, err
		}
	}
	return &Importer{chain: c, batch: c.db.NewBatch()}, nil
}

func wipe(db ethdb.KeyValueStore, prefix []byte) error {
	end := common.CopyBytes(prefix)
	end[len(end)-1]++
	for {
		err := db.DeleteRange(prefix, end)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ethdb.ErrTooManyKeys) {
			return fmt.Errorf("remove the old state: %w", err)
		}
	}
}

// Account writes an account in slim encoding.
func (i *Importer) Account(hash common.Hash, slim []byte) error {
	rawdb.WriteAccountSnapshot(i.batch, hash, slim)
	return i.full()
}

// Slot writes a storage slot.
func (i *Importer) Slot(account, slot common.Hash, value []byte) error {
	rawdb.WriteStorageSnapshot(i.batch, account, slot, value)
	return i.full()
}

// Code writes a contract's code.
func (i *Importer) Code(code []byte) error {
	rawdb.WriteCode(i.batch, crypto.Keccak256Hash(code), code)
	return i.full()
}

// Node writes a node of the accounts' trie, or, if owner is not zero, of an account's storage trie.
func (i *Importer) Node(owner common.Hash, path, blob []byte) error {
	if owner == (common.Hash{}) {
		rawdb.WriteAccountTrieNode(i.batch, path, blob)
	} else {
		rawdb.WriteStorageTrieNode(i.batch, owner, path, blob)
	}
	return i.full()
}

func (i *Importer) full() error {
	if i.batch.ValueSize() < batchBytes {
		return nil
	}
	return i.write()
}

func (i *Importer) write() error {
	if err := i.batch.Write(); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	i.batch.Reset()
	return nil
}

// firstKey holds the height of the import, eight bytes.
var firstKey = []byte("aitbc-first")

// First is the first height whose state this chain has had: that of its import, or 0.
func (c *Chain) First() uint64 {
	raw, err := c.db.Get(firstKey)
	if err != nil || len(raw) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}

// Head is the block that an import ends with.
type Head struct {
	Block    *types.Block
	Receipts rlp.RawValue
	// Headers are the last ones, the block's included, oldest first.
	Headers []*types.Header
	Supply  Supply
}

// Finish makes the block the head. Its state must have been written.
func (i *Importer) Finish(h Head) error {
	c, b := i.chain, h.Block
	if err := c.ancients(h.Headers[:len(h.Headers)-1], b.NumberU64()); err != nil {
		return err
	}
	for _, a := range h.Headers {
		rawdb.WriteHeaderNumber(i.batch, a.Hash(), a.Number.Uint64())
	}
	rawdb.WriteBlock(i.batch, b)
	rawdb.WriteCanonicalHash(i.batch, b.Hash(), b.NumberU64())
	rawdb.WriteRawReceipts(i.batch, b.Hash(), b.NumberU64(), h.Receipts)
	rawdb.WriteTxLookupEntriesByBlock(i.batch, b)
	// What is before is not there to be indexed: nobody shall look for it again and again.
	rawdb.WriteTxIndexTail(i.batch, 0)
	rawdb.WriteHeadHeaderHash(i.batch, b.Hash())
	rawdb.WriteHeadFastBlockHash(i.batch, b.Hash())
	rawdb.WriteStateID(i.batch, b.Root(), 0)
	if err := putSupply(i.batch, b.Hash(), h.Supply); err != nil {
		return err
	}
	if err := i.batch.Put(firstKey, binary.BigEndian.AppendUint64(nil, b.NumberU64())); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := i.write(); err != nil {
		return err
	}
	if err := c.bc.SnapSyncComplete(b.Hash(), true); err != nil {
		return fmt.Errorf("make block %d the head: %w", b.NumberU64(), err)
	}
	if _, err := c.bc.SetCanonical(b); err != nil { // tells the pool and everyone else
		return fmt.Errorf("make block %d the head: %w", b.NumberU64(), err)
	}
	c.bc.SetSafe(b.Header())
	c.bc.SetFinalized(b.Header())
	if err := c.db.SyncKeyValue(); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	c.imported.Store(true)
	return os.Rename(filepath.Join(c.dir, importing), filepath.Join(c.dir, imported))
}

// ancientBatch is how many blocks go into the ancient store at once.
const ancientBatch = 4096

// ancients fills the store of old blocks up to the given number, which stays outside: with the headers that are given,
// the last before it, and with nothing for all others. That store has no gaps, and the moving of later blocks into it
// goes on from its end.
func (c *Chain) ancients(headers []*types.Header, upTo uint64) error {
	frozen, err := c.db.Ancients()
	if err != nil {
		return fmt.Errorf("store of old blocks: %w", err)
	}
	genesis := c.bc.Genesis()
	for frozen < upTo {
		end := min(frozen+ancientBatch, upTo)
		_, err := c.db.ModifyAncients(func(op ethdb.AncientWriteOp) error {
			for n := frozen; n < end; n++ {
				a := ancient{number: n}
				if n == 0 {
					a.header, a.body = genesis.Header(), genesis.Body()
				} else if k := uint64(len(headers)); n+k >= upTo {
					a.header = headers[n+k-upTo]
				}
				if err := a.append(op); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("store of old blocks: %w", err)
		}
		frozen = end
	}
	if err := c.db.SyncAncient(); err != nil {
		return fmt.Errorf("store of old blocks: %w", err)
	}
	if _, err := c.db.TruncateTail(rawdb.ChainFreezerBlockDataGroup, upTo); err != nil {
		return fmt.Errorf("store of old blocks: %w", err)
	}
	return nil
}

// ancient is one entry of the store of old blocks. A nil header or body is an empty one.
type ancient struct {
	number uint64
	header *types.Header
	body   *types.Body
}

func (a ancient) append(op ethdb.AncientWriteOp) error {
	var hash, header, body, receipts []byte
	var err error
	if a.header != nil {
		hash = a.header.Hash().Bytes()
		if header, err = rlp.EncodeToBytes(a.header); err != nil {
			return err
		}
	}
	if a.body != nil {
		if body, err = rlp.EncodeToBytes(a.body); err != nil {
			return err
		}
		receipts = []byte{0xc0}
	}
	for kind, blob := range map[string][]byte{
		rawdb.ChainFreezerHashTable: hash, rawdb.ChainFreezerHeaderTable: header, rawdb.ChainFreezerBodiesTable: body,
		rawdb.ChainFreezerReceiptTable: receipts, rawdb.ChainFreezerBALTable: nil,
	} {
		if err := op.AppendRaw(kind, a.number, blob); err != nil {
			return err
		}
	}
	return nil
}

// The files that tell how far an import came: begun, or done but without a block after it yet.
const (
	importing = "importing"
	imported  = "imported"
)

func mark(dir, name string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("mark the import: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("mark the import: %w", err)
	}
	return nil
}

func marked(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// Imported reports whether the chain in dir ends with an imported block.
func Imported(dir string) bool { return marked(dir, imported) }

// Discard makes the next Open of dir begin from genesis. It is for an import that nobody went on from: it does nothing
// to a chain that has committed a block since, or never had an import.
func Discard(dir string) error {
	if !marked(dir, imported) {
		return nil
	}
	if err := os.Rename(filepath.Join(dir, imported), filepath.Join(dir, importing)); err != nil {
		return fmt.Errorf("discard the import: %w", err)
	}
	return nil
}

// afresh removes what an interrupted import left.
func afresh(sc *node.Config, dir string) error {
	if !marked(dir, importing) {
		return nil
	}
	quiet := *sc
	quiet.HTTPHost, quiet.WSHost = "", ""
	lock, err := node.New(&quiet) // holds the folder's lock
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	for _, part := range []string{"chaindata", "triedb"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, sc.Name, part)))
	}
	if err == nil {
		err = os.Remove(filepath.Join(dir, importing))
	}
	if err = errors.Join(err, lock.Close()); err != nil {
		return fmt.Errorf("remove an interrupted import: %w", err)
	}
	return nil
}
