package daemon

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/journal"
)

// sent is a transaction that was signed to be sent. It is in the journal before
// the node hears of it, so that after any crash it is sent again, the same.
type sent struct {
	Key     string         `json:"key,omitempty"`     // hash of the idempotency key
	Request string         `json:"request,omitempty"` // hash of what was asked with it
	Chain   uint64         `json:"chain"`
	From    common.Address `json:"from"`
	To      common.Address `json:"to"`
	Amount  market.Amount  `json:"amount"`
	Worth   market.Amount  `json:"worth"`
	Nonce   uint64         `json:"nonce"`
	Hash    common.Hash    `json:"hash"`
	Raw     hexutil.Bytes  `json:"raw"`
	At      int64          `json:"at"` // milliseconds since 1970
}

// outcome is what became of one.
type outcome struct {
	Hash  common.Hash    `json:"hash"`
	State string         `json:"state"`
	Block uint64         `json:"block,omitempty"`
	Fee   *market.Amount `json:"fee,omitempty"`
}

// line is one record of the journal: one of the two.
type line struct {
	Sent    *sent    `json:"sent,omitempty"`
	Outcome *outcome `json:"outcome,omitempty"`
}

// entry is a transaction as it stands.
type entry struct {
	sent
	outcome outcome
	done    chan struct{} // closed when there is an outcome
}

// outbox is what a wallet has sent. It is safe for concurrent use; what is
// looked up and then added to is decided by who has the wallet's turn.
type outbox struct {
	file *journal.Journal

	mu     sync.Mutex // guards the following
	list   []*entry   // in the order of sending
	byHash map[common.Hash]*entry
	byKey  map[string]*entry
}

func openOutbox(path string) (_ *outbox, err error) {
	o := &outbox{byHash: map[common.Hash]*entry{}, byKey: map[string]*entry{}}
	o.file, err = journal.Open(path, func(e journal.Entry) error {
		var l line
		if err := api.Decode(e.Record, &l); err != nil {
			return fmt.Errorf("record %d: %w", e.N, err)
		}
		o.apply(l)
		return nil
	})
	return o, err
}

// apply needs mu, or to be alone.
func (o *outbox) apply(l line) {
	switch {
	case l.Sent != nil:
		e := &entry{sent: *l.Sent, outcome: outcome{State: walletapi.Pending}, done: make(chan struct{})}
		o.list = append(o.list, e)
		o.byHash[e.Hash] = e
		if e.Key != "" {
			o.byKey[e.Key] = e
		}
	case l.Outcome != nil:
		e, ok := o.byHash[l.Outcome.Hash]
		if !ok || e.outcome.State != walletapi.Pending {
			return
		}
		e.outcome = *l.Outcome
		close(e.done)
		if e.outcome.State == walletapi.Dropped && o.byKey[e.Key] == e {
			delete(o.byKey, e.Key) // it never was: the same may be asked for again
		}
	}
}

// add writes one, on the disk when it returns.
func (o *outbox) add(l line) error {
	if _, err := o.file.Append(l); err != nil {
		return fmt.Errorf("journal of what was sent: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.apply(l)
	return nil
}

func (o *outbox) close() error { return o.file.Close() }

// find returns the entry of an idempotency key, or nil.
func (o *outbox) find(key string) *entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byKey[key]
}

// get returns the entry of a hash, or nil.
func (o *outbox) get(h common.Hash) *entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byHash[h]
}

// pending returns what has no outcome yet on a chain, in the order of sending.
func (o *outbox) pending(chain uint64) (list []*entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.list {
		if e.Chain == chain && e.outcome.State == walletapi.Pending {
			list = append(list, e)
		}
	}
	return list
}

// next returns the lowest nonce that no pending transaction of an account has
// or is below.
func (o *outbox) next(chain uint64, from common.Address) (n uint64) {
	for _, e := range o.pending(chain) {
		if e.From == from {
			n = max(n, e.Nonce+1)
		}
	}
	return n
}

// show returns an entry as it stands.
func (o *outbox) show(e *entry, wallet string) walletapi.Transaction {
	o.mu.Lock()
	defer o.mu.Unlock()
	return walletapi.Transaction{
		Hash: e.Hash, Wallet: wallet, From: e.From, To: e.To, Amount: e.Amount, Nonce: e.Nonce,
		State: e.outcome.State, Block: e.outcome.Block, Fee: e.outcome.Fee, SentAt: e.At,
	}
}

// recent returns the newest, at most n.
func (o *outbox) recent(n int) []*entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []*entry
	for i := len(o.list) - 1; i >= 0 && len(list) < n; i-- {
		list = append(list, o.list[i])
	}
	return list
}

// raw encodes what an idempotency key stands for, without what proves it.
func fingerprint(r walletapi.SendRequest) (string, error) {
	r.Code, r.Passkey, r.WaitSeconds = "", nil, 0
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode request: %w", err)
	}
	return digestText(b), nil
}
