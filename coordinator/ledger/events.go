package ledger

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// What the audit log knows of.
const (
	EventLogin      = "login"
	EventMinerLogin = "miner_login"
	EventKeyMade    = "key_made"
	EventKeyRevoked = "key_revoked"
	EventMinerHeld  = "miner_held"
	EventReconciled = "reconciled"
)

// Event is something that somebody did about accounts: it says nothing of content, and no secret.
type Event struct {
	At      int64          // milliseconds since 1970
	Account common.Address // whom it concerns
	Actor   common.Address // who did it
	Via     string         // by what: wallet, or key and its id
	Action  string
	Subject string // what it was done to
	Detail  string
}

// Record is an event as the audit log has it. Records are numbered from 1, and each is chained to the one before by its
// hash, so that nobody changes or drops one unseen.
type Record struct {
	N uint64
	Event
	Prev, Hash common.Hash
}

// Chain makes the next record of a log whose last one is given, the zero record before the first.
func Chain(last Record, e Event) Record {
	r := Record{N: last.N + 1, Event: e, Prev: last.Hash}
	r.Hash = r.Sum()
	return r
}

// Sum is the hash that a record must have: keccak256 of prev, number and time with 8 bytes each, account, actor, and the
// texts, each after its length in 4 bytes.
func (r Record) Sum() common.Hash {
	b := append([]byte("aitbc/audit\x00"), r.Prev[:]...)
	b = binary.BigEndian.AppendUint64(b, r.N)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At))
	b = append(append(b, r.Account[:]...), r.Actor[:]...)
	for _, s := range []string{r.Via, r.Action, r.Subject, r.Detail} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return crypto.Keccak256Hash(b)
}

// CheckChain reads a whole log, the newest record first, and returns how many records it has, or what is wrong with the
// first that does not follow from the one before.
func CheckChain(log iter.Seq2[Record, error]) (n uint64, err error) {
	var next Record
	for r, err := range log {
		switch {
		case err != nil:
			return n, err
		case r.Hash != r.Sum():
			return n, fmt.Errorf("audit log: record %d is not what was written", r.N)
		case next.N != 0 && r.N+1 != next.N:
			return n, fmt.Errorf("audit log: record %d is followed by %d", r.N, next.N)
		case next.N != 0 && next.Prev != r.Hash:
			return n, fmt.Errorf("audit log: record %d is not chained to the one before", next.N)
		}
		next = r
		n++
	}
	if n > 0 && (next.N != 1 || next.Prev != common.Hash{}) {
		return n, fmt.Errorf("audit log: it begins with record %d", next.N)
	}
	return n, nil
}
