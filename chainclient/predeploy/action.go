package predeploy

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/market"
)

// leastSaid is the number from which on one is said in coins too: no time, share or
// count is so large.
const leastSaid = 1e12

// SetAuthority returns the action that admits or removes an authority.
func SetAuthority(operator common.Address, admitted bool) (Action, error) {
	return action("staking", "setAuthority", operator, admitted)
}

// Spend returns the action that pays out of the Treasury.
func Spend(to common.Address, amount market.Amount) (Action, error) {
	return action("treasury", "spend", to, amount.Big())
}

// UpgradeContract returns the action that gives a contract another
// implementation, and then calls it with data, if there is any.
func UpgradeContract(name string, implementation common.Address, data []byte) (Action, error) {
	if data == nil {
		data = []byte{}
	}
	return action(name, "upgradeToAndCall", implementation, data)
}

// UpgradeNode returns the action that plans an upgrade of the node's program.
func UpgradeNode(p Plan) (Action, error) {
	return action("upgrades", "schedule", p.Name, p.Height, p.Info)
}

// CancelUpgrade returns the action that drops the plan.
func CancelUpgrade() (Action, error) { return action("upgrades", "cancel") }

func action(name, method string, args ...any) (Action, error) {
	n, err := find(name)
	if err != nil {
		return Action{}, err
	}
	data, err := n.abi.Pack(method, args...)
	if err != nil {
		return Action{}, fmt.Errorf("encode %s of %s: %w", method, n.name, err)
	}
	return Action{Target: n.address, Data: data}, nil
}

// String says what the action does, as far as the contracts' interfaces tell:
// "treasury.spend(to 0x…, amount 5)".
func (a Action) String() string {
	text := nameOf(a.Target) + describe(a)
	if !a.Value.IsZero() {
		text += " with " + a.Value.Coins()
	}
	return text
}

func describe(a Action) string {
	if len(a.Data) == 0 {
		return "()"
	}
	for _, n := range all() {
		if n.address != a.Target || len(a.Data) < 4 {
			continue
		}
		m, err := n.abi.MethodById(a.Data)
		if err != nil {
			break
		}
		values, err := m.Inputs.Unpack(a.Data[4:])
		if err != nil {
			break
		}
		return "." + m.Name + "(" + strings.Join(words(m.Inputs, values), ", ") + ")"
	}
	return " called with " + hexutil.Encode(a.Data)
}

// words are values with their names; a struct's are those of its fields.
func words(args abi.Arguments, values []any) []string {
	var list []string
	for i, v := range values {
		if t := args[i].Type; t.T == abi.TupleTy {
			fields := reflect.ValueOf(v)
			for f := range fields.NumField() {
				list = append(list, t.TupleRawNames[f]+" "+said(fields.Field(f).Interface()))
			}
			continue
		}
		list = append(list, strings.TrimSpace(args[i].Name+" "+said(v)))
	}
	return list
}

// said is show, with coins for a number that is an amount by its size.
func said(v any) string {
	n, ok := v.(*big.Int)
	if !ok || n.Cmp(market.Units(leastSaid).Big()) < 0 {
		return show(v)
	}
	a, err := market.AmountFromBig(n)
	if err != nil {
		return show(v)
	}
	return show(v) + " = " + a.Coins()
}

// ContractAddress returns the address of a contract by its name.
func ContractAddress(name string) (common.Address, error) {
	n, err := find(name)
	return n.address, err
}
