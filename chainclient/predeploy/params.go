package predeploy

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/aitbc/aitbc/chainclient"
)

// Param is a parameter of a contract.
type Param struct {
	Name  string
	Type  string // as Solidity has it
	Value string
}

// Params returns the parameters of a contract that [SetParams] can change:
// those that it would change to next where a change waits for its time.
func Params(ctx context.Context, c *chainclient.Client, contractName string, at chainclient.Block) ([]Param, error) {
	n, err := find(contractName)
	if err != nil {
		return nil, err
	}
	if _, ok := n.abi.Methods[n.setter()]; !ok {
		return n.singles(ctx, c, at)
	}
	tuple, value, err := n.params(ctx, c, at)
	if err != nil {
		return nil, err
	}
	all := make([]Param, len(tuple.TupleElems))
	for i, t := range tuple.TupleElems {
		all[i] = Param{tuple.TupleRawNames[i], t.String(), show(value.Field(i).Interface())}
	}
	return all, nil
}

// SetParams returns the actions that change some of a contract's parameters,
// given as text by their names, and leave the others as they are now.
func SetParams(ctx context.Context, c *chainclient.Client, contractName string, changes map[string]string, at chainclient.Block) ([]Action, error) {
	n, err := find(contractName)
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("no parameter of %s is named", n.name)
	}
	if _, ok := n.abi.Methods[n.setter()]; !ok {
		return n.setSingles(changes)
	}
	tuple, value, err := n.params(ctx, c, at)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		i := slices.Index(tuple.TupleRawNames, name)
		if i < 0 {
			return nil, fmt.Errorf("%s has no parameter %q: it has %s", n.name, name, strings.Join(tuple.TupleRawNames, ", "))
		}
		v, err := parse(*tuple.TupleElems[i], changes[name])
		if err != nil {
			return nil, fmt.Errorf("parameter %s of %s: %w", name, n.name, err)
		}
		value.Field(i).Set(reflect.ValueOf(v))
	}
	data, err := n.abi.Pack(n.setter(), value.Interface())
	if err != nil {
		return nil, fmt.Errorf("encode %s of %s: %w", n.setter(), n.name, err)
	}
	return []Action{{Target: n.address, Data: data}}, nil
}

// params reads the parameters as a value that can be changed.
func (n named) params(ctx context.Context, c *chainclient.Client, at chainclient.Block) (abi.Type, reflect.Value, error) {
	method := n.getter()
	if _, ok := n.abi.Methods["nextParams"]; ok {
		method = "nextParams" // what was set before and waits must not be lost
	}
	tuple := n.abi.Methods[n.setter()].Inputs[0].Type
	if tuple.T != abi.TupleTy {
		return abi.Type{}, reflect.Value{}, fmt.Errorf("%s of %s takes no struct", n.setter(), n.name)
	}
	values, err := n.on(c).read(ctx, at, method)
	if err != nil {
		return abi.Type{}, reflect.Value{}, err
	}
	value := reflect.New(tuple.GetType()).Elem()
	read := reflect.ValueOf(values[0])
	if !read.CanConvert(value.Type()) {
		return abi.Type{}, reflect.Value{}, fmt.Errorf("decode %s of %s: another struct than that of setParams", method, n.name)
	}
	value.Set(read.Convert(value.Type()))
	return tuple, value, nil
}

// single is a parameter with a setter of its own.
type single struct {
	name, setter, getter string
}

// list finds parameters with setters of their own: setVotingDelay beside
// votingDelay, updateDelay beside getMinDelay, and so on.
func (n named) list() []single {
	var all []single
	for _, name := range slices.Sorted(maps.Keys(n.abi.Methods)) {
		m := n.abi.Methods[name]
		rest, ok := strings.CutPrefix(name, "set")
		if !ok {
			rest, ok = strings.CutPrefix(name, "update")
		}
		if !ok || rest == "" || len(m.Inputs) != 1 || m.Inputs[0].Type.T != abi.UintTy {
			continue
		}
		for _, getter := range []string{lowerFirst(rest), "get" + rest, "getMin" + rest} {
			if found := form(n.abi, getter+"()"); found != "" {
				all = append(all, single{lowerFirst(rest), name, found})
				break
			}
		}
	}
	slices.SortFunc(all, func(a, b single) int { return strings.Compare(a.name, b.name) })
	return all
}

func (n named) singles(ctx context.Context, c *chainclient.Client, at chainclient.Block) ([]Param, error) {
	var all []Param
	for _, p := range n.list() {
		values, err := n.on(c).read(ctx, at, p.getter)
		if err != nil {
			return nil, err
		}
		all = append(all, Param{p.name, n.abi.Methods[p.setter].Inputs[0].Type.String(), show(values[0])})
	}
	return all, nil
}

func (n named) setSingles(changes map[string]string) ([]Action, error) {
	known := n.list()
	var names []string
	for _, p := range known {
		names = append(names, p.name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no parameters", n.name)
	}
	var actions []Action
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, fmt.Errorf("%s has no parameter %q: it has %s", n.name, name, strings.Join(names, ", "))
		}
		m := n.abi.Methods[known[i].setter]
		v, err := parse(m.Inputs[0].Type, changes[name])
		if err != nil {
			return nil, fmt.Errorf("parameter %s of %s: %w", name, n.name, err)
		}
		data, err := n.abi.Pack(m.Name, v)
		if err != nil {
			return nil, fmt.Errorf("encode %s of %s: %w", m.Name, n.name, err)
		}
		actions = append(actions, Action{Target: n.address, Data: data})
	}
	return actions, nil
}

// show words a value of the ABI's: numbers in decimal, addresses and bytes in hex.
func show(v any) string {
	switch v := v.(type) {
	case *big.Int:
		return v.String()
	case []byte:
		return fmt.Sprintf("0x%x", v)
	case [32]byte:
		return fmt.Sprintf("0x%x", v)
	case string:
		return fmt.Sprintf("%q", v)
	default:
		return fmt.Sprint(v)
	}
}
