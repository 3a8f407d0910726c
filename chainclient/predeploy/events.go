package predeploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

// ErrEvent reports a log that is no event of the Market that we know.
var ErrEvent = errors.New("not an event of the market")

// Position is where an event stands on the chain.
type Position struct {
	Block uint64
	Tx    common.Hash
	Index uint // of the log in its block
}

// Event is one of the Market's events: a pointer to one of the types below.
type Event interface{ At() Position }

// At returns where the event stands.
func (p Position) At() Position { return p }

// The events of docs/PROTOCOL.md section 5.
type (
	// SessionOpened says that a deposit was locked.
	SessionOpened struct {
		Position
		Session     uint64
		Client      common.Address
		Coordinator common.Address
		Spender     common.Address
		Deposit     market.Amount
		Expiry      uint64
		FeeBps      uint16
	}
	// SessionToppedUp says that a deposit grew by Amount to Deposit.
	SessionToppedUp struct {
		Position
		Session uint64
		Amount  market.Amount
		Deposit market.Amount
	}
	// SessionClosing says that the client asked to close: no order after this.
	SessionClosing struct {
		Position
		Session uint64
		DueAt   uint64
	}
	// SessionClosed says that a session ended; Pushed tells whether the refund
	// arrived or waits to be withdrawn.
	SessionClosed struct {
		Position
		Session  uint64
		Client   common.Address
		Debited  market.Amount
		Refunded market.Amount
		Pushed   bool
	}
	// Debited says that a session paid. Debited is what it paid in all.
	Debited struct {
		Position
		Session     uint64
		Coordinator common.Address
		Through     uint64
		Debited     market.Amount
		Fee         market.Amount
	}
	// OrderSettled says that an order was settled alone.
	OrderSettled struct {
		Position
		Session uint64
		Number  uint64
		Price   market.Amount
	}
	// Credited says that a miner was paid Paid, and Credited in all.
	Credited struct {
		Position
		Coordinator common.Address
		Miner       common.Address
		Credited    market.Amount
		Paid        market.Amount
	}
	// Settled ends a batch.
	Settled struct {
		Position
		Coordinator common.Address
		Batch       uint64
		Root        common.Hash
		Count       uint32
		Debited     market.Amount
		Paid        market.Amount
	}
	// EntrySkipped says that an entry of a batch was bad. Kind is 1 for a
	// voucher, 2 for an order and 3 for a credit.
	EntrySkipped struct {
		Position
		Coordinator common.Address
		Kind        uint8
		Index       uint32
		Reason      uint8
	}
	// Claimed says that a miner claimed what it was owed.
	Claimed struct {
		Position
		Coordinator common.Address
		Miner       common.Address
		Receipt     common.Hash
		Paid        market.Amount
		FromBond    market.Amount
	}
	// LimitSet says that the bond set aside for a miner changes at EffectiveAt.
	LimitSet struct {
		Position
		Coordinator common.Address
		Miner       common.Address
		Amount      market.Amount
		EffectiveAt uint64
	}
	// Withdrawable says that a payment failed and waits for its owner.
	Withdrawable struct {
		Position
		Account common.Address
		Amount  market.Amount
	}
)

