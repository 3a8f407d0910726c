package snapshot_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/snapshot"
)

var update = flag.Bool("update", false, "rewrite the golden snapshot")

const golden = "testdata/golden.snapshot"

// TestTheGoldenSnapshotStillReads keeps the format: what older nodes wrote must stay readable.
func TestTheGoldenSnapshotStillReads(t *testing.T) {
	if *update {
		n := grown(t, 3)
		s := store(t, n)
		var b bytes.Buffer
		require.NoError(t, snapshot.Export(&b, s, take(t, n, s)))
		require.NoError(t, os.WriteFile(golden, b.Bytes(), 0o600))
	}
	file, to := open(t)
	require.NoError(t, snapshot.Verify(file.Manifest, to, file.Chunk))
	raw, err := os.ReadFile(golden)
	require.NoError(t, err)
	for _, bad := range [][]byte{nil, raw[:4], raw[:40], raw[:len(raw)-1], append(slices.Clip(raw), 0)} {
		path := filepath.Join(t.TempDir(), "bad")
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := snapshot.OpenFile(path)
		require.ErrorIs(t, err, snapshot.ErrCorrupt)
	}
}

// open opens the golden snapshot, and what it must be of.
func open(t testing.TB) (*snapshot.File, snapshot.Target) {
	t.Helper()
	file, err := snapshot.OpenFile(golden)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	m := file.Manifest
	supply := new(big.Int).Mul(chaintest.Funds, big.NewInt(chaintest.Accounts))
	return file, snapshot.Target{Genesis: m.Genesis, Supply: supply, Height: m.Height, Block: m.Block}
}

// FuzzChunk gives the reader a chunk of a peer, as it travels and as what is compressed in it.
func FuzzChunk(f *testing.F) {
	file, to := open(f)
	good, err := file.Chunk(0)
	require.NoError(f, err)
	good = bytes.Clone(good)
	dec, err := zstd.NewReader(nil)
	require.NoError(f, err)
	defer dec.Close()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	require.NoError(f, err)
	defer func() { require.NoError(f, enc.Close()) }()
	plain, err := dec.DecodeAll(good, nil)
	require.NoError(f, err)
	f.Add(good)
	f.Add(plain)
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(tt *testing.T, b []byte) {
		for _, chunk := range [][]byte{b, enc.EncodeAll(b, nil)} {
			m := *file.Manifest
			m.Chunks = []common.Hash{sha256.Sum256(chunk)}
			err := snapshot.Verify(&m, to, func(int) ([]byte, error) { return chunk, nil })
			if err == nil && !bytes.Equal(chunk, good) && !bytes.Equal(b, plain) {
				d, err := dec.DecodeAll(chunk, nil)
				if err != nil || !bytes.Equal(d, plain) {
					tt.Fatalf("another state was taken for this one: %x", b)
				}
			}
		}
	})
}

// FuzzManifest checks that a manifest has one encoding.
func FuzzManifest(f *testing.F) {
	raw, err := (&snapshot.Manifest{
		Format: snapshot.Format, Height: 7, Issued: big.NewInt(1), Burned: big.NewInt(2), Chunks: make([]common.Hash, 3),
	}).Encode()
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte{0xc1, 2})
	f.Add([]byte{0xfb, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := snapshot.ParseManifest(b)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("%x became %x: %v", b, again, err)
		}
	})
}
