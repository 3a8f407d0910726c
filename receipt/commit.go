package receipt

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Salt hides committed content from whoever would guess it. Only client and
// miner (and a coordinator that signs for the client) know it.
type Salt [32]byte

// Input commits to the request bytes: keccak256(salt ‖ request).
func Input(salt Salt, request []byte) common.Hash {
	return crypto.Keccak256Hash(salt[:], request)
}

// Output collects the leaves of an answer's commitment, in order.
type Output struct {
	salt   Salt
	leaves []common.Hash
	mac    hash.Hash // HMAC-SHA256 under the key that HKDF extracts from salt; nil before the first piece
	item   []byte    // kept from one to the next
}

// NewOutput starts the commitment of an answer.
func NewOutput(salt Salt) *Output { return &Output{salt: salt} }

// add is HKDF-SHA256 of RFC 5869 with the salt as its secret: the extraction is the
// same for all pieces, and 32 bytes are one block of the expansion.
func (o *Output) add(item []byte) {
	if o.mac == nil {
		prk, err := hkdf.Extract(sha256.New, o.salt[:], nil)
		if err != nil {
			panic("receipt: hkdf: " + err.Error())
		}
		o.mac = hmac.New(sha256.New, prk)
	}
	o.item = binary.BigEndian.AppendUint64(append(o.item[:0], "aitbc/output"...), uint64(len(o.leaves)))
	o.item = append(o.item, 1)
	o.mac.Reset()
	o.mac.Write(o.item)
	o.item = append(o.mac.Sum(o.item[:0]), item...)
	o.leaves = append(o.leaves, crypto.Keccak256Hash(o.item))
}

// Token appends a piece of an engine that has token ids.
func (o *Output) Token(id uint32) { o.add(binary.BigEndian.AppendUint32(nil, id)) }

// Text appends a piece of an engine that has none.
func (o *Output) Text(piece string) { o.add([]byte(piece)) }

// Len returns the number of pieces.
func (o *Output) Len() int { return len(o.leaves) }

// Root returns the commitment, zero when there is nothing.
func (o *Output) Root() common.Hash { return NewTree(o.leaves).Root() }

// Miners commits to a set of candidate miners: keccak256 of their addresses,
// ascending, packed. No candidates stand for any miner and give zero.
func Miners(candidates []common.Address) common.Hash {
	if len(candidates) == 0 {
		return common.Hash{}
	}
	s := slices.Clone(candidates)
	slices.SortFunc(s, func(a, b common.Address) int { return bytes.Compare(a[:], b[:]) })
	var packed []byte
	for _, a := range slices.Compact(s) {
		packed = append(packed, a[:]...)
	}
	return crypto.Keccak256Hash(packed)
}

// Class returns the hash of a class descriptor.
func Class(descriptor string) common.Hash { return crypto.Keccak256Hash([]byte(descriptor)) }

// ClaimedModel returns the digest that stands for a model whose weights are not
// shown: keccak256("claimed:" ‖ name).
func ClaimedModel(name string) common.Hash { return crypto.Keccak256Hash([]byte("claimed:" + name)) }
