package exec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chain/valset"
)

// Result is a block that has been run on its parent's state and written nowhere.
type Result struct {
	Block    *types.Block
	State    *state.StateDB
	Receipts types.Receipts
	Calls    []CallResult
	// Updates turn the set of validators into the next one; power 0 is a validator that leaves.
	Updates []valset.Validator
	// Issued is new money, Burned is base fees and coins that a contract destroyed with itself.
	Issued *big.Int
	Burned *big.Int
}

// Executor runs blocks on the head of one chain. It has one caller at a time.
type Executor struct {
	bc    *core.BlockChain
	calls []SystemCall
}

// New makes an executor that ends every block with the given system calls, in order.
func New(bc *core.BlockChain, calls []SystemCall) *Executor {
	return &Executor{bc: bc, calls: calls}
}

// Build runs a block of transactions from the pool, within limits. Transactions that turn out not to fit are left out.
func (x *Executor) Build(info Info, pool *txpool.TxPool, lim Limits) (*Result, error) {
	parent := x.bc.CurrentBlock()
	timer := time.NewTimer(lim.Time)
	defer timer.Stop()
	src := newPooled(pool, x.bc.Config(), eip1559.CalcBaseFee(x.bc.Config(), parent), lim.Bytes, timer.C)
	return x.run(info, src, false)
}

// Replay runs a block of exactly these transactions. One that is not valid makes the block invalid: an error.
func (x *Executor) Replay(info Info, txs []*types.Transaction) (*Result, error) {
	return x.run(info, &fixed{txs}, true)
}

// header is the block's header as far as it is known before execution.
func (x *Executor) header(info Info) (*types.Header, *types.Header, error) {
	parent := x.bc.CurrentBlock()
	if parent.Number.Uint64()+1 != info.Height {
		return nil, nil, fmt.Errorf("block %d does not follow head %d", info.Height, parent.Number)
	}
	seconds, nanos := info.Time.Unix(), info.Time.UnixNano()
	if seconds < 0 || uint64(seconds) < parent.Time {
		return nil, nil, fmt.Errorf("block %d is of %d, before its parent's %d", info.Height, seconds, parent.Time)
	}
	return parent, &types.Header{
		ParentHash: parent.Hash(), Number: new(big.Int).SetUint64(info.Height),
		GasLimit: parent.GasLimit, BaseFee: eip1559.CalcBaseFee(x.bc.Config(), parent),
		Time: uint64(seconds), Coinbase: info.Proposer, Difficulty: new(big.Int),
		// Several blocks share one second: the whole time stands in the extra data, in nanoseconds.
		Extra: binary.BigEndian.AppendUint64(nil, uint64(nanos)),
		// Anyone can foresee this number: contracts must not draw lots with it.
		MixDigest:   crypto.Keccak256Hash(parent.MixDigest[:], info.Proposer[:]),
		BlobGasUsed: new(uint64), ExcessBlobGas: new(uint64), ParentBeaconRoot: new(common.Hash), RequestsHash: &types.EmptyRequestsHash,
	}, nil
}

// block is a block in the making.
type block struct {
	evm      *vm.EVM
	sdb      *state.StateDB
	header   *types.Header
	signer   types.Signer
	gas      *core.GasPool
	txs      types.Transactions
	receipts types.Receipts
}

func (x *Executor) run(info Info, src source, strict bool) (*Result, error) {
	parent, header, err := x.header(info)
	if err != nil {
		return nil, err
	}
	cfg := x.bc.Config()
	sdb, err := x.bc.StateAt(parent.Root, header.Number, header.Time)
	if err != nil {
		return nil, fmt.Errorf("state of block %d: %w", parent.Number, err)
	}
	sdb.StartPrefetcher("block", nil)
	defer sdb.StopPrefetcher()
	b := &block{
		sdb: sdb, header: header, gas: core.NewGasPool(header.GasLimit),
		signer: types.MakeSigner(cfg, header.Number, header.Time),
	}
	money := newLedger()
	hooked := state.NewHookedState(sdb, money.hooks())
	b.evm = vm.NewEVM(core.NewEVMBlockContext(header, x.bc, &header.Coinbase), hooked, cfg, vm.Config{})
	defer b.evm.Release()
	b.evm.SetJumpDestCache(x.bc.JumpDestCache())
	b.evm.SetPrecompileCache(x.bc.PrecompileCache())

	core.PreExecution(context.Background(), header.ParentBeaconRoot, parent, cfg, b.evm, header.Number, header.Time)
	for tx := src.next(b.gas); tx != nil; tx = src.next(b.gas) {
		err := b.apply(tx)
		if err != nil && strict {
			return nil, fmt.Errorf("transaction %d: %w", len(b.txs), err)
		}
		src.done(tx, err)
	}
	header.GasUsed = b.gas.Used()
	end := &ending{evm: b.evm, sdb: sdb, info: info, issued: new(big.Int)}
	for i, c := range x.calls {
		end.call(i, c)
	}
	fees := new(big.Int).Mul(header.BaseFee, new(big.Int).SetUint64(header.GasUsed))
	burned, err := money.vanished(sdb, fees, end.issued)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", info.Height, err)
	}
	body := &types.Body{Transactions: b.txs, Withdrawals: types.Withdrawals{}}
	sealed := core.AssembleBlock(x.bc, header, sdb, body, b.receipts, nil)
	if err := sdb.Error(); err != nil {
		return nil, fmt.Errorf("state of block %d: %w", info.Height, err)
	}
	return &Result{
		Block: sealed, State: sdb, Receipts: b.receipts, Calls: end.results, Updates: end.updates,
		Issued: end.issued, Burned: burned,
	}, nil
}

// apply runs one transaction. On an error the state, the gas pool and the lists are as before.
func (b *block) apply(tx *types.Transaction) error {
	if tx.Type() == types.BlobTxType {
		return ErrBlob
	}
	if !tx.Protected() {
		return errors.New("transaction names no chain id")
	}
	msg, err := core.TransactionToMessage(tx, b.signer, b.header.BaseFee)
	if err != nil {
		return err
	}
	n := len(b.txs)
	b.sdb.SetTxContext(tx.Hash(), n, uint32(n+1)) //nolint:gosec // the gas limit allows a few thousand
	state, gas := b.sdb.Snapshot(), b.gas.Snapshot()
	receipt, _, err := core.ApplyTransactionWithEVM(context.Background(), msg, b.gas, b.sdb, b.header.Number, common.Hash{}, b.header.Time, tx, b.evm)
	if err != nil {
		b.sdb.RevertToSnapshot(state)
		b.gas.Set(gas)
		return err
	}
	b.txs, b.receipts = append(b.txs, tx), append(b.receipts, receipt)
	return nil
}
