// Package trie verifies proofs of Ethereum's Merkle-Patricia tries (Yellow
// Paper, appendix D): that a key has a value under a root, without the trie.
package trie

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// ErrProof reports nodes that do not prove a value for the key.
var ErrProof = errors.New("trie proof does not hold")

// Verify returns the value that the nodes prove for key under root. Nodes are
// given from the root down, each exactly once; anything else, and a proof of
// absence, is [ErrProof].
func Verify(root common.Hash, key []byte, nodes [][]byte) ([]byte, error) {
	path := nibbles(key)
	want := root[:]
	for i, raw := range nodes {
		if !bytes.Equal(crypto.Keccak256(raw), want) {
			return nil, fmt.Errorf("%w: node %d is not the one that its parent names", ErrProof, i)
		}
		next, rest, value, err := descend(raw, path)
		if err != nil {
			return nil, fmt.Errorf("%w: node %d: %w", ErrProof, i, err)
		}
		if value != nil {
			if i != len(nodes)-1 {
				return nil, fmt.Errorf("%w: nodes after the value", ErrProof)
			}
			return value, nil
		}
		want, path = next, rest
	}
	return nil, fmt.Errorf("%w: it ends before the value", ErrProof)
}

// descend follows path through one stored node and the small nodes embedded in
// it, to the hash of the next node or to the value.
func descend(raw, path []byte) (next, rest, value []byte, err error) {
	for {
		items, err := split(raw)
		if err != nil {
			return nil, nil, nil, err
		}
		var child item
		switch len(items) {
		case 17:
			if len(path) == 0 {
				return leaf(items[16])
			}
			child, path = items[path[0]], path[1:]
		case 2:
			if items[0].kind == rlp.List {
				return nil, nil, nil, errors.New("path is a list")
			}
			part, isLeaf, err := unpack(items[0].content)
			if err != nil {
				return nil, nil, nil, err
			}
			if !bytes.HasPrefix(path, part) {
				return nil, nil, nil, errors.New("another key")
			}
			path = path[len(part):]
			if isLeaf {
				if len(path) != 0 {
					return nil, nil, nil, errors.New("another key")
				}
				return leaf(items[1])
			}
			child = items[1]
		default:
			return nil, nil, nil, fmt.Errorf("a node of %d items", len(items))
		}
		switch {
		case child.kind == rlp.List && len(child.raw) < 32:
			raw = child.raw
		case child.kind != rlp.List && len(child.content) == 32:
			return child.content, path, nil, nil
		default:
			return nil, nil, nil, errors.New("no such key")
		}
	}
}

func leaf(i item) (next, rest, value []byte, err error) {
	if i.kind == rlp.List || len(i.content) == 0 {
		return nil, nil, nil, errors.New("no value")
	}
	return nil, nil, i.content, nil
}

type item struct {
	kind         rlp.Kind
	content, raw []byte
}

func split(raw []byte) ([]item, error) {
	content, after, err := rlp.SplitList(raw)
	if err != nil {
		return nil, err
	}
	if len(after) != 0 {
		return nil, errors.New("bytes after the node")
	}
	var items []item
	for len(content) > 0 {
		kind, c, tail, err := rlp.Split(content)
		if err != nil {
			return nil, err
		}
		items = append(items, item{kind, c, content[:len(content)-len(tail)]})
		if len(items) > 17 {
			return nil, errors.New("too many items")
		}
		content = tail
	}
	return items, nil
}

// unpack reads the compact (hex-prefix) encoding of a path.
func unpack(b []byte) (path []byte, isLeaf bool, err error) {
	if len(b) == 0 || b[0]>>4 > 3 {
		return nil, false, errors.New("bad path")
	}
	n := nibbles(b)
	if b[0]&0x10 == 0 { // even
		if b[0]&0x0f != 0 {
			return nil, false, errors.New("bad path")
		}
		return n[2:], b[0]&0x20 != 0, nil
	}
	return n[1:], b[0]&0x20 != 0, nil
}

func nibbles(b []byte) []byte {
	out := make([]byte, 0, 2*len(b))
	for _, x := range b {
		out = append(out, x>>4, x&15)
	}
	return out
}
