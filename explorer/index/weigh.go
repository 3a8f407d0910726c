package index

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/ethereum/go-ethereum/accounts/abi"
)

// valuesMost bounds what comes of values that a stranger encoded, in bytes: lists may
// share their items, so that few bytes hold very many.
const valuesMost = 256 << 10

var (
	errHeavy = errors.New("the values are too many")
	errShort = errors.New("the values end beyond the data")
)

// Unpack decodes values by a stranger's interface, of which neither the types nor the
// bytes are trusted: what would become much more than it is, is refused.
func Unpack(of abi.Arguments, data []byte) ([]any, error) {
	types := make([]*abi.Type, len(of))
	for i := range of {
		types[i] = &of[i].Type
	}
	left := valuesMost
	if err := weigh(types, data, &left); err != nil {
		return nil, err
	}
	return of.Unpack(data)
}

// weigh walks through the encoding of a tuple as a decoder would, and takes from left
// what each value weighs.
func weigh(types []*abi.Type, data []byte, left *int) error {
	at := 0
	for _, t := range types {
		if !dynamic(t) {
			n := static(t)
			at += n
			if *left -= n; *left < 0 {
				return errHeavy
			}
			if at > len(data) {
				return errShort
			}
			continue
		}
		if err := weighAt(t, data, at, left); err != nil {
			return err
		}
		at += 32
	}
	return nil
}

// weighAt weighs a value whose place stands at a place of data.
func weighAt(t *abi.Type, data []byte, at int, left *int) error {
	if *left -= 32; *left < 0 {
		return errHeavy
	}
	offset, err := wordAt(data, at)
	if err != nil {
		return err
	}
	data = data[offset:]
	switch t.T {
	case abi.TupleTy:
		return weigh(t.TupleElems, data, left)
	case abi.ArrayTy:
		return weighList(t.Elem, t.Size, data, left)
	}
	n, err := wordAt(data, 0)
	if err != nil {
		return err
	}
	if t.T == abi.SliceTy {
		return weighList(t.Elem, n, data[32:], left)
	}
	if *left -= n; *left < 0 {
		return errHeavy
	}
	return nil
}

func weighList(elem *abi.Type, n int, data []byte, left *int) error {
	if !dynamic(elem) {
		if each := static(elem); each > 0 && n > *left/each {
			return errHeavy
		} else if *left -= n * each; n*each > len(data) {
			return errShort
		}
		return nil
	}
	for i := range n {
		if err := weighAt(elem, data, 32*i, left); err != nil {
			return err
		}
	}
	return nil
}

// wordAt reads a number that is at most the length of data.
func wordAt(data []byte, at int) (int, error) {
	if at+32 > len(data) {
		return 0, errShort
	}
	for _, b := range data[at : at+24] {
		if b != 0 {
			return 0, errShort
		}
	}
	n := binary.BigEndian.Uint64(data[at+24 : at+32])
	if n > uint64(len(data)) {
		return 0, errShort
	}
	return int(n), nil //nolint:gosec // at most a length
}

// dynamic reports whether a value stands elsewhere, and its place here.
func dynamic(t *abi.Type) bool {
	switch t.T {
	case abi.StringTy, abi.BytesTy, abi.SliceTy:
		return true
	case abi.ArrayTy:
		return dynamic(t.Elem)
	case abi.TupleTy:
		return slices.ContainsFunc(t.TupleElems, dynamic)
	}
	return false
}

// static is the size of a value that stands here, or more than may be decoded.
func static(t *abi.Type) int {
	const tooMuch = valuesMost + 1
	switch t.T {
	case abi.ArrayTy:
		each := static(t.Elem)
		if each > 0 && t.Size > tooMuch/each {
			return tooMuch
		}
		return each * t.Size
	case abi.TupleTy:
		sum := 0
		for _, e := range t.TupleElems {
			sum = min(tooMuch, sum+static(e))
		}
		return sum
	default:
		return 32
	}
}
