package typeddata

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

var (
	integerForm = regexp.MustCompile(`^(u?)int([1-9][0-9]{0,2})$`)
	bytesForm   = regexp.MustCompile(`^bytes([1-9][0-9]?)$`)
	decimalForm = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,77})$`)
	hexForm     = regexp.MustCompile(`^0x[0-9a-fA-F]{1,64}$`)
)

// atomic reports whether a type is one of EIP-712's own.
func atomic(typ string) bool {
	switch typ {
	case "address", "bool", "string", "bytes":
		return true
	}
	if m := integerForm.FindStringSubmatch(typ); m != nil {
		bits, err := strconv.Atoi(m[2])
		return err == nil && bits%8 == 0 && bits <= 256
	}
	if m := bytesForm.FindStringSubmatch(typ); m != nil {
		n, err := strconv.Atoi(m[1])
		return err == nil && n <= 32
	}
	return false
}

// atom encodes a value of an atomic type, and says how it is shown.
func atom(typ string, v any) (word common.Hash, shown string, err error) {
	switch typ {
	case "bool":
		b, ok := v.(bool)
		if !ok {
			return word, "", fmt.Errorf("want %s", typ)
		}
		if b {
			word[31] = 1
		}
		return word, strconv.FormatBool(b), nil
	case "string":
		s, ok := v.(string)
		if !ok || !utf8.ValidString(s) {
			return word, "", fmt.Errorf("want %s", typ)
		}
		return crypto.Keccak256Hash([]byte(s)), Printable(s), nil
	case "address":
		s, ok := v.(string)
		if !ok || len(s) != 42 || !common.IsHexAddress(s) {
			return word, "", fmt.Errorf("want %s", typ)
		}
		a := common.HexToAddress(s)
		copy(word[12:], a[:])
		return word, a.Hex(), nil
	case "bytes":
		b, err := unhex(v, -1)
		return crypto.Keccak256Hash(b), "0x" + hex.EncodeToString(b), err
	}
	if m := bytesForm.FindStringSubmatch(typ); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return word, "", fmt.Errorf("no such type: %s", typ)
		}
		b, err := unhex(v, n)
		copy(word[:], b)
		return word, "0x" + hex.EncodeToString(b), err
	}
	m := integerForm.FindStringSubmatch(typ)
	if m == nil {
		return word, "", fmt.Errorf("no such type: %s", typ)
	}
	bits, err := strconv.Atoi(m[2])
	if err != nil {
		return word, "", fmt.Errorf("no such type: %s", typ)
	}
	n, err := integer(v)
	if err != nil {
		return word, "", fmt.Errorf("want %s: %w", typ, err)
	}
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(bits))
	if m[1] == "" {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	if n.Cmp(low) < 0 || n.Cmp(high) >= 0 {
		return word, "", fmt.Errorf("%s does not fit %s", n, typ)
	}
	shown = n.String()
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), 256))
	}
	n.FillBytes(word[:])
	return word, shown, nil
}

func integer(v any) (*big.Int, error) {
	var s string
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = v
	}
	if hexForm.MatchString(s) {
		n, _ := new(big.Int).SetString(s[2:], 16)
		return n, nil
	}
	if !decimalForm.MatchString(s) {
		return nil, fmt.Errorf("want a whole number")
	}
	n, _ := new(big.Int).SetString(s, 10)
	return n, nil
}

// unhex reads 0x and hex digits, of n bytes unless n is negative.
func unhex(v any, n int) ([]byte, error) {
	s, ok := v.(string)
	digits, prefixed := strings.CutPrefix(s, "0x")
	if !ok || !prefixed {
		return nil, fmt.Errorf("want 0x and hex digits")
	}
	b, err := hex.DecodeString(digits)
	if err != nil || n >= 0 && len(b) != n {
		return nil, fmt.Errorf("want 0x and hex digits of the right length")
	}
	return b, nil
}

// Printable replaces what could deceive whoever reads s: control characters and
// those that change the direction of text.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return '·'
		}
		return r
	}, s)
}