// known makes an empty event of each name, and the place to put its position.
var known = map[string]func() (Event, *Position){
	"SessionOpened":   func() (Event, *Position) { e := new(SessionOpened); return e, &e.Position },
	"SessionToppedUp": func() (Event, *Position) { e := new(SessionToppedUp); return e, &e.Position },
	"SessionClosing":  func() (Event, *Position) { e := new(SessionClosing); return e, &e.Position },
	"SessionClosed":   func() (Event, *Position) { e := new(SessionClosed); return e, &e.Position },
	"Debited":         func() (Event, *Position) { e := new(Debited); return e, &e.Position },
	"OrderSettled":    func() (Event, *Position) { e := new(OrderSettled); return e, &e.Position },
	"Credited":        func() (Event, *Position) { e := new(Credited); return e, &e.Position },
	"Settled":         func() (Event, *Position) { e := new(Settled); return e, &e.Position },
	"EntrySkipped":    func() (Event, *Position) { e := new(EntrySkipped); return e, &e.Position },
	"Claimed":         func() (Event, *Position) { e := new(Claimed); return e, &e.Position },
	"LimitSet":        func() (Event, *Position) { e := new(LimitSet); return e, &e.Position },
	"Withdrawable":    func() (Event, *Position) { e := new(Withdrawable); return e, &e.Position },

	"JobCreated":    func() (Event, *Position) { e := new(JobCreated); return e, &e.Position },
	"JobAccepted":   func() (Event, *Position) { e := new(JobAccepted); return e, &e.Position },
	"JobSubmitted":  func() (Event, *Position) { e := new(JobSubmitted); return e, &e.Position },
	"JobChallenged": func() (Event, *Position) { e := new(JobChallenged); return e, &e.Position },
	"JobDelivered":  func() (Event, *Position) { e := new(JobDelivered); return e, &e.Position },
	"JobCalledBack": func() (Event, *Position) { e := new(JobCalledBack); return e, &e.Position },
	"JobClosed":     func() (Event, *Position) { e := new(JobClosed); return e, &e.Position },
}

// Decode returns the event that a log of the Market's holds, or [ErrEvent].
// Whose log it is, its caller has checked.
func Decode(log types.Log) (Event, error) {
	if len(log.Topics) == 0 {
		return nil, ErrEvent
	}
	a := marketABI()
	def, err := a.EventByID(log.Topics[0])
	if err != nil {
		return nil, ErrEvent
	}
	create, ok := known[def.Name]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrEvent, def.Name)
	}
	values := map[string]any{}
	if err := a.UnpackIntoMap(values, def.Name, log.Data); err != nil {
		return nil, fmt.Errorf("decode %s: %w", def.Name, err)
	}
	var indexed abi.Arguments
	for _, arg := range def.Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopicsIntoMap(values, indexed, log.Topics[1:]); err != nil {
		return nil, fmt.Errorf("decode %s: %w", def.Name, err)
	}
	e, position := create()
	if err := fill(e, func(name string) (any, bool) { v, ok := values[lowerFirst(name)]; return v, ok }); err != nil {
		return nil, err
	}
	*position = Position{Block: log.BlockNumber, Tx: log.TxHash, Index: log.Index}
	return e, nil
}

// Events returns the Market's events of the blocks from to to, both included,
// in the order of the chain; with names, only those. Events that this program
// does not know are left out.
func (m *Market) Events(ctx context.Context, from, to uint64, names ...string) ([]Event, error) {
	return m.events(ctx, from, to, nil, names...)
}

// Paid returns what coordinators' settlement accounts and bonds paid a miner in the blocks from to to, both included.
func (m *Market) Paid(ctx context.Context, miner common.Address, from, to uint64) ([]*Credited, error) {
	list, err := m.events(ctx, from, to, [][]common.Hash{{}, {common.BytesToHash(miner[:])}}, "Credited")
	if err != nil {
		return nil, err
	}
	paid := make([]*Credited, 0, len(list))
	for _, e := range list {
		if c, ok := e.(*Credited); ok {
			paid = append(paid, c)
		}
	}
	return paid, nil
}

// events is Events of those whose indexed values are among the given ones; an empty list takes any value of its place.
func (m *Market) events(ctx context.Context, from, to uint64, indexed [][]common.Hash, names ...string) ([]Event, error) {
	f := chainclient.Filter{From: from, To: to, Addresses: []common.Address{m.address}}
	if len(names) > 0 {
		ids := make([]common.Hash, len(names))
		for i, name := range names {
			def, ok := m.abi.Events[name]
			if !ok {
				return nil, fmt.Errorf("%w: %s", ErrEvent, name)
			}
			ids[i] = def.ID
		}
		f.Topics = [][]common.Hash{ids}
		f.Topics = append(f.Topics, indexed...)
	}
	logs, err := m.client.Logs(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("read events of blocks %d to %d: %w", from, to, err)
	}
	var events []Event
	for _, log := range logs {
		e, err := Decode(log)
		if errors.Is(err, ErrEvent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
