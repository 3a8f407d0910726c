package snapshot_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/snapshot"
)

func offer(e snapshot.Entry) snapshot.Offered {
	return snapshot.Offered{
		Height: e.Manifest.Height, Format: snapshot.Format, Chunks: uint32(len(e.Manifest.Chunks)),
		Hash: e.Hash[:], Manifest: e.Raw, Block: e.Manifest.Block,
	}
}

func TestAnIntakeTakesChunksOfManyPeersAndRefusesWrongOnes(t *testing.T) {
	n := grown(t, 30)
	s := store(t, n)
	e := take(t, n, s)
	chunk, err := s.Chunk(e.Manifest.Height, 0)
	require.NoError(t, err)
	to := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	dir := filepath.Join(t.TempDir(), "incoming")
	in := snapshot.NewIntake(to.Chain, dir, n.State.Supply())
	_, err = in.Take(0, chunk)
	require.ErrorIs(t, err, snapshot.ErrOrder, "nothing was offered")

	for name, c := range map[string]struct {
		change func(*snapshot.Offered)
		want   error
	}{
		"another version":            {func(o *snapshot.Offered) { o.Format++ }, snapshot.ErrFormat},
		"a hash of something else":   {func(o *snapshot.Offered) { o.Hash = o.Hash[1:] }, snapshot.ErrCorrupt},
		"more chunks than announced": {func(o *snapshot.Offered) { o.Chunks++ }, snapshot.ErrCorrupt},
		"a block nobody signed":      {func(o *snapshot.Offered) { o.Block[0]++ }, snapshot.ErrCorrupt},
		"another height":             {func(o *snapshot.Offered) { o.Height-- }, snapshot.ErrCorrupt},
		"garbage":                    {func(o *snapshot.Offered) { o.Manifest = []byte{0xc2, 1, 1} }, snapshot.ErrCorrupt},
	} {
		o := offer(e)
		c.change(&o)
		require.ErrorIs(t, in.Offer(o), c.want, name)
	}

	require.NoError(t, in.Offer(offer(e)))
	_, err = in.Take(1, chunk)
	require.ErrorIs(t, err, snapshot.ErrOrder)
	_, err = in.Take(0, chunk[1:])
	require.ErrorIs(t, err, snapshot.ErrChunk, "this peer lied")
	require.Zero(t, to.Chain.Head().Number.Uint64())
	done, err := in.Take(0, chunk)
	require.NoError(t, err, "another did not")
	require.True(t, done)
	require.Equal(t, n.Chain.Head().Hash(), to.Chain.Head().Hash())
	require.NoDirExists(t, dir)
	require.ErrorIs(t, in.Offer(offer(e)), evm.ErrNotEmpty)
	follow(t, n, to)
}

func TestASnapshotThatContradictsItsBlockTouchesNothing(t *testing.T) {
	a := grown(t, 10)
	// The liar has another state at the same height, and says that it is of the honest block.
	liar := grown(t, 9)
	liar.Block(liar.Send(0, &bob, 1_000_000, nil))
	s := store(t, liar)
	e := take(t, liar, s)
	m := *e.Manifest
	m.Block = a.Chain.Head().Hash()
	raw, err := m.Encode()
	require.NoError(t, err)
	hash, err := m.Hash()
	require.NoError(t, err)
	chunk, err := s.Chunk(m.Height, 0)
	require.NoError(t, err)

	to := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	in := snapshot.NewIntake(to.Chain, filepath.Join(t.TempDir(), "incoming"), a.State.Supply())
	o := offer(e)
	o.Manifest, o.Hash, o.Block = raw, hash[:], m.Block
	require.NoError(t, in.Offer(o))
	_, err = in.Take(0, chunk)
	require.ErrorIs(t, err, snapshot.ErrCorrupt)
	require.Zero(t, to.Chain.Head().Number.Uint64())
	_, err = os.Stat(filepath.Join(to.Dir, "importing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	honest := store(t, a)
	good := take(t, a, honest)
	require.NoError(t, in.Offer(offer(good)), "the next snapshot is tried")
	chunk, err = honest.Chunk(m.Height, 0)
	require.NoError(t, err)
	done, err := in.Take(0, chunk)
	require.NoError(t, err)
	require.True(t, done)
}
