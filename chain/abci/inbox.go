package abci

import (
	"context"
	"sync"
)

// The bounds of what peers have sent and the pool has not looked at. What finds no room is dropped: it stays with the
// node that took it, and is run as part of a block all the same.
const (
	inboxCount = 16384
	inboxBytes = 16 << 20
)

// inbox holds what peers sent until the pool takes it. Peers' transactions and votes come over one connection, one after
// another: whoever checked signatures there, or waited for the pool, would delay consensus.
type inbox struct {
	ready chan struct{} // has a token when there may be something

	// mu guards what follows.
	mu    sync.Mutex
	txs   [][]byte
	bytes int
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// put adds a transaction, or returns false if there is no room.
func (b *inbox) put(tx []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.txs) >= inboxCount || b.bytes+len(tx) > inboxBytes {
		return false
	}
	b.txs, b.bytes = append(b.txs, tx), b.bytes+len(tx)
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return true
}

// take waits for transactions, and returns none when ctx ends.
func (b *inbox) take(ctx context.Context) [][]byte {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.ready:
		}
		b.mu.Lock()
		txs := b.txs
		b.txs, b.bytes = nil, 0
		b.mu.Unlock()
		if len(txs) > 0 {
			return txs
		}
	}
}
