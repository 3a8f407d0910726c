package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/evm"
)

// ErrNotFound is returned for a snapshot or chunk that the store has not got.
var ErrNotFound = errors.New("no such snapshot")

// Entry is a snapshot in a store.
type Entry struct {
	Manifest *Manifest
	// Raw is the manifest as it is encoded, Hash its hash.
	Raw  []byte
	Hash common.Hash
	// Bytes is the size of all chunks.
	Bytes int64
}

// Store is a folder of complete snapshots, one of a height. It may be used from any goroutine.
type Store struct {
	dir     string
	genesis common.Hash
	supply  *big.Int

	// mu guards entries, newest first, and when a chunk of each was asked for last.
	mu      sync.Mutex
	entries []Entry
	asked   map[uint64]time.Time
}

// The parts of a snapshot's folder. A folder whose name begins with a dot is unfinished.
const (
	manifestName = "manifest"
	unfinished   = "."
)

// OpenStore reads the folder, which is made if need be, and removes what is unfinished or unreadable in it. The hash is
// of the chain's first block and the supply what it gave away. One process at a time may have a folder open.
func OpenStore(dir string, genesis common.Hash, supply *big.Int) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	return open(dir, genesis, supply, os.RemoveAll)
}

// ReadStore is OpenStore for reading beside the node that writes: it changes nothing.
func ReadStore(dir string, genesis common.Hash) (*Store, error) {
	return open(dir, genesis, nil, func(string) error { return nil })
}

func open(dir string, genesis common.Hash, supply *big.Int, refuse func(path string) error) (*Store, error) {
	s := &Store{dir: dir, genesis: genesis, supply: supply, asked: map[uint64]time.Time{}}
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	for _, n := range names {
		path := filepath.Join(dir, n.Name())
		e, err := read(path)
		if err != nil || e.Manifest.Genesis != genesis || strings.HasPrefix(n.Name(), unfinished) {
			if err := refuse(path); err != nil {
				return nil, fmt.Errorf("remove an unfinished snapshot: %w", err)
			}
			continue
		}
		s.entries = append(s.entries, e)
	}
	s.sort()
	return s, nil
}

func read(path string) (Entry, error) {
	raw, err := os.ReadFile(filepath.Join(path, manifestName)) //nolint:gosec // our own folder
	if err != nil {
		return Entry{}, err
	}
	m, err := ParseManifest(raw)
	if err != nil {
		return Entry{}, err
	}
	if filepath.Base(path) != strconv.FormatUint(m.Height, 10) {
		return Entry{}, fmt.Errorf("%w: in a folder of another height", ErrCorrupt)
	}
	e := Entry{Manifest: m, Raw: raw}
	if e.Hash, err = m.Hash(); err != nil {
		return Entry{}, err
	}
	for i := range m.Chunks {
		st, err := os.Stat(chunkPath(path, i))
		if err != nil {
			return Entry{}, err
		}
		e.Bytes += st.Size()
	}
	return e, nil
}

func chunkPath(dir string, index int) string { return filepath.Join(dir, fmt.Sprintf("%06d", index)) }

func (s *Store) sort() {
	slices.SortFunc(s.entries, func(a, b Entry) int { return cmp.Compare(b.Manifest.Height, a.Manifest.Height) })
}

// List shows the snapshots, newest first.
func (s *Store) List() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries)
}

// Oldest is the height of the oldest snapshot; false without any. Whoever restores one needs the blocks after it.
func (s *Store) Oldest() (uint64, bool) {
	all := s.List()
	if len(all) == 0 {
		return 0, false
	}
	return all[len(all)-1].Manifest.Height, true
}

