// Package token is an OpenZeppelin ERC-20 that measurements deploy. Token.hex is Token.sol compiled; the test of
// chain/node that deploys it with forge keeps the two together.
package token

import (
	_ "embed"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
)

//go:embed Token.hex
var code string

const methods = `[
 {"type":"constructor","inputs":[{"name":"holders","type":"address[]"},{"name":"each","type":"uint256"}]},
 {"type":"function","name":"transfer","inputs":[{"name":"to","type":"address"},{"name":"amount","type":"uint256"}]}]`

// parse reads the methods.
func parse() (abi.ABI, error) { return abi.JSON(strings.NewReader(methods)) }

// Creation is the code that deploys a token of which each holder has some.
func Creation(holders []common.Address, each *big.Int) ([]byte, error) {
	a, err := parse()
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	args, err := a.Pack("", holders, each)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return append(common.FromHex(strings.TrimSpace(code)), args...), nil
}

// Transfer is the call that moves some.
func Transfer(to common.Address, amount *big.Int) ([]byte, error) {
	a, err := parse()
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return a.Pack("transfer", to, amount)
}
