package snapshot_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/snapshot"
)

var bob = common.HexToAddress("0xb0b")

// grown is a chain with some blocks, two contracts of the same code, and logs and storage.
func grown(t testing.TB, blocks int, change ...func(*evm.Config)) *chaintest.Net {
	t.Helper()
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), change...)
	n.Block(n.Send(1, nil, 0, chaintest.Creation(chaintest.Counter)), n.Send(1, nil, 0, chaintest.CreationWith(9, chaintest.Holder)))
	for range blocks - 1 {
		n.Block(n.Send(0, &bob, 1, nil), n.Send(2, &chaintest.Ender, 0, []byte{1}))
	}
	return n
}

func store(t testing.TB, n *chaintest.Net) *snapshot.Store {
	t.Helper()
	s, err := snapshot.OpenStore(filepath.Join(t.TempDir(), "snapshots"), n.Chain.BlockChain().Genesis().Hash(), n.State.Supply())
	require.NoError(t, err)
	return s
}

func take(t testing.TB, n *chaintest.Net, s *snapshot.Store) snapshot.Entry {
	t.Helper()
	var v *evm.View
	require.Eventually(t, func() bool {
		var err error
		v, err = n.Chain.View(context.Background())
		return err == nil
	}, 2*time.Minute, 10*time.Millisecond)
	e, err := s.Create(context.Background(), v, 0)
	require.NoError(t, err)
	return e
}

func target(n *chaintest.Net, e snapshot.Entry) snapshot.Target {
	return snapshot.Target{
		Genesis: n.Chain.BlockChain().Genesis().Hash(), Supply: n.State.Supply(), Height: e.Manifest.Height, Block: e.Manifest.Block,
	}
}

func chunks(s *snapshot.Store, e snapshot.Entry) snapshot.Chunks {
	return func(i int) ([]byte, error) { return s.Chunk(e.Manifest.Height, uint32(i)) }
}

// follow executes on b what a has executed on top of the snapshot.
func follow(t *testing.T, a, b *chaintest.Net) {
	t.Helper()
	for range 5 {
		tx := a.Send(3, &bob, 3, nil)
		call := a.Send(3, &chaintest.Ender, 0, []byte{1})
		want := a.Block(tx, call)
		require.Equal(t, want.Block.Hash(), b.At(want.Block.Time()).Block(tx, call).Block.Hash())
	}
}

func TestARestoredChainGoesOnAsTheOriginal(t *testing.T) {
	for name, c := range map[string]struct {
		blocks  int
		archive bool
	}{
		"few blocks":                  {20, true},
		"more than BLOCKHASH reaches": {300, true},
		"without archive":             {20, false},
	} {
		t.Run(name, func(t *testing.T) {
			mode := func(cfg *evm.Config) { cfg.Archive, cfg.StateHistory, cfg.FlushEvery = c.archive, 100, 1 }
			a := grown(t, c.blocks, mode)
			s := store(t, a)
			e := take(t, a, s)
			require.Equal(t, uint64(c.blocks), e.Manifest.Height)
			require.NoError(t, snapshot.Verify(e.Manifest, target(a, e), chunks(s, e)))

			b := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), mode)
			require.NoError(t, snapshot.Restore(b.Chain, e.Manifest, target(a, e), chunks(s, e)))
			require.Equal(t, a.Chain.Head().Hash(), b.Chain.Head().Hash())
			require.True(t, evm.Imported(b.Dir))
			follow(t, a, b)
			require.False(t, evm.Imported(b.Dir), "a block after it ends the import")
			b.Reopen(mode)
			require.Equal(t, a.Chain.Head().Hash(), b.Chain.Head().Hash(), "it opens again")
			follow(t, a, b)

			heights := []int64{audit.Latest}
			if c.archive {
				heights = append(heights, int64(c.blocks), int64(c.blocks)+1, int64(c.blocks)+5)
			}
			for _, h := range heights {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				want, err := audit.Check(ctx, a.Chain, a.State, h)
				require.NoError(t, err)
				got, err := audit.Check(ctx, b.Chain, b.State, h)
				require.NoError(t, err, "height %d", h)
				require.Equal(t, want, got)
				cancel()
			}
			require.Equal(t, uint64(c.blocks), b.Chain.First())
			_, err := audit.Check(context.Background(), b.Chain, b.State, int64(c.blocks)-1)
			require.ErrorIs(t, err, evm.ErrPruned, "what was before is not waited for")
			require.ErrorIs(t, snapshot.Restore(b.Chain, e.Manifest, target(a, e), chunks(s, e)), evm.ErrNotEmpty)
		})
	}
}

