package index

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Block is a block as it is indexed.
type Block struct {
	Height   uint64
	Hash     common.Hash
	Parent   common.Hash
	Time     time.Time
	Proposer common.Address
	GasUsed  uint64
	GasLimit uint64
	BaseFee  market.Amount
	Txs      []Tx
	// Events are those of the transactions and then those of the node's own calls.
	Events []Event
}

// Tx is a transaction of a block. What it called with, the node knows.
type Tx struct {
	Hash     common.Hash
	From     common.Address
	To       *common.Address // nil: it made a contract
	Created  *common.Address
	Value    market.Amount
	Nonce    uint64
	Method   []byte // the first four bytes of its data, or none
	OK       bool
	GasLimit uint64
	GasUsed  uint64
	Fee      market.Amount // what the sender paid, of which Burned was destroyed
	Burned   market.Amount
}

// System is the [Event.Tx] of an event of the node's own calls.
const System = -1

// Event is what one of the network's contracts said, or the transfer that a token
// told of. The events of a block are
// numbered by their place in [Block.Events].
type Event struct {
	Tx       int    // place of the transaction in its block, or System
	Log      int    // place among the logs of the transaction, or of the node's calls
	Call     string // the node's call, for System
	Contract string
	Name     string // empty for an event that this program does not know
	// Args are the values by name, in the order of the contract's interface: numbers as
	// decimal strings, and bytes of any length only as their length and hash.
	Args     json.RawMessage
	Subjects []Subject
	// Token is the contract of an ERC-20 transfer, else nil, and Holders are the accounts that
	// may have some of it since.
	Token   *common.Address
	Holders []common.Address
}

// Kind is what a [Subject] is.
type Kind uint8

// The kinds of subjects. Their numbers are in the store.
const (
	KindName     Kind = iota + 1 // of the event, as "Market.Settled"
	KindAddress                  // 20 bytes
	KindSession                  // number, 8 bytes, big endian
	KindJob                      // number of a direct job, 8 bytes
	KindReceipt                  // digest, 32 bytes
	KindProposal                 // id, 32 bytes
	KindRoot                     // of a batch's receipts, 32 bytes
)

// Subject is something that an event is about.
type Subject struct {
	Kind Kind
	Key  string // bytes
}

// Touched lists the accounts that a transaction of the block names, each once:
// its sender, its receiver, the contract it made, and those in its events.
func (b *Block) Touched(tx int) []common.Address {
	t := &b.Txs[tx]
	list := []common.Address{t.From}
	add := func(a common.Address) {
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	if t.To != nil {
		add(*t.To)
	}
	if t.Created != nil {
		add(*t.Created)
	}
	for i := range b.Events {
		if b.Events[i].Tx != tx {
			continue
		}
		for _, s := range b.Events[i].Subjects {
			if s.Kind == KindAddress {
				add(common.Address([]byte(s.Key)))
			}
		}
	}
	return list
}
