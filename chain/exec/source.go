package exec

import (
	"errors"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/txpool/txorder"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

// ErrBlob rejects a block with an EIP-4844 transaction: nobody keeps their data on this chain.
var ErrBlob = errors.New("blob transaction in a block")

// Limits bound what a proposer puts into a block, besides its gas.
type Limits struct {
	// Bytes is the room for encoded transactions.
	Bytes int64
	// Time is how long choosing and running transactions may take.
	Time time.Duration
}

// source yields the transactions of a block in order.
type source interface {
	// next is the transaction to run, nil when the block is complete.
	next(gas *core.GasPool) *types.Transaction
	// done reports the outcome of the last one: nil if it is in the block.
	done(tx *types.Transaction, err error)
}

// fixed is a decided list.
type fixed struct{ txs []*types.Transaction }

func (f *fixed) next(*core.GasPool) *types.Transaction {
	if len(f.txs) == 0 {
		return nil
	}
	return f.txs[0]
}

func (f *fixed) done(*types.Transaction, error) { f.txs = f.txs[1:] }

// pooled picks from the pool, best price first, nonces in order, within limits.
type pooled struct {
	set     *txorder.TransactionsByPriceAndNonce
	bytes   int64
	begun   bool // a transaction is in the block
	late    bool // the time is over
	expired <-chan time.Time
}

func newPooled(pool *txpool.TxPool, cfg *params.ChainConfig, baseFee *big.Int, room int64, expired <-chan time.Time) *pooled {
	txs, _ := pool.Pending(txpool.PendingFilter{BaseFee: uint256.MustFromBig(baseFee), GasLimitCap: params.MaxTxGas})
	set := txorder.NewTransactionsByPriceAndNonce(types.LatestSigner(cfg), txs, baseFee)
	return &pooled{set: set, bytes: room, expired: expired}
}

func (p *pooled) next(gas *core.GasPool) *types.Transaction {
	for {
		select {
		case <-p.expired:
			p.late = true
		default:
		}
		if p.late && p.begun { // one transaction there may be: else it was the pool that took the time
			return nil
		}
		lazy, _ := p.set.Peek()
		if lazy == nil || gas.Available(false) < params.TxGas {
			return nil
		}
		tx := lazy.Resolve()
		if tx == nil || tx.Type() == types.BlobTxType || gas.Available(false) < lazy.Gas || encodedSize(tx) > p.bytes {
			p.set.Pop()
			continue
		}
		return tx
	}
}

func (p *pooled) done(tx *types.Transaction, err error) {
	switch {
	case err == nil:
		p.begun = true
		p.bytes -= encodedSize(tx)
		p.set.Shift()
	case errors.Is(err, core.ErrNonceTooLow):
		p.set.Shift() // already in an earlier block: the account's next may do
	default:
		p.set.Pop()
	}
}

// encodedSize is a transaction's share of the block in CometBFT's count: bytes, field tag and length.
func encodedSize(tx *types.Transaction) int64 {
	return int64(tx.Size()) + 8 //nolint:gosec // at most 128 KiB
}
