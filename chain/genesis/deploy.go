package genesis

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

// creationGas bounds one constructor.
const creationGas = 500_000_000

// deployer runs creation code at chosen addresses and remembers every account and slot that it touches.
type deployer struct {
	sdb   *state.StateDB
	evm   *vm.EVM
	slots map[common.Address]map[common.Hash]struct{}
}

// deploy adds to the genesis what creating the predeploys leaves behind, and returns a way to ask them.
func deploy(g *core.Genesis, list []Predeploy) (View, error) {
	sdb, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting()) // an empty state in memory
	if err != nil {
		return nil, fmt.Errorf("genesis state: %w", err)
	}
	for addr, a := range g.Alloc {
		sdb.SetBalance(addr, uint256.MustFromBig(a.Balance), tracing.BalanceIncreaseGenesisBalance)
		sdb.SetNonce(addr, a.Nonce, tracing.NonceChangeGenesis)
		sdb.SetCode(addr, a.Code, tracing.CodeChangeGenesis)
	}
	d := &deployer{sdb: sdb, slots: map[common.Address]map[common.Hash]struct{}{}}
	hooked := state.NewHookedState(sdb, d.hooks())
	d.evm = vm.NewEVM(vm.BlockContext{
		CanTransfer: core.CanTransfer, Transfer: core.Transfer, GetHash: func(uint64) common.Hash { return common.Hash{} },
		BlockNumber: new(big.Int), Time: g.Timestamp, Difficulty: new(big.Int), GasLimit: g.GasLimit,
		BaseFee: g.BaseFee, BlobBaseFee: new(big.Int), Random: new(common.Hash),
	}, hooked, g.Config, vm.Config{})
	for _, p := range list {
		for _, step := range []struct {
			at      common.Address
			code    []byte
			balance *big.Int
		}{{p.Implementation, p.Creation, nil}, {p.Proxy, p.ProxyCreation, p.Balance}} {
			if err := d.create(step.at, step.code, step.balance); err != nil {
				return nil, fmt.Errorf("create %s at %v: %w", p.Name, step.at, err)
			}
		}
	}
	return d.view, d.dump(g)
}

// view asks a contract, once all are made.
func (d *deployer) view(to common.Address, data []byte) ([]byte, error) {
	d.sdb.Prepare(d.evm.GetRules(), params.SystemAddress, common.Address{}, &to, nil, nil)
	d.evm.SetTxContext(vm.TxContext{Origin: params.SystemAddress, GasPrice: new(uint256.Int)})
	ret, _, err := d.evm.StaticCall(params.SystemAddress, to, data, vm.NewGasBudget(creationGas, 0))
	return ret, err
}

func (d *deployer) touch(a common.Address) map[common.Hash]struct{} {
	if d.slots[a] == nil {
		d.slots[a] = map[common.Hash]struct{}{}
	}
	return d.slots[a]
}

func (d *deployer) hooks() *tracing.Hooks {
	return &tracing.Hooks{
		OnBalanceChange: func(a common.Address, _, _ *big.Int, _ tracing.BalanceChangeReason) { d.touch(a) },
		OnNonceChange:   func(a common.Address, _, _ uint64) { d.touch(a) },
		OnCodeChange:    func(a common.Address, _ common.Hash, _ []byte, _ common.Hash, _ []byte) { d.touch(a) },
		OnStorageChange: func(a common.Address, slot, _, _ common.Hash) { d.touch(a)[slot] = struct{}{} },
	}
}

// create runs creation code in the account that is to hold the contract, with address(this), storage and immutables
// as they will be for ever, and replaces it by what it returns.
func (d *deployer) create(at common.Address, code []byte, balance *big.Int) error {
	if len(code) == 0 {
		return errors.New("no creation code")
	}
	if d.sdb.GetCodeSize(at) > 0 || d.sdb.GetNonce(at) > 0 || !d.sdb.GetBalance(at).IsZero() {
		return errors.New("the account is taken")
	}
	d.touch(at)
	d.sdb.CreateAccount(at)
	d.sdb.CreateContract(at)
	d.sdb.SetNonce(at, 1, tracing.NonceChangeNewContract)
	d.sdb.SetCode(at, code, tracing.CodeChangeUnspecified)
	if balance != nil {
		if balance.Sign() < 0 || balance.BitLen() > 128 {
			return fmt.Errorf("balance %v is not between 0 and 2^128", balance)
		}
		d.sdb.SetBalance(at, uint256.MustFromBig(balance), tracing.BalanceIncreaseGenesisBalance)
	}
	rules := d.evm.GetRules()
	d.sdb.Prepare(rules, params.SystemAddress, common.Address{}, &at, nil, nil)
	d.evm.SetTxContext(vm.TxContext{Origin: params.SystemAddress, GasPrice: new(uint256.Int)})
	ret, _, err := d.evm.Call(params.SystemAddress, at, nil, vm.NewGasBudget(creationGas, 0), new(uint256.Int))
	if err != nil {
		return fmt.Errorf("constructor: %w", refused(err, ret))
	}
	if len(ret) == 0 || len(ret) > params.MaxCodeSize {
		return fmt.Errorf("the code is %d bytes long, between 1 and %d are allowed", len(ret), params.MaxCodeSize)
	}
	d.sdb.SetCode(at, ret, tracing.CodeChangeContractCreation)
	d.evm.StateDB.Finalise(rules)
	return nil
}

// Selectors of the errors that say why in one string.
var (
	plainError   = crypto.Keccak256([]byte("Error(string)"))[:4]
	badParameter = crypto.Keccak256([]byte("BadParameter(string)"))[:4]
)

// refused says why a constructor reverted.
func refused(err error, ret []byte) error {
	if text, uerr := abi.UnpackRevert(ret); uerr == nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	if rest, bad := bytes.CutPrefix(ret, badParameter); bad {
		if name, uerr := abi.UnpackRevert(slices.Concat(plainError, rest)); uerr == nil {
			return fmt.Errorf("the parameter %s is out of its bounds", name)
		}
	}
	return fmt.Errorf("%w (%#x)", err, ret)
}

// dump copies every touched account into the genesis.
func (d *deployer) dump(g *core.Genesis) error {
	for addr, slots := range d.slots {
		a := types.Account{
			Nonce: d.sdb.GetNonce(addr), Balance: d.sdb.GetBalance(addr).ToBig(), Code: d.sdb.GetCode(addr),
			Storage: map[common.Hash]common.Hash{},
		}
		for slot := range slots {
			if v := d.sdb.GetState(addr, slot); v != (common.Hash{}) {
				a.Storage[slot] = v
			}
		}
		if before, ok := g.Alloc[addr]; ok && before.Balance.Cmp(a.Balance) != 0 {
			return fmt.Errorf("genesis: a constructor moved the balance of %v", addr)
		}
		if a.Nonce == 0 && len(a.Code) == 0 && a.Balance.Sign() == 0 && len(a.Storage) == 0 {
			continue
		}
		g.Alloc[addr] = a
	}
	if err := d.sdb.Error(); err != nil {
		return fmt.Errorf("genesis state: %w", err)
	}
	return nil
}