func TestAllNodesWriteTheSameBytes(t *testing.T) {
	a, b := grown(t, 12), grown(t, 12)
	sa, sb := store(t, a), store(t, b)
	ea, eb := take(t, a, sa), take(t, b, sb)
	require.Equal(t, ea, eb)
	// And so does one that came from a snapshot.
	c := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	require.NoError(t, snapshot.Restore(c.Chain, ea.Manifest, target(a, ea), chunks(sa, ea)))
	require.Equal(t, ea, take(t, c, store(t, c)))
}

func TestAViewStandsStillWhileBlocksGoOn(t *testing.T) {
	n := grown(t, 10, func(c *evm.Config) { c.FlushEvery = 1 })
	before := take(t, n, store(t, n))
	v, err := n.Chain.View(context.Background())
	require.NoError(t, err)
	for range 30 {
		n.Block(n.Send(0, &bob, 1, nil), n.Send(5, nil, 0, chaintest.Creation(chaintest.Reverter)))
	}
	e, err := store(t, n).Create(context.Background(), v, 0)
	require.NoError(t, err)
	require.Equal(t, before, e)
}

func TestTheStoreKeepsTheNewestAndDropsWhatIsUnfinished(t *testing.T) {
	n := grown(t, 3)
	dir := filepath.Join(t.TempDir(), "s")
	open := func() *snapshot.Store {
		s, err := snapshot.OpenStore(dir, n.Chain.BlockChain().Genesis().Hash(), n.State.Supply())
		require.NoError(t, err)
		return s
	}
	s := open()
	for range 4 {
		take(t, n, s)
		n.Block()
	}
	require.NoError(t, s.Keep(2))
	list := s.List()
	require.Len(t, list, 2)
	require.Equal(t, uint64(6), list[0].Manifest.Height)
	oldest, ok := s.Oldest()
	require.True(t, ok)
	require.Equal(t, uint64(5), oldest)
	_, err := s.Chunk(4, 0)
	require.ErrorIs(t, err, snapshot.ErrNotFound)
	_, err = s.Chunk(6, 99)
	require.ErrorIs(t, err, snapshot.ErrNotFound)

	_, err = s.Chunk(5, 0) // somebody begins to fetch it
	require.NoError(t, err)
	for range 2 {
		take(t, n, s)
		n.Block()
	}
	require.NoError(t, s.Keep(2))
	require.Len(t, s.List(), 3)
	_, err = s.Chunk(5, 0)
	require.NoError(t, err, "and may go on")
	_, err = s.Chunk(6, 0)
	require.ErrorIs(t, err, snapshot.ErrNotFound)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	v, err := n.Chain.View(context.Background())
	require.NoError(t, err)
	_, err = s.Create(ctx, v, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".9"), 0o700))
	require.NoError(t, os.Remove(filepath.Join(dir, "5", "000000")))
	s = open()
	require.Len(t, s.List(), 2, "one has lost a chunk")
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, names, 2)
}

