package storetest

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Store is what a back end opens.
type Store interface {
	coordinator.Store
	Close() error
}

// New makes an empty database and returns what opens it. Opening again after
// Close shows what was committed. Opened twice without that, both are the same
// database, where the kind allows it.
type New func(t testing.TB) (open func() Store)

// Options say what a kind of store can do.
type Options struct {
	// Shared stores may be opened several times at once.
	Shared bool
}

// Run tests the stores that a back end makes.
func Run(t *testing.T, o Options, back New) {
	stories(t, back)
	t.Run("AnySequence", func(t *testing.T) { t.Parallel(); sequences(t, back) })
	concurrency(t, o, back)
}

const feeBps, marginBps = 250, 100

func address(n byte) common.Address { return common.Address{n} }

// fresh opens an empty store, closed at the test's end.
func fresh(t testing.TB, back New) Store {
	t.Helper()
	s := back(t)()
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// seed puts a session and a miner into a store.
func seed(t testing.TB, s Store, session uint64, miner byte, deposit market.Amount) {
	t.Helper()
	ok(t, s.PutSession(t.Context(), ledger.Session{ID: session, Client: address(100), SpenderN: 1, Account: market.SessionAccount{Deposit: deposit}, Expiry: 1000, DueAt: 1000, FeeBps: feeBps, State: ledger.SessionOpen}))
	ok(t, s.PutMiner(t.Context(), ledger.Miner{Address: address(miner), Offers: []byte("[]"), Slots: 1}))
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// draft is a job to be inserted.
func draft(session uint64, most market.Amount) *ledger.Job {
	return &ledger.Job{Session: session, Client: address(100), Model: "m", MaxPrice: most, Spec: ledger.Spec{Salt: make([]byte, 32), Candidates: []common.Address{address(7)}}, Request: []byte("{}"), Expires: 99}
}

// sign gives a job the id that its order would have.
func sign(j *ledger.Job) error {
	j.Spec.Order.Session, j.Spec.Order.Number = j.Session, j.Number
	j.ID = receipt.Digest(receipt.Domain{ChainID: 1}, j.Spec.Order)
	return nil
}

// insert puts a job into the queue.
func insert(t testing.TB, s Store, session uint64, most market.Amount) *ledger.Job {
	t.Helper()
	j := draft(session, most)
	if old, err := s.InsertJob(t.Context(), j, sign, nil); err != nil || old != nil {
		t.Fatalf("insert: %+v, %v", old, err)
	}
	return j
}

func completion(j *ledger.Job, miner byte, lease string, price market.Amount) ledger.Completion {
	return ledger.Completion{
		Job: j.ID, Session: j.Session, Miner: address(miner), Lease: lease, State: market.Completed,
		Receipt: receipt.Receipt{Version: 1, Order: j.ID, Price: price, PromptTokens: 1, CompletionTokens: 2}, ReceiptID: crypto.Keccak256Hash(j.ID[:]),
		Class: "c", Reason: "stop", Output: "hi", MarginBps: marginBps, MinerSigner: address(11), CoordinatorSigner: address(12),
		Countersign: func(total market.Amount) (receipt.Signature, error) {
			var s receipt.Signature
			b := total.Bytes16()
			copy(s[:], b[:])
			s[64] = 27
			return s, nil
		},
	}
}

// charge takes a job from the queue to its payment.
func charge(t testing.TB, s Store, j *ledger.Job, miner byte, price market.Amount) *ledger.Job {
	t.Helper()
	_, err := s.Assign(t.Context(), j.ID, address(miner), "lease")
	ok(t, err)
	done, err := s.Complete(t.Context(), completion(j, miner, "lease", price))
	ok(t, err)
	return done
}

func root(p *ledger.Plan) common.Hash {
	p.Leaves = nil
	for _, r := range p.Receipts {
		p.Leaves = append(p.Leaves, r.Order)
	}
	return receipt.NewSortedTree(p.Leaves).Root()
}

// balanced fails the test unless the books agree with themselves.
func balanced(t testing.TB, s Store) *ledger.Audit {
	t.Helper()
	a, err := s.Audit(t.Context())
	ok(t, err)
	if bad := a.Check(); len(bad) > 0 {
		t.Fatalf("the books do not balance: %+v", bad)
	}
	return a
}
