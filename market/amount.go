package market

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/holiman/uint256"
)

// Decimals is the number of decimal places between one AITBC and the base unit.
const Decimals = 18

// ErrAmount reports an amount that is negative, too large or malformed.
var ErrAmount = errors.New("not an amount")

// Amount is a sum of money in base units (10^-18 AITBC), below 2^128. The zero
// value is zero. Amounts are values: no method changes its receiver.
type Amount struct{ v uint256.Int }

// Units returns n base units.
func Units(n uint64) Amount { return Amount{*uint256.NewInt(n)} }

// Coins returns n whole AITBC.
func Coins(n uint64) Amount {
	var a Amount
	a.v.Mul(uint256.NewInt(n), uint256.NewInt(1_000_000_000_000_000_000))
	return a
}

// MaxAmount is the largest amount, 2^128 - 1.
func MaxAmount() Amount {
	var a Amount
	a.v.SetAllOne()
	a.v.Rsh(&a.v, 128)
	return a
}

func check(v *uint256.Int) (Amount, error) {
	if v.BitLen() > 128 {
		return Amount{}, fmt.Errorf("%w: above 2^128", ErrAmount)
	}
	return Amount{*v}, nil
}

// AmountFromBig converts b. It returns [ErrAmount] if b is nil, negative or too large.
func AmountFromBig(b *big.Int) (Amount, error) {
	if b == nil || b.Sign() < 0 || b.BitLen() > 128 {
		return Amount{}, ErrAmount
	}
	v, _ := uint256.FromBig(b)
	return Amount{*v}, nil
}

// ParseAmount reads a decimal string of base units, as JSON carries it: digits
// only, no sign, no leading zero. It returns [ErrAmount] otherwise.
func ParseAmount(s string) (Amount, error) {
	if s == "" || len(s) > 39 || (len(s) > 1 && s[0] == '0') || strings.Trim(s, "0123456789") != "" {
		return Amount{}, fmt.Errorf("%w: %.48q", ErrAmount, s)
	}
	v, err := uint256.FromDecimal(s)
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %q", ErrAmount, s)
	}
	return check(v)
}

// ParseCoins reads what a person types: "12", "0.5" or "12.25 AITBC". It
// returns [ErrAmount] for anything else, and for more than 18 decimals.
func ParseCoins(s string) (Amount, error) {
	t := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "AITBC"))
	whole, frac, dot := strings.Cut(t, ".")
	if whole == "" || (dot && frac == "") || len(frac) > Decimals {
		return Amount{}, fmt.Errorf("%w: %.48q", ErrAmount, s)
	}
	digits := strings.TrimLeft(whole+frac+strings.Repeat("0", Decimals-len(frac)), "0")
	if digits == "" {
		digits = "0"
	}
	a, err := ParseAmount(digits)
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %.48q", ErrAmount, s)
	}
	return a, nil
}

// String returns the base units in decimal.
func (a Amount) String() string { return a.v.Dec() }

// Coins returns the amount in AITBC for people, without trailing zeros.
func (a Amount) Coins() string {
	s := a.v.Dec()
	if len(s) <= Decimals {
		s = strings.Repeat("0", Decimals-len(s)+1) + s
	}
	whole, frac := s[:len(s)-Decimals], strings.TrimRight(s[len(s)-Decimals:], "0")
	if frac == "" {
		return whole + " AITBC"
	}
	return whole + "." + frac + " AITBC"
}

// Big returns a new big integer of the same value.
func (a Amount) Big() *big.Int { return a.v.ToBig() }

// Bytes16 returns the value as 16 bytes, big-endian.
func (a Amount) Bytes16() [16]byte {
	b := a.v.Bytes32()
	return [16]byte(b[16:])
}

// AmountFromBytes16 is the inverse of [Amount.Bytes16].
func AmountFromBytes16(b [16]byte) Amount {
	var a Amount
	a.v.SetBytes(b[:])
	return a
}

// IsZero reports whether a is zero.
func (a Amount) IsZero() bool { return a.v.IsZero() }

// Cmp returns -1, 0 or +1 as a is less than, equal to or greater than b.
func (a Amount) Cmp(b Amount) int { return a.v.Cmp(&b.v) }

// Add returns a + b, or [ErrAmount] when that does not fit.
func (a Amount) Add(b Amount) (Amount, error) {
	return check(new(uint256.Int).Add(&a.v, &b.v))
}

// Sub returns a - b, or [ErrAmount] when b is larger.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.v.Lt(&b.v) {
		return Amount{}, fmt.Errorf("%w: %s less %s", ErrAmount, a, b)
	}
	return Amount{*new(uint256.Int).Sub(&a.v, &b.v)}, nil
}

// MarshalJSON writes the decimal string.
func (a Amount) MarshalJSON() ([]byte, error) {
	return append(append([]byte{'"'}, a.String()...), '"'), nil
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// UnmarshalJSON reads a decimal string; numbers are refused, as JSON numbers lose digits.
func (a *Amount) UnmarshalJSON(b []byte) error {
	var s string
	if n := len(b); n > 2 && b[0] == '"' && digits(b[1:n-1]) {
		s = string(b[1 : n-1])
	} else if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%w: want a decimal string of base units", ErrAmount)
	}
	v, err := ParseAmount(s)
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// UnmarshalText reads base units in decimal, as settings and flags give them.
func (a *Amount) UnmarshalText(b []byte) error {
	v, err := ParseAmount(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}
