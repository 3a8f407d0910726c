package rpc

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Height is a block number in a request: a number, a decimal string, or "latest". The zero value is the latest.
type Height struct {
	N   uint64
	Set bool
}

// UnmarshalJSON reads 5, "5" or "latest".
func (h *Height) UnmarshalJSON(raw []byte) error {
	s := strings.TrimSpace(string(raw))
	if s == "null" {
		*h = Height{}
		return nil
	}
	if strings.HasPrefix(s, `"`) {
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
	}
	got, err := ParseHeight(s)
	if err != nil {
		return err
	}
	*h = got
	return nil
}

// ParseHeight reads a height as it stands in a URI.
func ParseHeight(s string) (Height, error) {
	s = strings.Trim(s, `"`)
	if s == "" || s == "latest" {
		return Height{}, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return Height{}, fmt.Errorf("height %q is no block number", s)
	}
	return Height{N: n, Set: true}, nil
}

var errHex = errors.New("must be 0x and hex digits")

// parseBytes reads hex, with 0x or without.
func parseBytes(s string) ([]byte, error) {
	s = strings.Trim(s, `"`)
	s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) == 0 {
		return nil, errHex
	}
	return raw, nil
}

func parseHash(s string) (common.Hash, error) {
	raw, err := parseBytes(s)
	if err != nil || len(raw) != common.HashLength {
		return common.Hash{}, fmt.Errorf("hash %q must be 0x and 64 hex digits", s)
	}
	return common.BytesToHash(raw), nil
}

func parseAddress(s string) (common.Address, error) {
	raw, err := parseBytes(s)
	if err != nil || len(raw) != common.AddressLength {
		return common.Address{}, fmt.Errorf("address %q must be 0x and 40 hex digits", s)
	}
	return common.BytesToAddress(raw), nil
}