// TestLiesAreFound changes a snapshot in every way that keeps its own hashes right.
func TestLiesAreFound(t *testing.T) {
	n := grown(t, 20)
	s := store(t, n)
	e := take(t, n, s)
	good, err := s.Chunk(e.Manifest.Height, 0)
	require.NoError(t, err)
	dec, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer dec.Close()
	enc, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, enc.Close()) }()
	plain, err := dec.DecodeAll(good, nil)
	require.NoError(t, err)

	verify := func(plain []byte, change func(*snapshot.Manifest)) error {
		chunk := enc.EncodeAll(plain, nil)
		m := *e.Manifest
		m.Chunks = []common.Hash{sha256.Sum256(chunk)}
		if change != nil {
			change(&m)
		}
		return snapshot.Verify(&m, target(n, e), func(int) ([]byte, error) { return chunk, nil })
	}
	require.NoError(t, verify(plain, nil))
	step := max(1, len(plain)/400)
	for i := 0; i < len(plain); i += step {
		bad := append([]byte(nil), plain...)
		bad[i] ^= 1
		require.ErrorIs(t, verify(bad, nil), snapshot.ErrCorrupt, "byte %d", i)
		require.ErrorIs(t, verify(plain[:i], nil), snapshot.ErrCorrupt, "cut at %d", i)
	}
	require.ErrorIs(t, verify(append(slices.Clip(plain), 6), nil), snapshot.ErrCorrupt, "more at the end")
	for name, change := range map[string]func(*snapshot.Manifest){
		"another chain":  func(m *snapshot.Manifest) { m.Genesis[0]++ },
		"another block":  func(m *snapshot.Manifest) { m.Block[0]++ },
		"another height": func(m *snapshot.Manifest) { m.Height++ },
		"more issued":    func(m *snapshot.Manifest) { m.Issued = big.NewInt(1) },
		"less burned":    func(m *snapshot.Manifest) { m.Burned = new(big.Int).Sub(m.Burned, big.NewInt(1)) },
		"another chunk":  func(m *snapshot.Manifest) { m.Chunks[0][0]++ },
		"a chunk twice":  func(m *snapshot.Manifest) { m.Chunks = append(m.Chunks, m.Chunks[0]) },
	} {
		require.ErrorIs(t, verify(plain, change), snapshot.ErrCorrupt, name)
	}
}

func TestAnInterruptedImportBeginsAnew(t *testing.T) {
	n := grown(t, 20)
	s := store(t, n)
	e := take(t, n, s)
	b := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	genesis := b.Chain.Head().Hash()
	bad := func(int) ([]byte, error) { return nil, snapshot.ErrNotFound }
	require.ErrorIs(t, snapshot.Restore(b.Chain, e.Manifest, target(n, e), bad), snapshot.ErrNotFound)
	b.Reopen()
	require.Equal(t, genesis, b.Chain.Head().Hash())
	st, err := b.Chain.StateAt(b.Chain.Head())
	require.NoError(t, err)
	require.Equal(t, chaintest.Funds, st.GetBalance(chaintest.Address(0)).ToBig(), "the state of genesis is whole")
	require.NoError(t, snapshot.Restore(b.Chain, e.Manifest, target(n, e), chunks(s, e)))

	// It is complete, but consensus did not come as far: the import is thrown away.
	require.NoError(t, evm.Discard(b.Dir))
	b.Reopen()
	require.Equal(t, genesis, b.Chain.Head().Hash())
	require.NoError(t, snapshot.Restore(b.Chain, e.Manifest, target(n, e), chunks(s, e)))
	follow(t, n, b)
	require.NoError(t, evm.Discard(b.Dir), "a chain that has gone on is not touched")
	b.Reopen()
	require.Equal(t, n.Chain.Head().Hash(), b.Chain.Head().Hash())
}

// BenchmarkHundredThousandAccounts writes, checks and restores a state of 100,000 accounts.
func BenchmarkHundredThousandAccounts(b *testing.B) {
	spec := chaintest.Spec(chaintest.Counter, 100_000)
	for i := range 100_000 {
		spec.Alloc[common.BytesToAddress(crypto.Keccak256(fmt.Append(nil, i)))] = big.NewInt(int64(i) + 1)
	}
	n := chaintest.Open(b, spec)
	n.Block(n.Send(0, &bob, 1, nil))
	s := store(b, n)
	var e snapshot.Entry
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			e = take(b, n, s)
		}
		b.ReportMetric(float64(e.Bytes), "bytes")
		b.ReportMetric(float64(len(e.Manifest.Chunks)), "chunks")
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, snapshot.Verify(e.Manifest, target(n, e), chunks(s, e)))
		}
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			to := chaintest.Open(b, spec)
			b.StartTimer()
			require.NoError(b, snapshot.Restore(to.Chain, e.Manifest, target(n, e), chunks(s, e)))
		}
	})
}
