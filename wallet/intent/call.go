package intent

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/typeddata"
)

// erc is what ERC-20 and ERC-721 tokens understand: enough to tell what
// leaves the account, and who may take it.
const erc = `[
{"type":"function","name":"transfer","inputs":[{"name":"to","type":"address"},{"name":"amount","type":"uint256"}]},
{"type":"function","name":"approve","inputs":[{"name":"spender","type":"address"},{"name":"amount","type":"uint256"}]},
{"type":"function","name":"increaseAllowance","inputs":[{"name":"spender","type":"address"},{"name":"amount","type":"uint256"}]},
{"type":"function","name":"transferFrom","inputs":[{"name":"from","type":"address"},{"name":"to","type":"address"},{"name":"amount","type":"uint256"}]},
{"type":"function","name":"safeTransferFrom","inputs":[{"name":"from","type":"address"},{"name":"to","type":"address"},{"name":"id","type":"uint256"}]},
{"type":"function","name":"setApprovalForAll","inputs":[{"name":"operator","type":"address"},{"name":"approved","type":"bool"}]}]`

type known struct {
	name string
	abi  abi.ABI
}

// book returns the contracts whose interfaces are known, by address, and the
// interface of tokens. The embedded files always parse: a test sees to it.
var book = sync.OnceValues(func() (map[common.Address]known, abi.ABI) {
	all := map[common.Address]known{}
	for _, p := range contracts.Predeploys {
		if a, err := contracts.Load(p.Name); err == nil {
			if parsed, err := abi.JSON(strings.NewReader(string(a.ABI))); err == nil {
				all[p.Proxy] = known{p.Name, parsed}
			}
		}
	}
	token, err := abi.JSON(strings.NewReader(erc))
	if err != nil {
		panic("intent: interface of tokens: " + err.Error())
	}
	return all, token
})

// decodeCall says what a call does, or that nobody can tell.
func decodeCall(i *Intent, to common.Address, data []byte) {
	contractsByAddress, token := book()
	i.field("contract", to.Hex())
	if k, ok := contractsByAddress[to]; ok {
		if m, args, ok := unpack(k.abi, data); ok {
			i.Summary = fmt.Sprintf("Call %s of AITBC's %s", m.Name, k.name)
			if !i.Amount.IsZero() {
				i.Summary += " with " + i.Amount.Coins()
			}
			describe(i, m, args)
			return
		}
	} else if m, args, ok := unpack(token, data); ok {
		describeToken(i, m, args, to)
		return
	}
	i.Opaque, i.Unknown = true, true
	i.Summary = "Call " + to.Hex() + ", and nobody can tell what that does"
	if !i.Amount.IsZero() {
		i.Summary += ", with " + i.Amount.Coins()
	}
	i.field("data", "0x"+hex.EncodeToString(data[:min(len(data), 4096)]))
}

// unpack decodes a call that is exactly what the interface would encode: bytes
// that it does not show are no part of it.
func unpack(a abi.ABI, data []byte) (*abi.Method, []any, bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	m, err := a.MethodById(data[:4])
	if err != nil {
		return nil, nil, false
	}
	args, err := m.Inputs.Unpack(data[4:])
	if err != nil {
		return nil, nil, false
	}
	again, err := m.Inputs.Pack(args...)
	if err != nil || string(again) != string(data[4:]) {
		return nil, nil, false
	}
	return m, args, true
}

func describe(i *Intent, m *abi.Method, args []any) {
	for n, in := range m.Inputs {
		name := in.Name
		if name == "" {
			name = fmt.Sprintf("argument %d", n+1)
		}
		i.field(name, word(args[n]))
	}
}

// describeToken words a call that tokens understand. What it moves is no money
// of ours, so its worth is unknown.
func describeToken(i *Intent, m *abi.Method, args []any, token common.Address) {
	i.Unknown = true
	for n, in := range m.Inputs {
		if a, ok := args[n].(common.Address); ok && in.Name != "from" {
			i.Parties = append(i.Parties, a)
		}
	}
	describe(i, m, args)
	switch m.Name {
	case "transfer":
		i.Summary = fmt.Sprintf("Send %s units of the token %s to %s", args[1], token, args[0])
	case "approve", "increaseAllowance":
		amount, _ := args[1].(*big.Int)
		i.Summary = fmt.Sprintf("Let %s take %s units of the token %s", args[0], amount, token)
		if amount != nil && amount.BitLen() > 128 {
			i.Summary = fmt.Sprintf("Let %s take any number of the token %s", args[0], token)
			i.Warning = "This has no limit: the spender can take all there is, now and later."
		}
	case "transferFrom", "safeTransferFrom":
		i.Summary = fmt.Sprintf("Send %s of the token %s from %s to %s", args[2], token, args[0], args[1])
	case "setApprovalForAll":
		i.Summary = fmt.Sprintf("Let %s take every item of the collection %s", args[0], token)
		if on, _ := args[1].(bool); on {
			i.Warning = "This has no limit: the operator can take all there is, now and later."
		} else {
			i.Summary = fmt.Sprintf("Let %s take nothing more of the collection %s", args[0], token)
		}
	}
}

// word is a value of a call for people.
func word(v any) string {
	switch v := v.(type) {
	case []byte:
		return "0x" + hex.EncodeToString(v)
	case string:
		return typeddata.Printable(v)
	case *big.Int:
		if a, err := market.AmountFromBig(v); err == nil && v.BitLen() > 40 {
			return v.String() + " (" + a.Coins() + ")"
		}
		return v.String()
	case common.Address:
		return v.Hex()
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Array:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, r.Len())
			reflect.Copy(reflect.ValueOf(b), r)
			return "0x" + hex.EncodeToString(b)
		}
		fallthrough
	case reflect.Slice:
		parts := make([]string, r.Len())
		for n := range parts {
			parts[n] = word(r.Index(n).Interface())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Struct:
		var parts []string
		for n := range r.NumField() {
			parts = append(parts, r.Type().Field(n).Name+" "+word(r.Field(n).Interface()))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return fmt.Sprint(v)
	}
}
