package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/klauspost/compress/zstd"
)

// Sizes before compression. A record that is larger than a chunk's usual size has a chunk of its own: the receipts of a
// full block are 13 MB at most, which the gas of their logs bounds.
const (
	chunkBytes = 4 << 20
	maxRecord  = 15_000_000
	maxPlain   = maxRecord + 64
)

// MaxChunk bounds a chunk as it travels.
const MaxChunk = 15_500_000

// kind is the first byte of a record.
type kind byte

const (
	kindHeader kind = 1 + iota
	kindBlock
	kindReceipts
	kindAccount
	kindCode
	kindSlot
)

// keyed reports whether records of the kind have a hash before their value.
func (k kind) keyed() bool { return k == kindAccount || k == kindSlot }

// record is one piece of a snapshot. Its value may be part of a larger buffer.
type record struct {
	kind  kind
	key   common.Hash
	value []byte
}

func (r record) append(to []byte) []byte {
	to = append(to, byte(r.kind))
	if r.kind.keyed() {
		to = append(to, r.key[:]...)
	}
	to = binary.AppendUvarint(to, uint64(len(r.value)))
	return append(to, r.value...)
}

func (r record) size() int { return 1 + common.HashLength + binary.MaxVarintLen32 + len(r.value) }

// next takes the first record off b.
func next(b []byte) (record, []byte, error) {
	r := record{kind: kind(b[0])}
	if r.kind < kindHeader || r.kind > kindSlot {
		return record{}, nil, fmt.Errorf("%w: record of kind %d", ErrCorrupt, b[0])
	}
	b = b[1:]
	if r.kind.keyed() {
		if len(b) < common.HashLength {
			return record{}, nil, fmt.Errorf("%w: truncated record", ErrCorrupt)
		}
		r.key, b = common.Hash(b[:common.HashLength]), b[common.HashLength:]
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 || size > uint64(len(b[n:])) {
		return record{}, nil, fmt.Errorf("%w: truncated record", ErrCorrupt)
	}
	b = b[n:]
	r.value = b[:size]
	return r, b[size:], nil
}

// opener checks and decompresses chunks. It keeps its buffer, so that memory does not grow with the snapshot.
type opener struct {
	dec   *zstd.Decoder
	plain []byte
}

func newOpener() (*opener, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return &opener{dec: dec}, nil
}

// open checks a chunk's hash and decompresses it. What it returns is valid until the next call.
func (o *opener) open(chunk []byte, want common.Hash) ([]byte, error) {
	if len(chunk) > MaxChunk {
		return nil, fmt.Errorf("%w: a chunk of %d bytes", ErrCorrupt, len(chunk))
	}
	if got := common.Hash(sha256.Sum256(chunk)); got != want {
		return nil, fmt.Errorf("%w: a chunk has hash %v, not %v", ErrCorrupt, got, want)
	}
	var h zstd.Header
	if err := h.Decode(chunk); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	// The decoder never writes beyond the capacity that it is given.
	if !h.HasFCS || h.FrameContentSize > maxPlain {
		return nil, fmt.Errorf("%w: a chunk of no or %d bytes", ErrCorrupt, h.FrameContentSize)
	}
	if need := int(h.FrameContentSize); cap(o.plain) < need {
		o.plain = make([]byte, 0, need)
	}
	plain, err := o.dec.DecodeAll(chunk, o.plain[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return plain, nil
}

// close ends the decoder. Closing twice is harmless.
func (o *opener) close() { o.dec.Close() }