// Find is the snapshot of a height, or ErrNotFound.
func (s *Store) Find(height uint64) (Entry, error) {
	for _, e := range s.List() {
		if e.Manifest.Height == height {
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("%w: of block %d", ErrNotFound, height)
}

// Chunk reads a chunk, or returns ErrNotFound.
func (s *Store) Chunk(height uint64, index uint32) ([]byte, error) {
	e, err := s.Find(height)
	if err != nil {
		return nil, err
	}
	if int(index) >= len(e.Manifest.Chunks) {
		return nil, fmt.Errorf("%w: block %d has no chunk %d", ErrNotFound, height, index)
	}
	raw, err := os.ReadFile(chunkPath(s.path(height), int(index)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: of block %d", ErrNotFound, height) // removed meanwhile
	}
	if err != nil {
		return nil, fmt.Errorf("read chunk: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[height] = time.Now() //nolint:forbidigo // who fetches a snapshot, outside block execution
	return raw, nil
}

func (s *Store) path(height uint64) string {
	return filepath.Join(s.dir, strconv.FormatUint(height, 10))
}

// Create writes a snapshot of the view and closes the view. Nothing is seen of it before it is complete and on disk.
// After each chunk it rests as long as the chunk took, times rest, so that blocks do not have to wait. There is one
// caller at a time.
func (s *Store) Create(ctx context.Context, v *evm.View, rest int) (Entry, error) {
	defer v.Close()
	height := v.Block.NumberU64()
	tmp := filepath.Join(s.dir, unfinished+strconv.FormatUint(height, 10))
	if err := os.RemoveAll(tmp); err != nil {
		return Entry{}, fmt.Errorf("snapshot of block %d: %w", height, err)
	}
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return Entry{}, fmt.Errorf("snapshot of block %d: %w", height, err)
	}
	e, err := s.fill(ctx, v, tmp, rest)
	if err != nil {
		return Entry{}, errors.Join(err, os.RemoveAll(tmp))
	}
	// One of the same height has the same content, unless it was damaged.
	if err := os.RemoveAll(s.path(height)); err != nil {
		return Entry{}, fmt.Errorf("snapshot of block %d: %w", height, err)
	}
	if err := os.Rename(tmp, s.path(height)); err != nil {
		return Entry{}, fmt.Errorf("snapshot of block %d: %w", height, err)
	}
	if err := syncDir(s.dir); err != nil {
		return Entry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = slices.DeleteFunc(s.entries, func(o Entry) bool { return o.Manifest.Height == height })
	s.entries = append(s.entries, e)
	s.sort()
	return e, nil
}

func (s *Store) fill(ctx context.Context, v *evm.View, dir string, rest int) (Entry, error) {
	var e Entry
	begun := time.Now() //nolint:forbidigo // how long a chunk took
	m, err := write(ctx, v, s.genesis, s.supply, func(i int, chunk []byte) error {
		e.Bytes += int64(len(chunk))
		if err := save(chunkPath(dir, i), chunk); err != nil {
			return err
		}
		pause(ctx, time.Since(begun)*time.Duration(rest)) //nolint:forbidigo // how long a chunk took
		begun = time.Now()                                //nolint:forbidigo // the same
		return nil
	})
	if err != nil {
		return Entry{}, err
	}
	e.Manifest = m
	if e.Raw, err = m.Encode(); err != nil {
		return Entry{}, err
	}
	if e.Hash, err = m.Hash(); err != nil {
		return Entry{}, err
	}
	if err := save(filepath.Join(dir, manifestName), e.Raw); err != nil {
		return Entry{}, err
	}
	return e, syncDir(dir)
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// fetching is how long somebody who asked for a chunk may take to ask for the next: CometBFT's client gives up then.
const fetching = 2 * time.Minute

// Keep removes all but the newest n snapshots, and at most as many older ones that somebody is fetching.
func (s *Store) Keep(n int) error {
	s.mu.Lock()
	now := time.Now() //nolint:forbidigo // who fetches a snapshot, outside block execution
	var kept, old []Entry
	for i, e := range s.entries {
		at, asked := s.asked[e.Manifest.Height]
		if i < n || asked && now.Sub(at) < fetching && len(kept) < 2*n {
			kept = append(kept, e)
			continue
		}
		old = append(old, e)
		delete(s.asked, e.Manifest.Height)
	}
	s.entries = kept
	s.mu.Unlock()
	for _, e := range old {
		if err := os.RemoveAll(s.path(e.Manifest.Height)); err != nil {
			return fmt.Errorf("remove snapshot of block %d: %w", e.Manifest.Height, err)
		}
	}
	return nil
}

// save writes a file so that it is on disk when save returns.
func save(path string, raw []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}
