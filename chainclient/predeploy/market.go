package predeploy

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// A SessionState is a step in a session's life on the chain.
type SessionState uint8

// The states of a session.
const (
	StateNone    SessionState = 0
	StateOpen    SessionState = 1
	StateClosing SessionState = 2
	StateClosed  SessionState = 3
)

// Session is a client's deposit with a coordinator. Times are seconds since 1970.
type Session struct {
	Client      common.Address
	Expiry      uint64
	Coordinator common.Address
	DueAt       uint64
	Spender     common.Address
	Through     uint64
	FeeBps      uint16
	State       SessionState
	Deposit     market.Amount
	Debited     market.Amount
}

// Limit is the bond that a coordinator sets aside for a miner, and the lower
// amount that waits, if NextAt is not zero.
type Limit struct {
	Amount     market.Amount
	NextAmount market.Amount
	NextAt     uint64
}

// Market holds sessions and pays miners.
type Market struct{ contract }

// NewMarket returns the Market of the chain that c is a client of.
func NewMarket(c *chainclient.Client) *Market {
	return &Market{contract{client: c, address: contracts.MarketAddress, abi: marketABI()}}
}

// queueGas is what an entry in the Market's queues may cost more than it did when
// its gas was estimated: then its second may have had entries already, in the
// block that comes it may be another second.
const queueGas = 50_000

// enqueue calls a method that puts something into a queue.
func (m *Market) enqueue(ctx context.Context, s *chainclient.Sender, value market.Amount, method string, args ...any) (*types.Receipt, error) {
	c := m.contract
	c.spare = queueGas
	return c.send(ctx, s, value, method, args...)
}

// Session returns a session; one that does not exist has the state [StateNone].
func (m *Market) Session(ctx context.Context, id uint64, at chainclient.Block) (Session, error) {
	var s Session
	err := m.readStruct(ctx, at, &s, "session", id)
	return s, err
}

// Params returns the parameters in force.
func (m *Market) Params(ctx context.Context, at chainclient.Block) (contracts.MarketParams, error) {
	var p contracts.MarketParams
	err := m.readStruct(ctx, at, &p, "params")
	return p, err
}

// Limit returns the bond that a coordinator sets aside for a miner.
func (m *Market) Limit(ctx context.Context, coordinator, miner common.Address, at chainclient.Block) (Limit, error) {
	var l Limit
	err := m.readStruct(ctx, at, &l, "minerLimit", coordinator, miner)
	return l, err
}

// Credited returns how much of what a coordinator owes a miner the chain has paid.
func (m *Market) Credited(ctx context.Context, coordinator, miner common.Address, at chainclient.Block) (market.Amount, error) {
	return m.readAmount(ctx, at, "credited", coordinator, miner)
}

// Reserved returns the sum of a coordinator's limits.
func (m *Market) Reserved(ctx context.Context, coordinator common.Address, at chainclient.Block) (market.Amount, error) {
	return m.readAmount(ctx, at, "reserved", coordinator)
}

// Settlement returns the balance of a coordinator's settlement account.
func (m *Market) Settlement(ctx context.Context, coordinator common.Address, at chainclient.Block) (market.Amount, error) {
	return m.readAmount(ctx, at, "settlement", coordinator)
}

// Withdrawable returns what waits for an account to fetch it.
func (m *Market) Withdrawable(ctx context.Context, account common.Address, at chainclient.Block) (market.Amount, error) {
	return m.readAmount(ctx, at, "withdrawable", account)
}

// OrderSettled reports whether an order of a session was settled alone.
func (m *Market) OrderSettled(ctx context.Context, session, number uint64, at chainclient.Block) (bool, error) {
	values, err := m.read(ctx, at, "orderSettled", session, number)
	if err != nil {
		return false, err
	}
	settled, ok := values[0].(bool)
	if !ok {
		return false, fmt.Errorf("decode orderSettled: not a bool")
	}
	return settled, nil
}

// Opening is what a client opens a session with.
type Opening struct {
	Coordinator common.Address
	Spender     common.Address // key that signs orders and vouchers
	Expiry      uint64         // seconds since 1970
	Deposit     market.Amount
}

// OpenSession locks the sender's deposit and returns the session's number.
func (m *Market) OpenSession(ctx context.Context, s *chainclient.Sender, o Opening) (uint64, *types.Receipt, error) {
	r, err := m.enqueue(ctx, s, o.Deposit, "openSession", o.Coordinator, o.Spender, o.Expiry)
	if err != nil {
		return 0, r, err
	}
	for _, log := range r.Logs {
		e, err := Decode(*log)
		if err != nil {
			return 0, r, err
		}
		if opened, ok := e.(*SessionOpened); ok {
			return opened.Session, r, nil
		}
	}
	return 0, r, fmt.Errorf("openSession: transaction %s opened none", r.TxHash)
}

// TopUp adds to a session's deposit.
func (m *Market) TopUp(ctx context.Context, s *chainclient.Sender, session uint64, amount market.Amount) (*types.Receipt, error) {
	return m.send(ctx, s, amount, "topUp", session)
}

// RequestClose starts the close window of the sender's session.
func (m *Market) RequestClose(ctx context.Context, s *chainclient.Sender, session uint64) (*types.Receipt, error) {
	return m.enqueue(ctx, s, market.Amount{}, "requestClose", session)
}

// CloseByAgreement ends the sender's session at once, with the coordinator's signature.
func (m *Market) CloseByAgreement(ctx context.Context, s *chainclient.Sender, c receipt.Close, sig receipt.Signature) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "closeByAgreement", c.Session, c.Cumulative.Big(), sig[:])
}

// SetMinerLimit sets bond of the sender, a coordinator, aside for a miner.
func (m *Market) SetMinerLimit(ctx context.Context, s *chainclient.Sender, miner common.Address, amount market.Amount) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "setMinerLimit", miner, amount.Big())
}

// WithdrawSettlement pays out of the sender's settlement account.
func (m *Market) WithdrawSettlement(ctx context.Context, s *chainclient.Sender, amount market.Amount) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "withdrawSettlement", amount.Big())
}

// Withdraw fetches what waits for the sender.
func (m *Market) Withdraw(ctx context.Context, s *chainclient.Sender, to common.Address) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "withdraw", to)
}

// Refund pays a due session back that the queue has not reached yet.
func (m *Market) Refund(ctx context.Context, s *chainclient.Sender, session uint64) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "refund", session)
}
