// Package predeploy calls the network's contracts, the Registry and the Market
// of docs/PROTOCOL.md sections 4 and 5, and reads their events, with the types
// of the market instead of the ABI's.
package predeploy

import (
	"context"
	"fmt"
	"math/big"
	"reflect"
	"unicode"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// NewSender returns a sender that explains the contracts' refusals.
func NewSender(c *chainclient.Client, signer chainclient.Signer) *chainclient.Sender {
	return chainclient.NewSender(c, signer, registryABI(), marketABI())
}

// Explain returns err as a *[chainclient.RevertError] if it is a refusal by one
// of the contracts, and err itself otherwise.
func Explain(err error) error { return chainclient.Explain(err, registryABI(), marketABI()) }

// The interfaces are embedded in the program: that they do not parse is a bug.
func registryABI() abi.ABI { return must(contracts.RegistryABI()) }
func marketABI() abi.ABI   { return must(contracts.MarketABI()) }

func must(a abi.ABI, err error) abi.ABI {
	if err != nil {
		panic("predeploy: " + err.Error())
	}
	return a
}

// contract is one predeploy behind its proxy.
type contract struct {
	client  *chainclient.Client
	address common.Address
	abi     abi.ABI
}

// read calls a view and returns its values.
func (c *contract) read(ctx context.Context, at chainclient.Block, method string, args ...any) ([]any, error) {
	data, err := c.abi.Pack(method, args...)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	out, err := c.client.CallContract(ctx, chainclient.Message{To: c.address, Data: data}, at)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", method, Explain(err))
	}
	values, err := c.abi.Unpack(method, out)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", method, err)
	}
	return values, nil
}

// readStruct calls a view that returns one struct.
func (c *contract) readStruct(ctx context.Context, at chainclient.Block, into any, method string, args ...any) error {
	values, err := c.read(ctx, at, method, args...)
	if err != nil {
		return err
	}
	source := reflect.ValueOf(values[0])
	return fill(into, func(name string) (any, bool) {
		f := source.FieldByName(name)
		if !f.IsValid() {
			return nil, false
		}
		return f.Interface(), true
	})
}

// readAmount calls a view that returns one amount.
func (c *contract) readAmount(ctx context.Context, at chainclient.Block, method string, args ...any) (market.Amount, error) {
	values, err := c.read(ctx, at, method, args...)
	if err != nil {
		return market.Amount{}, err
	}
	n, ok := values[0].(*big.Int)
	if !ok {
		return market.Amount{}, fmt.Errorf("decode %s: not a number", method)
	}
	return market.AmountFromBig(n)
}

// send calls a method in a transaction. value is what it pays.
func (c *contract) send(ctx context.Context, s *chainclient.Sender, value market.Amount, method string, args ...any) (*types.Receipt, error) {
	data, err := c.abi.Pack(method, args...)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	r, err := s.Send(ctx, chainclient.Tx{To: c.address, Value: value.Big(), Data: data})
	if err != nil {
		return r, fmt.Errorf("%s: %w", method, err)
	}
	return r, nil
}

// fill sets each field of into, a pointer to a struct, to the value that the
// ABI has under the field's name, converted to the field's type. A field
// without a value is an error: the two have grown apart.
func fill(into any, value func(name string) (any, bool)) error {
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			continue
		}
		got, ok := value(f.Name)
		if !ok {
			return fmt.Errorf("decode %s: no field %s", v.Type().Name(), f.Name)
		}
		if n, ok := got.(*big.Int); ok {
			a, err := market.AmountFromBig(n)
			if err != nil {
				return fmt.Errorf("decode %s.%s: %w", v.Type().Name(), f.Name, err)
			}
			got = a
		}
		g := reflect.ValueOf(got)
		if !g.CanConvert(f.Type) {
			return fmt.Errorf("decode %s.%s: %s is no %s", v.Type().Name(), f.Name, g.Type(), f.Type)
		}
		v.Field(i).Set(g.Convert(f.Type))
	}
	return nil
}

// lowerFirst turns a Go field's name into the ABI's.
func lowerFirst(s string) string {
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
