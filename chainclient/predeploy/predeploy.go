// Package predeploy calls the network's contracts and reads their events, with
// the types of the market instead of the ABI's: the Registry and the Market of
// docs/PROTOCOL.md sections 4 and 5, Staking, Rewards, and those that govern.
package predeploy

import (
	"context"
	"errors"
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

// ErrNotDeployed reports that a network does not have a contract.
var ErrNotDeployed = errors.New("this network does not have the contract")

// NewSender returns a sender that explains the contracts' refusals.
func NewSender(c *chainclient.Client, signer chainclient.Signer) *chainclient.Sender {
	return chainclient.NewSender(c, signer, interfaces()...)
}

// Explain returns err as a *[chainclient.RevertError] if it is a refusal by one
// of the contracts, and err itself otherwise.
func Explain(err error) error { return chainclient.Explain(err, interfaces()...) }

// The interfaces are embedded in the program: that they do not parse is a bug.
func registryABI() abi.ABI { return must(contracts.RegistryABI()) }
func marketABI() abi.ABI   { return must(contracts.MarketABI()) }
func treasuryABI() abi.ABI { return must(contracts.TreasuryABI()) }
func stakingABI() abi.ABI  { return must(contracts.StakingABI()) }
func rewardsABI() abi.ABI  { return must(contracts.RewardsABI()) }
func governorABI() abi.ABI { return must(contracts.GovernorABI()) }
func timelockABI() abi.ABI { return must(contracts.TimelockABI()) }
func upgradesABI() abi.ABI { return must(contracts.UpgradesABI()) }
func faucetABI() abi.ABI   { return must(contracts.FaucetABI()) }

// interfaces are all of them, to explain errors that pass from one to another.
func interfaces() []abi.ABI {
	return []abi.ABI{
		registryABI(), marketABI(), treasuryABI(), stakingABI(), rewardsABI(),
		governorABI(), timelockABI(), upgradesABI(), faucetABI(),
	}
}

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
	spare   uint64 // gas of transactions beside the estimate
}

// read calls a view and returns its values. It returns [ErrNotDeployed], wrapped,
// where there is no contract.
func (c *contract) read(ctx context.Context, at chainclient.Block, method string, args ...any) ([]any, error) {
	data, err := c.abi.Pack(method, args...)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	out, err := c.client.CallContract(ctx, chainclient.Message{To: c.address, Data: data}, at)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", method, Explain(err))
	}
	if len(out) == 0 && len(c.abi.Methods[method].Outputs) > 0 {
		return nil, fmt.Errorf("read %s at %s: %w", method, c.address, ErrNotDeployed)
	}
	values, err := c.abi.Unpack(method, out)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", method, err)
	}
	return values, nil
}

// form returns the name by which the ABI knows the form of an overloaded method
// that has this signature, or "".
func form(a abi.ABI, signature string) string {
	for name, m := range a.Methods {
		if m.Sig == signature {
			return name
		}
	}
	return ""
}

// readStruct calls a view that returns one struct.
func (c *contract) readStruct(ctx context.Context, at chainclient.Block, into any, method string, args ...any) error {
	values, err := c.read(ctx, at, method, args...)
	if err != nil {
		return err
	}
	return fill(into, fieldsOf(values[0]))
}

// readTuple calls a view that returns several named values.
func (c *contract) readTuple(ctx context.Context, at chainclient.Block, into any, method string, args ...any) error {
	values, err := c.read(ctx, at, method, args...)
	if err != nil {
		return err
	}
	byName := make(map[string]any, len(values))
	for i, out := range c.abi.Methods[method].Outputs {
		byName[abi.ToCamelCase(out.Name)] = values[i]
	}
	return fill(into, func(name string) (any, bool) { v, ok := byName[name]; return v, ok })
}

// readOne calls a view that returns one value of type T.
func readOne[T any](ctx context.Context, c *contract, at chainclient.Block, method string, args ...any) (T, error) {
	var none T
	values, err := c.read(ctx, at, method, args...)
	if err != nil {
		return none, err
	}
	v, ok := values[0].(T)
	if !ok {
		return none, fmt.Errorf("decode %s: %T is no %T", method, values[0], none)
	}
	return v, nil
}

// fieldsOf finds the fields of a struct of the ABI's by name.
func fieldsOf(value any) func(name string) (any, bool) {
	source := reflect.ValueOf(value)
	return func(name string) (any, bool) {
		f := source.FieldByName(name)
		if !f.IsValid() {
			return nil, false
		}
		return f.Interface(), true
	}
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
	return c.sendPinned(ctx, s, nil, value, method, args...)
}

// sendPinned is send with a say in the nonce; see [chainclient.Tx].
func (c *contract) sendPinned(ctx context.Context, s *chainclient.Sender, pin func(context.Context, uint64) (uint64, error), value market.Amount, method string, args ...any) (*types.Receipt, error) {
	data, err := c.abi.Pack(method, args...)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	r, err := s.Send(ctx, chainclient.Tx{To: c.address, Value: value.Big(), Data: data, Spare: c.spare, Pin: pin})
	if err != nil {
		return r, fmt.Errorf("%s: %w", c.abi.Methods[method].RawName, err)
	}
	return r, nil
}

// fill sets each field of into, a pointer to a struct, to the value that the
// ABI has under the field's name, converted to the field's type. A field
// without a value is an error: the two have grown apart. A struct within is
// filled in the same way.
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
		if n, ok := got.(*big.Int); ok && f.Type != reflect.TypeFor[*big.Int]() {
			a, err := market.AmountFromBig(n)
			if err != nil {
				return fmt.Errorf("decode %s.%s: %w", v.Type().Name(), f.Name, err)
			}
			got = a
		}
		g := reflect.ValueOf(got)
		if g.Kind() == reflect.Struct && f.Type.Kind() == reflect.Struct && !g.CanConvert(f.Type) {
			if err := fill(v.Field(i).Addr().Interface(), fieldsOf(got)); err != nil {
				return err
			}
			continue
		}
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
