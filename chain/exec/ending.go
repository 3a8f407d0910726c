package exec

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/aitbc/aitbc/chain/valset"
)

// Methods of the contracts that the node has a part in: Staking, Rewards, Upgrades.
var methods = mustABI(`[
 {"type":"function","name":"endBlock","inputs":[{"name":"missed","type":"address[]"},
  {"name":"guilty","type":"tuple[]","components":[{"name":"consensus","type":"address"},{"name":"height","type":"uint64"},{"name":"time","type":"uint64"}]}],
  "outputs":[{"name":"set","type":"tuple[]","components":[{"name":"x","type":"bytes32"},{"name":"y","type":"bytes32"},{"name":"power","type":"uint64"}]}]},
 {"type":"function","name":"issuance","inputs":[],"outputs":[{"name":"","type":"uint128"}]},
 {"type":"function","name":"plan","inputs":[],"outputs":[{"name":"name","type":"string"},{"name":"height","type":"uint64"},{"name":"info","type":"string"}]}
]`)

// issue is the selector of Rewards.endBlock(), which shares its name with Staking's.
var issue = abi.NewMethod("endBlock", "endBlock", abi.Function, "payable", false, true, nil, nil).ID

// What a failed call is recorded with when the EVM itself found no fault.
var (
	errSet   = errors.New("the answer is no set of validators")
	errIssue = errors.New("issuance refused")
)

// maxAnswer bounds an answer before it is decoded: a set of the greatest size, with room.
const maxAnswer = 64 + 96*(valset.MaxValidators+1)

// ending is the end of one block: the system calls, in order, and what they decided.
type ending struct {
	evm     *vm.EVM
	sdb     *state.StateDB
	info    Info
	results []CallResult
	updates []valset.Validator
	issued  *big.Int
}

func (e *ending) call(index int, c SystemCall) {
	switch c.Kind {
	case Validators:
		e.validators(index, c)
	case Issuance:
		e.issue(index, c)
	default:
		e.results = append(e.results, systemCall(e.evm, e.sdb, e.info.Height, index, c, new(uint256.Int)))
	}
}

// evidence is Evidence as the contract takes it.
type evidence struct {
	Consensus    common.Address
	Height, Time uint64
}

// validators ends the block for Staking. A set that cannot be is refused, and the one there is stays.
func (e *ending) validators(index int, c SystemCall) {
	guilty := make([]evidence, len(e.info.Guilty))
	for i, g := range e.info.Guilty {
		guilty[i] = evidence{g.Validator, g.Height, g.Time}
	}
	missed := e.info.Missed
	if missed == nil {
		missed = []common.Address{}
	}
	var err error
	if c.Data, err = methods.Pack("endBlock", missed, guilty); err != nil {
		panic(err) // the types are those of the method
	}
	res := systemCall(e.evm, e.sdb, e.info.Height, index, c, new(uint256.Int))
	if res.Err == nil {
		res.Err = e.adopt(res.Return)
	}
	e.results = append(e.results, res)
}

func (e *ending) adopt(answer []byte) error {
	if len(answer) == 0 {
		return nil // no contract there
	}
	want, err := decodeSet(answer)
	if err != nil || len(want) == 0 {
		return err
	}
	if err := valset.Check(want); err != nil {
		return err
	}
	valset.Sort(want)
	have := valset.Read(e.sdb)
	if e.updates = valset.Diff(have, want); len(e.updates) > 0 {
		valset.Write(e.sdb, want)
	}
	return nil
}

func decodeSet(answer []byte) ([]valset.Validator, error) {
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("%w: it is %d bytes long", errSet, len(answer))
	}
	var out struct {
		Set []struct {
			X, Y  [32]byte
			Power uint64
		}
	}
	values, err := methods.Methods["endBlock"].Outputs.Unpack(answer)
	if err == nil {
		err = methods.Methods["endBlock"].Outputs.Copy(&out, values)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSet, err)
	}
	set := make([]valset.Validator, len(out.Set))
	for i, v := range out.Set {
		set[i] = valset.Validator{X: v.X, Y: v.Y, Power: v.Power}
	}
	return set, nil
}

// issue asks Rewards how many coins are due, makes them, and hands them over. If that fails none are made.
func (e *ending) issue(index int, c SystemCall) {
	res := CallResult{Call: c}
	amount, err := e.due(c)
	if err != nil {
		res.Err = err
		e.results = append(e.results, res)
		return
	}
	e.evm.StateDB.AddBalance(c.To, amount, tracing.BalanceIncreaseRewardMineBlock)
	c.Data = issue
	res = systemCall(e.evm, e.sdb, e.info.Height, index, c, amount)
	if res.Err != nil { // whatever the call did is undone, so that the coins still are where they were put
		e.evm.StateDB.SubBalance(c.To, amount, tracing.BalanceChangeUnspecified)
		e.evm.StateDB.Finalise(e.evm.GetRules())
	} else {
		e.issued.Add(e.issued, amount.ToBig())
	}
	e.results = append(e.results, res)
}

func (e *ending) due(c SystemCall) (*uint256.Int, error) {
	data, err := methods.Pack("issuance")
	if err != nil {
		panic(err) // it takes no arguments
	}
	answer, err := view(e.evm, e.sdb, c.To, data, c.Gas)
	if err != nil {
		return nil, fmt.Errorf("%w: issuance(): %w", errIssue, err)
	}
	if len(answer) == 0 {
		return new(uint256.Int), nil // no contract there
	}
	values, err := methods.Methods["issuance"].Outputs.Unpack(answer)
	if err != nil {
		return nil, fmt.Errorf("%w: issuance(): %w", errIssue, err)
	}
	amount := values[0].(*big.Int) //nolint:forcetypeassert // what a uint128 is unpacked into
	// The contract makes do with less than it asked for. Were it given nothing, an epoch that earned more than the cap
	// could never end.
	if amount.Cmp(c.Cap) > 0 {
		amount = c.Cap
	}
	return uint256.MustFromBig(amount), nil
}

// view asks a contract without changing anything.
func view(evm *vm.EVM, sdb *state.StateDB, to common.Address, data []byte, gas uint64) ([]byte, error) {
	sdb.Prepare(evm.GetRules(), params.SystemAddress, evm.Context.Coinbase, &to, nil, nil)
	evm.SetTxContext(vm.TxContext{Origin: params.SystemAddress, GasPrice: new(uint256.Int)})
	answer, _, err := evm.StaticCall(params.SystemAddress, to, data, vm.NewGasBudget(gas, 0))
	return answer, err
}

func mustABI(text string) abi.ABI {
	a, err := abi.JSON(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	return a
}
