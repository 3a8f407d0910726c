package ledger

import (
	"encoding/json"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Errors that callers test.
var (
	ErrNotFound    = errors.New("not found")
	ErrClosed      = errors.New("store is closed")
	ErrIdempotency = errors.New("the key was used with another request")
	ErrNotAssigned = errors.New("the job is not leased so")
	ErrNotLeader   = errors.New("another replica settles")
	// ErrUnknown says that a database went away in the middle of a commit and
	// has not said since whether it was made.
	ErrUnknown = errors.New("the database went away: the outcome is not known")
)

// Session states, as on chain.
const (
	SessionOpen    = 1
	SessionClosing = 2
	SessionClosed  = 3
)

// Session is a client's deposit with this coordinator.
type Session struct {
	ID             uint64
	Client         common.Address
	Spender        common.Address
	SpenderN       uint64 // which derived key signs for it, 0 if the client signs itself
	Account        market.SessionAccount
	Debited        market.Amount // as the chain was seen to have it
	Vouched        market.Amount // by vouchers in batches
	Through        uint64        // the last order that a voucher in a batch pays for
	Settled        market.Amount // by vouchers that the chain was seen to pay
	SettledThrough uint64        // the last order that such a voucher pays for
	Number         uint64        // of the newest order, 0 before the first
	Alone          uint64        // the last order that a batch settles without a voucher
	Expiry         uint64
	DueAt          uint64
	FeeBps         uint16
	State          int
}

// Spec is what a job's order says and what stands behind it.
type Spec struct {
	Order       receipt.Order     `json:"order"`
	Signature   receipt.Signature `json:"signature"`
	Salt        []byte            `json:"salt"`
	Candidates  []common.Address  `json:"candidates,omitempty"`
	Terms       Terms             `json:"terms,omitzero"`
	PromptBound uint64            `json:"prompt_bound"`
	MaxTokens   uint64            `json:"max_tokens"`
	MaxSeconds  uint64            `json:"max_seconds,omitempty"`
	Items       uint64            `json:"items,omitempty"` // texts to embed, 0 for another job
	Container   bool              `json:"container,omitempty"`
	Trace       string            `json:"trace,omitempty"`  // traceparent that the job's spans are within
	Sealed      bool              `json:"sealed,omitempty"` // the request is an api.SealedJob, and the salt zero
}

// Bound is the most that the job may use.
func (s Spec) Bound() market.Usage {
	return market.Bound(s.PromptBound, s.MaxTokens, s.MaxSeconds, s.Items)
}

// Terms are what the client demands of the miner besides what the order says.
type Terms struct {
	GPU        string `json:"gpu,omitempty"` // in lower case
	VRAMGB     uint64 `json:"vram_gb,omitempty"`
	Region     string `json:"region,omitempty"`
	Reputation uint32 `json:"reputation,omitempty"`
	Level      uint8  `json:"level,omitempty"`
	Route      string `json:"route,omitempty"`
}

// Signed is a receipt with what both sides signed about it.
type Signed struct {
	Receipt          receipt.Receipt   `json:"receipt"`
	MinerSignature   receipt.Signature `json:"miner_signature"`
	MinerTotal       market.Amount     `json:"miner_total"`
	Countersignature receipt.Signature `json:"countersignature"`

	// The keys that signed, as they were verified then.
	MinerSigner       common.Address `json:"miner_signer"`
	CoordinatorSigner common.Address `json:"coordinator_signer"`
}

// Job is a job's row. Its payment says where its money is; a job is open while
// that is reserved.
type Job struct {
	ID           common.Hash
	Session      uint64
	Number       uint64
	Client       common.Address
	Key          common.Hash // hash of the API key that ordered it, if that has a budget
	Model        string
	Class        string // descriptor of the class that ran it
	Spec         Spec
	Request      []byte
	IdemKey      string
	IdemHash     []byte
	State        market.JobState
	Payment      market.PaymentState
	MaxPrice     market.Amount
	Miner        common.Address
	Lease        string
	Owner        uint64 // replica that minds the lease, 0 where there is only one coordinator
	Attempts     int
	Price        market.Amount
	Fee          market.Amount
	Earned       market.Amount // the miner's part
	Usage        market.Usage
	FinishReason string
	Output       string
	Signed       *Signed
	ReceiptID    common.Hash
	Batch        uint64
	Block        uint64 // of the settlement, 0 before
	Tx           common.Hash
	FirstToken   int64 // milliseconds since 1970, 0 before or if it was not seen
	SettledAt    int64 // when the settlement was seen in a block
	Cancel       bool  // the client asked to stop it
	ErrorCode    string
	ErrorMessage string
	Created      int64 // milliseconds since 1970
	Finished     int64
	Expires      int64
}

// Miner is a miner's account with this coordinator.
type Miner struct {
	Address   common.Address
	Signer    common.Address
	Offers    json.RawMessage // []api.Offer
	Slots     int
	Total     market.Amount // everything earned here
	Batched   market.Amount // of it, in batches
	Settled   market.Amount // of it, in batches that the chain was seen to take
	Credited  market.Amount // of it, as the chain was seen to have paid
	Completed uint64
	Seen      int64
	Hold      string // what the operator decided: empty, or one of the holds
}

// Holds of a miner: it gets no new work, and it is not let in.
const (
	HoldDrain = "drain"
	HoldBlock = "block"
)

// States of a batch: built and to be sent, in a block, and with its proofs stored.
const (
	BatchBuilt  = "built"
	BatchMined  = "mined"
	BatchProved = "proved"
)

// Batch is a settlement.
type Batch struct {
	ID        uint64
	Root      common.Hash
	Plan      Plan
	State     string
	FromBlock uint64
	Tx        common.Hash
	Block     uint64
	Proof     string // JSON of the anchor and state proofs, once proved
}

// Plan is what one settlement transaction pays.
type Plan struct {
	Vouchers []receipt.Voucher `json:"vouchers"`
	Credits  []Credit          `json:"credits"`
	Jobs     []common.Hash     `json:"jobs"`
	Leaves   []common.Hash     `json:"leaves"`
	Spenders []uint64          `json:"spenders"` // key numbers, beside Vouchers; 0 for a client's own
	// Signatures are the clients', beside Vouchers; zero where the coordinator signs.
	Signatures []receipt.Signature `json:"signatures,omitempty"`
	// Singles are settled by their orders, without a voucher.
	Singles  []Single           `json:"singles,omitempty"`
	Signers  []common.Address   `json:"signers"` // keys that signed the jobs' receipts and countersignatures, each once
	Receipts []*receipt.Receipt `json:"-"`       // beside Jobs
	// More says that not all that could be settled is in the plan, and Next with
	// which session the next one should begin.
	More bool   `json:"-"`
	Next uint64 `json:"-"`
}

// Credit is a miner's cumulative earnings of all batches.
type Credit struct {
	Miner common.Address `json:"miner"`
	Total market.Amount  `json:"total"`
}

// Ending is a job's end without payment.
type Ending struct {
	Job common.Hash
	// Lease is the one that the job is under, empty for a job in the queue. A
	// job that is under another by now does not end so.
	Lease string
	// Anyhow ends it whoever holds it: its time is over.
	Anyhow        bool
	State         market.JobState // failed, canceled or expired
	Code, Message string
	At            int64
}

// Completion is a job's end with payment.
type Completion struct {
	Job               common.Hash
	Session           uint64 // the job's
	Miner             common.Address
	MinerSigner       common.Address // whose Signature is
	CoordinatorSigner common.Address // who signs in Countersign
	Lease             string
	State             market.JobState // completed, or canceled after the first token
	Receipt           receipt.Receipt
	ReceiptID         common.Hash
	Signature         receipt.Signature
	Class             string
	Reason            string
	FirstToken        int64
	Output            string
	MarginBps         uint16
	At                int64
	// Countersign signs the miner's new total. It runs inside the transaction.
	Countersign func(total market.Amount) (receipt.Signature, error)
}
