package receipt_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/receipt"
)

// The leaves are those of HKDF as the standard library has it.
func TestOutputIsHKDF(t *testing.T) {
	t.Parallel()
	salt := receipt.Salt{1, 2, 3}
	out := receipt.NewOutput(salt)
	var leaves []common.Hash
	for i := range 5 {
		item := binary.BigEndian.AppendUint32(nil, uint32(i*7))
		if i%2 == 1 {
			item = []byte("a piece of text, longer than the hash before it was")
			out.Text(string(item))
		} else {
			out.Token(uint32(i * 7))
		}
		key, err := hkdf.Key(sha256.New, salt[:], nil, string(binary.BigEndian.AppendUint64([]byte("aitbc/output"), uint64(i))), 32)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, crypto.Keccak256Hash(key, item))
		if got, want := out.Root(), receipt.NewTree(leaves).Root(); got != want {
			t.Fatalf("piece %d: root %s, want %s", i, got, want)
		}
	}
}

func BenchmarkOutput(b *testing.B) {
	for b.Loop() {
		out := receipt.NewOutput(receipt.Salt{1})
		for i := range uint32(16) {
			out.Token(i)
		}
		_ = out.Root()
	}
}
