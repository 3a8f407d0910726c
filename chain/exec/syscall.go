package exec

import (
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

// Kind says what a system call is given and what its answer means.
type Kind string

const (
	// Plain is called with fixed data; its answer means nothing.
	Plain Kind = ""
	// Validators is Staking.endBlock: it is told who was absent and who is guilty, and answers with a new set.
	Validators Kind = "validators"
	// Issuance is Rewards: asked how many coins to make, and then called with them.
	Issuance Kind = "issuance"
)

// SystemCall is a call that the node itself makes at the end of every block, from params.SystemAddress and for no fee.
type SystemCall struct {
	Name string
	Kind Kind
	To   common.Address
	// Data of a Plain call.
	Data []byte
	// Gas bounds the call. It is not part of the block's gas.
	Gas uint64
	// Cap is the most that one block may issue, whatever the contract asks for.
	Cap *big.Int
}

// CallResult is what came of a system call. When it failed, its effects are dropped and the block stays valid.
type CallResult struct {
	Call    SystemCall
	GasUsed uint64
	Logs    []*types.Log
	// Err is nil, or why the EVM gave up; Return is then the revert data.
	Err    error
	Return []byte
}

// systemCall runs one call against the state. A call to an address without code succeeds and does nothing.
// Coins given with the call must stand in the receiver's account already: the EVM moves none from the system address.
func systemCall(evm *vm.EVM, sdb *state.StateDB, height uint64, index int, c SystemCall, value *uint256.Int) CallResult {
	// Logs are filed by transaction: this name collides with no transaction's hash.
	name := crypto.Keccak256Hash([]byte("system call"), binary.BigEndian.AppendUint64(nil, height), binary.BigEndian.AppendUint64(nil, uint64(index))) //nolint:gosec // a handful of calls
	evm.SetTxContext(vm.TxContext{Origin: params.SystemAddress, GasPrice: new(uint256.Int)})
	sdb.Prepare(evm.GetRules(), params.SystemAddress, evm.Context.Coinbase, &c.To, nil, nil)
	sdb.SetTxContext(name, index, uint32(index)) //nolint:gosec // a handful of calls
	budget := vm.NewGasBudget(c.Gas, 0)
	ret, left, err := evm.Call(params.SystemAddress, c.To, c.Data, budget, value)
	evm.StateDB.Finalise(evm.GetRules())
	res := CallResult{Call: c, GasUsed: left.Used(budget), Err: err, Return: ret}
	if err == nil {
		res.Logs = sdb.GetLogs(name, height, common.Hash{}, evm.Context.Time)
	}
	return res
}
