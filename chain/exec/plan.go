package exec

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
)

// Plan says that the blocks from a height on need a program that knows its name.
type Plan struct {
	Name   string
	Height uint64
	Info   string
}

// planGas bounds the reading of the plan.
const planGas = 1_000_000

// maxPlan bounds what a plan may hold.
const maxPlan = 4096

// Plan reads the newest upgrade plan from the head's state. There is none if the contract is not there. An error means
// that the contract does not answer as it should: there is no plan then either.
func (x *Executor) Plan(contract common.Address) (Plan, error) {
	head := x.bc.CurrentBlock()
	sdb, err := x.bc.StateAt(head.Root, head.Number, head.Time)
	if err != nil {
		return Plan{}, fmt.Errorf("state of block %d: %w", head.Number, err)
	}
	header := types.CopyHeader(head)
	if header.Difficulty == nil {
		header.Difficulty = new(big.Int)
	}
	evm := vm.NewEVM(core.NewEVMBlockContext(header, x.bc, &header.Coinbase), sdb, x.bc.Config(), vm.Config{})
	defer evm.Release()
	data, err := methods.Pack("plan")
	if err != nil {
		panic(err) // it takes no arguments
	}
	answer, err := view(evm, sdb, contract, data, planGas)
	if err != nil {
		return Plan{}, fmt.Errorf("read upgrade plan: %w", err)
	}
	if len(answer) == 0 {
		return Plan{}, nil
	}
	if len(answer) > maxPlan {
		return Plan{}, fmt.Errorf("read upgrade plan: the answer is %d bytes long", len(answer))
	}
	var p Plan
	if err := methods.UnpackIntoInterface(&p, "plan", answer); err != nil {
		return Plan{}, fmt.Errorf("read upgrade plan: %w", err)
	}
	return p, nil
}
