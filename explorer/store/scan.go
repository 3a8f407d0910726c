package store

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// scanner reads a column into something that is no plain value.
type scanner func(v any) error

// Scan implements sql.Scanner.
func (f scanner) Scan(v any) error { return f(v) }

func hash(h *common.Hash) scanner { return fixed(h[:]) }

func address(a *common.Address) scanner { return fixed(a[:]) }

func fixed(into []byte) scanner {
	return func(v any) error {
		b, ok := v.([]byte)
		if !ok || len(b) != len(into) {
			return fmt.Errorf("%T of %d bytes, want %d bytes", v, len(b), len(into))
		}
		copy(into, b)
		return nil
	}
}

// optional reads an address that may be missing.
func optional(a **common.Address) scanner {
	return func(v any) error {
		if v == nil {
			return nil
		}
		*a = new(common.Address)
		return address(*a)(v)
	}
}

func amount(a *market.Amount) scanner {
	return func(v any) error {
		text, ok := v.(string)
		if !ok {
			return fmt.Errorf("%T is no amount", v)
		}
		n, err := market.ParseAmount(text)
		*a = n
		return err
	}
}
