package setup

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"

	"github.com/aitbc/aitbc/contracts"
	"github.com/ethereum/go-ethereum/common"
)

// maxDigits is the length of 2^128 in decimal.
const maxDigits = 39

// ReadAlloc reads {"0x…": "decimal base units"}.
func ReadAlloc(path string) (map[common.Address]*big.Int, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return ParseAlloc(raw)
}

// ParseAlloc is ReadAlloc for bytes.
func ParseAlloc(raw []byte) (map[common.Address]*big.Int, error) {
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("parse balances: %w", err)
	}
	out := make(map[common.Address]*big.Int, len(m))
	for addr, amount := range m {
		if !common.IsHexAddress(addr) || len(addr) != 42 {
			return nil, fmt.Errorf("parse balances: %q is no address of 0x and 40 hex digits", addr)
		}
		a := common.HexToAddress(addr)
		if _, twice := out[a]; twice {
			return nil, fmt.Errorf("parse balances: %v stands there twice", a)
		}
		v, ok := new(big.Int), len(amount) > 0 && len(amount) <= maxDigits
		if ok {
			v, ok = v.SetString(amount, 10)
		}
		if !ok || v.Sign() < 0 || v.BitLen() > 128 || amount[0] == '+' {
			return nil, fmt.Errorf("parse balances: %q of %v is no amount in base units below 2^128", amount, a)
		}
		out[a] = v
	}
	return out, nil
}

// ReadParams reads the predeploys' parameters over the defaults. Unknown fields are refused.
func ReadParams(path string) (*contracts.Genesis, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read parameters: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	defaults := contracts.DefaultGenesis()
	g := &defaults
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	if err := dec.Decode(g); err != nil {
		return nil, fmt.Errorf("parse parameters in %s: %w", path, err)
	}
	return g, nil
}
