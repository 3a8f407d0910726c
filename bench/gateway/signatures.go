package gateway

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// signatures are those that one job needs: they are made for real, over typed
// data of the real shapes.
type signatures struct{ spender, miner rig.Key }

func newSignatures() signatures {
	return signatures{spender: rig.NewKey("baseline spender"), miner: rig.NewKey("baseline miner")}
}

func (s signatures) receipt(number uint64) receipt.Receipt {
	return receipt.Receipt{
		Version: receipt.Version, Order: common.Hash{1}, Session: 1, Client: common.Address{2}, Coordinator: rig.Coordinator.Address(), Miner: s.miner.Address(),
		Model: common.Hash{3}, Class: common.Hash{4}, Output: common.Hash{5}, PromptTokens: number, CompletionTokens: 16, Price: market.Units(number),
	}
}

// order signs an order, as a coordinator does when a job comes.
func (s signatures) order(number uint64) error {
	_, err := receipt.Sign(s.spender, rig.Domain, receipt.Order{Session: 1, Number: number, Model: common.Hash{3}, MaxPrice: market.Units(number), Deadline: number})
	return err
}

// result signs a receipt, as a miner does.
func (s signatures) result(number uint64) (receipt.Signature, error) {
	return receipt.Sign(s.miner, rig.Domain, s.receipt(number))
}

// counter verifies a miner's receipt and countersigns it, as a coordinator does.
func (s signatures) counter(number uint64, sig receipt.Signature) error {
	x := s.receipt(number)
	if err := receipt.Verify(rig.Domain, x, sig, s.miner.Address()); err != nil {
		return err
	}
	_, err := receipt.Sign(rig.Coordinator, rig.Domain, receipt.Countersignature{Receipt: receipt.Digest(rig.Domain, x), Miner: s.miner.Address(), MinerTotal: x.Price})
	return err
}
