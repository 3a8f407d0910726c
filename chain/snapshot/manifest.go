package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// Format is the version of the encoding. Others are refused.
const Format = 1

// MaxChunks bounds a snapshot: with its hashes the manifest is half of what CometBFT carries in one message.
const MaxChunks = 1 << 16

const maxManifest = MaxChunks*33 + 1024

// ErrCorrupt is returned for bytes that are no snapshot, or not the one that they claim to be.
var ErrCorrupt = errors.New("corrupt snapshot")

// ErrFormat is returned for a snapshot of another version.
var ErrFormat = errors.New("unknown snapshot format")

// Manifest describes a snapshot. Only Block is vouched for by the chain; the rest follows from it or is checked with it,
// except for the supply, of which only the difference of its two numbers can be checked.
type Manifest struct {
	Format  uint32
	Genesis common.Hash // of the chain's first block
	Height  uint64
	Block   common.Hash // the app hash after Height
	Issued  *big.Int    // by all blocks up to Height
	Burned  *big.Int
	Chunks  []common.Hash // SHA-256 of each
}

// Encode is the manifest's one encoding.
func (m *Manifest) Encode() ([]byte, error) {
	raw, err := rlp.EncodeToBytes(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return raw, nil
}

// Hash names a snapshot: it covers every chunk.
func (m *Manifest) Hash() (common.Hash, error) {
	raw, err := m.Encode()
	if err != nil {
		return common.Hash{}, err
	}
	return sha256.Sum256(raw), nil
}

// ParseManifest decodes a manifest. It returns ErrFormat or ErrCorrupt.
func ParseManifest(raw []byte) (*Manifest, error) {
	if len(raw) > maxManifest {
		return nil, fmt.Errorf("%w: a manifest of %d bytes", ErrCorrupt, len(raw))
	}
	// The version comes first, whatever follows.
	content, _, err := rlp.SplitList(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrCorrupt, err)
	}
	if v, _, err := rlp.SplitUint64(content); err != nil || v != Format {
		return nil, fmt.Errorf("%w: %d", ErrFormat, v)
	}
	m := new(Manifest)
	if err := rlp.DecodeBytes(raw, m); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrCorrupt, err)
	}
	switch {
	case m.Height == 0 || m.Height > 1<<62:
		return nil, fmt.Errorf("%w: height %d", ErrCorrupt, m.Height)
	case len(m.Chunks) == 0 || len(m.Chunks) > MaxChunks:
		return nil, fmt.Errorf("%w: %d chunks", ErrCorrupt, len(m.Chunks))
	case m.Issued.BitLen() > 256 || m.Burned.BitLen() > 256:
		return nil, fmt.Errorf("%w: supply", ErrCorrupt)
	}
	return m, nil
}
