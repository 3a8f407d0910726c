package coordinator

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Chain is what a coordinator asks of the blockchain. Methods that send a
// transaction return when it is in a block.
type Chain interface {
	// Params returns the Market's parameters.
	Params(ctx context.Context) (Params, error)
	// Head returns the newest block's number and time in seconds.
	Head(ctx context.Context) (number, time uint64, err error)
	// Session returns a session as the chain has it; Coordinator says whose it is.
	Session(ctx context.Context, id uint64) (ChainSession, error)
	// TouchedSessions returns the sessions of this coordinator that events from
	// block from to block to name.
	TouchedSessions(ctx context.Context, from, to uint64) ([]uint64, error)
	// Miner returns a miner's standing.
	Miner(ctx context.Context, miner common.Address) (ChainMiner, error)
	// MinerSigner reports whether signer's signatures count for the miner now.
	MinerSigner(ctx context.Context, miner, signer common.Address) (bool, error)
	// SetMinerLimit reserves bond for a miner.
	SetMinerLimit(ctx context.Context, miner common.Address, limit market.Amount) error
	// Settle sends a settlement.
	Settle(ctx context.Context, s Settlement) (Mined, error)
	// OrderSettled reports whether a session was debited for an order, by itself or
	// by a voucher.
	OrderSettled(ctx context.Context, session, number uint64) (bool, error)
	// FindSettlement looks for the Settled event of a root from a block on.
	FindSettlement(ctx context.Context, root common.Hash, from uint64) (Mined, bool, error)
	// Settlement returns what is in this coordinator's settlement account.
	Settlement(ctx context.Context) (market.Amount, error)
	// Claimed returns how much a miner had been credited after its newest claim
	// from this coordinator, zero without one. It reads all blocks.
	Claimed(ctx context.Context, miner common.Address) (market.Amount, error)
	// Flows returns what this coordinator took out of its settlement account, and
	// what its bond paid to miners. It reads all blocks.
	Flows(ctx context.Context) (withdrawn, drawn market.Amount, err error)
	// Prove returns what a receipt bundle needs to show that a settlement is on
	// the chain and who signed for whom: see [receipt.Settlement].
	Prove(ctx context.Context, tx common.Hash, signers []common.Address, sessions []uint64) (*receipt.ChainProof, error)
}

// ChainSession is a session's record on chain.
type ChainSession struct {
	Client, Coordinator, Spender common.Address
	Deposit, Debited             market.Amount
	Through                      uint64
	Expiry, DueAt                uint64
	FeeBps                       uint16
	State                        int // as in ledger; 0 when there is none
}

// ChainMiner is a miner's standing on chain.
type ChainMiner struct {
	Registered bool
	Jailed     bool
	Stake      market.Amount
	Limit      market.Amount // bond that this coordinator reserves for it
	Credited   market.Amount // paid by this coordinator so far
}

// SignedVoucher is a voucher with its signature.
type SignedVoucher struct {
	receipt.Voucher
	Signature receipt.Signature
}

// SingleOrder is an order that is settled without a voucher.
type SingleOrder struct {
	Spec ledger.Spec
	ledger.Signed
}

// Settlement is what one transaction settles: vouchers, single orders, cumulative credits, and
// the root of some receipts.
type Settlement struct {
	Vouchers []SignedVoucher
	Orders   []SingleOrder
	Credits  []ledger.Credit
	Root     common.Hash
	Count    int // of receipts
	// Pin, if set, is told the account's next nonce and returns the one that the
	// transaction must have.
	Pin func(ctx context.Context, next uint64) (uint64, error)
}

// Mined is a settlement in a block.
type Mined struct {
	Tx       common.Hash `json:"tx"`
	Block    uint64      `json:"block"`
	LogIndex int         `json:"log_index"` // of Settled, within the transaction's receipt
	Skipped  int         `json:"skipped"`   // entries that the chain refused
}
