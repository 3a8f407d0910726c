package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes that is written like "1500MiB", as in GOMEMLIMIT. The zero value is "auto": the program
// chooses.
type Size int64

var units = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}}

// UnmarshalText reads "512MiB", "2GiB", "auto" or "off".
func (s *Size) UnmarshalText(text []byte) error {
	word := string(text)
	switch word {
	case "", "auto":
		*s = 0
		return nil
	case "off":
		*s = math.MaxInt64
		return nil
	}
	for _, u := range units {
		digits, ok := strings.CutSuffix(word, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n <= 0 || n > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size: write it like 1500MiB or 2GiB, or auto, or off", word)
}

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) {
	switch {
	case s == 0:
		return []byte("auto"), nil
	case s == math.MaxInt64:
		return []byte("off"), nil
	case s%(1<<30) == 0:
		return fmt.Appendf(nil, "%dGiB", s>>30), nil
	case s%(1<<20) == 0:
		return fmt.Appendf(nil, "%dMiB", s>>20), nil
	default:
		return fmt.Appendf(nil, "%dB", int64(s)), nil
	}
}
