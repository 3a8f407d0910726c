package light

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrFormat reports a message that is not the one spelling we accept.
var ErrFormat = errors.New("malformed message")

// enc writes the protobuf wire format, leaving out zero values.
type enc []byte

func (e enc) varint(field int, v uint64) enc {
	if v == 0 {
		return e
	}
	return binary.AppendUvarint(append(e, byte(field<<3)), v)
}

func (e enc) bytes(field int, b []byte) enc {
	if len(b) == 0 {
		return e
	}
	return e.message(field, b)
}

// message writes b even if it is empty.
func (e enc) message(field int, b []byte) enc {
	return append(binary.AppendUvarint(append(e, byte(field<<3|2)), uint64(len(b))), b...)
}

func (e enc) fixed64(field int, v uint64) enc {
	if v == 0 {
		return e
	}
	return binary.LittleEndian.AppendUint64(append(e, byte(field<<3|1)), v)
}

// field is one decoded field.
type field struct {
	num  int
	n    uint64 // varint and fixed64
	data []byte // length-delimited
}

// fields splits a message. Field numbers above 15 are not used by ours.
func fields(b []byte) ([]field, error) {
	var out []field
	for len(b) > 0 {
		f := field{num: int(b[0] >> 3)}
		kind := b[0] & 7
		if b[0]&0x80 != 0 || f.num == 0 {
			return nil, fmt.Errorf("%w: field tag", ErrFormat)
		}
		b = b[1:]
		switch kind {
		case 0:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, fmt.Errorf("%w: varint", ErrFormat)
			}
			f.n, b = v, b[n:]
		case 1:
			if len(b) < 8 {
				return nil, fmt.Errorf("%w: fixed64", ErrFormat)
			}
			f.n, b = binary.LittleEndian.Uint64(b), b[8:]
		case 2:
			v, n := binary.Uvarint(b)
			if n <= 0 || v > uint64(len(b)-n) {
				return nil, fmt.Errorf("%w: length", ErrFormat)
			}
			f.data, b = b[n:n+int(v)], b[n+int(v):]
		default:
			return nil, fmt.Errorf("%w: wire type %d", ErrFormat, kind)
		}
		out = append(out, f)
	}
	return out, nil
}
