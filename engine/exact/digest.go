package exact

import (
	"encoding/binary"

	"golang.org/x/crypto/sha3"

	"github.com/aitbc/aitbc/engine/gguf"
)

// Digest names the weights of a file: the Keccak-256 of, for each tensor in the
// order of their names, name ‖ 0 ‖ type (uint32) ‖ number of extents (uint32) ‖
// extents (uint64 each) ‖ data, numbers little-endian. Two files with the same
// weights have the same digest, whatever else they say.
func Digest(f *gguf.File) [32]byte {
	h := sha3.NewLegacyKeccak256()
	for _, t := range f.Tensors() {
		head := append([]byte(t.Name), 0)
		head = binary.LittleEndian.AppendUint32(head, uint32(t.Type))
		head = binary.LittleEndian.AppendUint32(head, uint32(len(t.Dims))) //nolint:gosec // a few extents
		for _, n := range t.Dims {
			head = binary.LittleEndian.AppendUint64(head, n)
		}
		h.Write(head)
		h.Write(t.Data)
	}
	return [32]byte(h.Sum(nil))
}
