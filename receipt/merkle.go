package receipt

import (
	"bytes"
	"errors"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// ErrProof reports a Merkle path that does not lead from leaf to root.
var ErrProof = errors.New("merkle proof does not hold")

// Tree is a Merkle tree as OpenZeppelin's StandardMerkleTree builds it: a
// complete binary tree in an array, the leaves last and in reverse, pairs
// hashed in sorted order. It has at least one leaf.
type Tree struct {
	nodes []common.Hash
	n     int
}

func hashPair(a, b common.Hash) common.Hash {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return crypto.Keccak256Hash(a[:], b[:])
}

// NewTree builds a tree over leaves in the order given. It returns nil for no leaves.
func NewTree(leaves []common.Hash) *Tree {
	n := len(leaves)
	if n == 0 {
		return nil
	}
	t := &Tree{make([]common.Hash, 2*n-1), n}
	for i, l := range leaves {
		t.nodes[len(t.nodes)-1-i] = l
	}
	for i := n - 2; i >= 0; i-- {
		t.nodes[i] = hashPair(t.nodes[2*i+1], t.nodes[2*i+2])
	}
	return t
}

// NewSortedTree builds a tree over the leaves sorted as bytes, which is what
// StandardMerkleTree does. It returns nil for no leaves.
func NewSortedTree(leaves []common.Hash) *Tree {
	s := slices.Clone(leaves)
	slices.SortFunc(s, func(a, b common.Hash) int { return bytes.Compare(a[:], b[:]) })
	return NewTree(s)
}

// Root returns the root; of a nil tree the zero hash.
func (t *Tree) Root() common.Hash {
	if t == nil {
		return common.Hash{}
	}
	return t.nodes[0]
}

// Proof returns the path of a leaf to the root, or nil and false if it is not in the tree.
func (t *Tree) Proof(leaf common.Hash) ([]common.Hash, bool) {
	if t == nil {
		return nil, false
	}
	i := slices.Index(t.nodes[t.n-1:], leaf)
	if i < 0 {
		return nil, false
	}
	path := []common.Hash{}
	for i += t.n - 1; i > 0; i = (i - 1) / 2 {
		if i%2 == 1 {
			path = append(path, t.nodes[i+1])
		} else {
			path = append(path, t.nodes[i-1])
		}
	}
	return path, true
}

// VerifyProof returns nil if path leads from leaf to root, else [ErrProof].
func VerifyProof(root, leaf common.Hash, path []common.Hash) error {
	if len(path) > 64 {
		return ErrProof
	}
	for _, p := range path {
		leaf = hashPair(leaf, p)
	}
	if leaf != root {
		return ErrProof
	}
	return nil
}

// Leaf returns the leaf of a receipt in its batch's tree:
// keccak256(keccak256(abi.encode(receipt id, receipt digest))).
func Leaf(id, digest common.Hash) common.Hash {
	return crypto.Keccak256Hash(crypto.Keccak256(id[:], digest[:]))
}
