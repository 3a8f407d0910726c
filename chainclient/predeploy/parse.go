package predeploy

import (
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// parse reads a value of one of the ABI's types as a person writes it. A number
// is decimal; one of at least 128 bits may be an amount, such as "0.5 AITBC".
func parse(t abi.Type, text string) (any, error) {
	switch t.T {
	case abi.UintTy:
		return parseUint(t, text)
	case abi.BoolTy:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", text)
		}
		return b, nil
	case abi.AddressTy:
		if !common.IsHexAddress(text) || len(text) != 42 {
			return nil, fmt.Errorf("%q is not 0x and 40 hex digits", text)
		}
		return common.HexToAddress(text), nil
	case abi.StringTy:
		return text, nil
	default:
		return nil, fmt.Errorf("values of type %s cannot be given as text", t)
	}
}

func parseUint(t abi.Type, text string) (any, error) {
	if t.Size >= 128 && strings.HasSuffix(text, "AITBC") {
		a, err := market.ParseCoins(text)
		if err != nil {
			return nil, err
		}
		return a.Big(), nil
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Sign() < 0 || strings.Trim(text, "0123456789") != "" {
		return nil, fmt.Errorf("%q is not a whole number", text)
	}
	if n.BitLen() > t.Size {
		return nil, fmt.Errorf("%s does not fit into %s", text, t)
	}
	if goType := t.GetType(); goType != reflect.TypeFor[*big.Int]() {
		return reflect.ValueOf(n.Uint64()).Convert(goType).Interface(), nil
	}
	return n, nil
}
