// Package bech32 reads and writes the second spelling of an address, aitbc1…:
// the same twenty bytes in the encoding of BIP-173, whose checksum finds any
// change of up to four characters.
package bech32

import (
	"errors"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Prefix is the human-readable part of addresses.
const Prefix = "aitbc"

// ErrAddress reports a text that is no address of this spelling.
var ErrAddress = errors.New("not an aitbc1 address")

const (
	charset  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksum = 6                               // characters
	length   = len(Prefix) + 1 + 32 + checksum // 160 bits are 32 characters
)

// Encode returns the second spelling of an address.
func Encode(a common.Address) string {
	data := make([]byte, 0, 32+checksum)
	for bit := 0; bit < 160; bit += 5 {
		v := uint16(a[bit/8]) << 8
		if bit/8+1 < len(a) {
			v |= uint16(a[bit/8+1])
		}
		data = append(data, byte(v>>(11-bit%8)&31))
	}
	sum := polymod(append(expanded(), append(data, 0, 0, 0, 0, 0, 0)...)) ^ 1
	for i := range checksum {
		data = append(data, byte(sum>>(5*(checksum-1-i))&31))
	}
	var b strings.Builder
	b.WriteString(Prefix + "1")
	for _, v := range data {
		b.WriteByte(charset[v])
	}
	return b.String()
}

// Decode reads what [Encode] writes, in small or in capital letters but not in
// both. Anything else is [ErrAddress].
func Decode(text string) (common.Address, error) {
	var a common.Address
	lower := strings.ToLower(text)
	if len(text) != length || (text != lower && text != strings.ToUpper(text)) {
		return a, ErrAddress
	}
	rest, ok := strings.CutPrefix(lower, Prefix+"1")
	if !ok {
		return a, ErrAddress
	}
	data := make([]byte, len(rest))
	for i := range len(rest) {
		v := strings.IndexByte(charset, rest[i])
		if v < 0 {
			return a, ErrAddress
		}
		data[i] = byte(v) //nolint:gosec // below 32
	}
	if polymod(append(expanded(), data...)) != 1 {
		return a, ErrAddress
	}
	for i, v := range data[:32] {
		for k := range 5 {
			if bit := i*5 + k; v>>(4-k)&1 == 1 {
				a[bit/8] |= 1 << (7 - bit%8)
			}
		}
	}
	return a, nil
}

// expanded is the prefix as the checksum covers it.
func expanded() []byte {
	out := make([]byte, 0, 2*len(Prefix)+1+32+checksum)
	for i := range len(Prefix) {
		out = append(out, Prefix[i]>>5)
	}
	out = append(out, 0)
	for i := range len(Prefix) {
		out = append(out, Prefix[i]&31)
	}
	return out
}

// polymod is BIP-173's checksum.
func polymod(values []byte) uint32 {
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	return sum
}
