package audit

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/aitbc/aitbc/chain/evm"
)

// askGas bounds one question.
const askGas = 50_000_000

// contract is a predeploy in one state.
type contract struct {
	chain *evm.Chain
	state *state.StateDB
	at    *types.Header
	addr  common.Address
}

// number asks for one number.
func (c contract) number(data []byte) (*big.Int, error) {
	ret, err := c.call(data)
	if err != nil {
		return nil, err
	}
	if len(ret) != 32 {
		return nil, fmt.Errorf("the answer is %s", hexutil.Encode(ret))
	}
	return new(big.Int).SetBytes(ret), nil
}

// call asks without changing anything. With an error, what is returned is why the contract refused.
func (c contract) call(data []byte) ([]byte, error) {
	e := vm.NewEVM(core.NewEVMBlockContext(c.at, c.chain.BlockChain(), nil), c.state.Copy(), c.chain.BlockChain().Config(), vm.Config{NoBaseFee: true})
	defer e.Release()
	e.SetTxContext(vm.TxContext{GasPrice: new(uint256.Int)})
	ret, _, err := e.StaticCall(params.SystemAddress, c.addr, data, vm.NewGasBudget(askGas, 0))
	return ret, err
}
