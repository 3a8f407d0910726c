package verify

import (
	"encoding/binary"
	"fmt"
)

// tail is what a compiler writes behind a contract's code: a map in CBOR and its length.
type tail struct {
	size   int    // in bytes; 0: there is none
	hashed bool   // it holds a fingerprint of the sources and settings
	solc   string // version, if it is a released one's
}

// ending reads the end of a contract's code.
func ending(code []byte) tail {
	if len(code) < 4 {
		return tail{}
	}
	n := int(binary.BigEndian.Uint16(code[len(code)-2:]))
	if n < 2 || n+2 > len(code) {
		return tail{}
	}
	if t := tailAt(code[len(code)-2-n:]); t.size == n+2 {
		return t
	}
	return tail{}
}

// tailAt reads what may be a tail at the beginning of b.
func tailAt(b []byte) tail {
	t, rest, ok := readTail(b)
	if !ok || len(rest) < 2 || int(binary.BigEndian.Uint16(rest)) != len(b)-len(rest) {
		return tail{}
	}
	t.size = len(b) - len(rest) + 2
	return t
}

// inside are the places of the tails with fingerprints within code.
func inside(code []byte) (list []span) {
	for at := range code {
		if t := tailAt(code[at:]); t.hashed {
			list = append(list, span{at, t.size})
		}
	}
	return list
}

// readTail reads the map, which must hold what compilers write alone.
func readTail(b []byte) (t tail, rest []byte, ok bool) {
	entries := b[0] - 0xa0
	if entries < 1 || entries > 8 {
		return t, nil, false
	}
	b = b[1:]
	for range entries {
		kind, key, more := item(b)
		if kind != 3 {
			return t, nil, false
		}
		kind, value, after := item(more)
		switch string(key) {
		case "ipfs", "bzzr0", "bzzr1":
			ok = kind == 2 && len(value) >= 32
			t.hashed = ok
		case "solc":
			ok = kind == 2 && len(value) == 3 || kind == 3
			if kind == 2 && len(value) == 3 {
				t.solc = fmt.Sprintf("%d.%d.%d", value[0], value[1], value[2])
			}
		case "experimental":
			ok = kind == 7
		default:
			ok = false
		}
		if !ok {
			return t, nil, false
		}
		b = after
	}
	return t, b, true
}

// item reads bytes (kind 2), text (3) or a boolean (7) of CBOR; any other kind is 0.
func item(b []byte) (kind byte, value, rest []byte) {
	if len(b) == 0 {
		return 0, nil, nil
	}
	kind = b[0] >> 5
	n := int(b[0] & 31)
	b = b[1:]
	if kind == 7 && (n == 20 || n == 21) {
		return kind, nil, b
	}
	if n == 24 && len(b) > 0 {
		n, b = int(b[0]), b[1:]
	} else if n >= 24 {
		return 0, nil, nil
	}
	if kind != 2 && kind != 3 || n > len(b) {
		return 0, nil, nil
	}
	return kind, b[:n], b[n:]
}
