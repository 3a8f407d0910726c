package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// amt stores an amount as decimal text.
type amt struct{ market.Amount }

func (a amt) Value() (driver.Value, error) { return a.String(), nil }

func (a *amt) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("amount column holds %T", v)
	}
	var err error
	a.Amount, err = market.ParseAmount(s)
	return err
}

// doc stores a value as JSON text; the empty string is the zero value.
type doc[T any] struct{ v *T }

func (d doc[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(d.v)
	return string(b), err
}

func (d doc[T]) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("json column holds %T", v)
	}
	if s == "" {
		return nil
	}
	return json.Unmarshal([]byte(s), d.v)
}

// Session states, as on chain.
const (
	SessionOpen    = 1
	SessionClosing = 2
	SessionClosed  = 3
)

// Session is a client's deposit with this coordinator.
type Session struct {
	ID       uint64
	Client   common.Address
	Spender  common.Address
	SpenderN uint64 // which derived key signs for it
	Account  market.SessionAccount
	Debited  market.Amount // on chain
	Vouched  market.Amount // by vouchers in batches
	Through  uint64
	Expiry   uint64
	DueAt    uint64
	FeeBps   uint16
	State    int
}

// Spec is what a job's order says and what stands behind it.
type Spec struct {
	Order       receipt.Order     `json:"order"`
	Signature   receipt.Signature `json:"signature"`
	Salt        []byte            `json:"salt"`
	Candidates  []common.Address  `json:"candidates,omitempty"`
	PromptBound uint64            `json:"prompt_bound"`
	MaxTokens   uint64            `json:"max_tokens"`
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

// Job is a job's row.
type Job struct {
	ID           common.Hash
	Session      uint64
	Number       uint64
	Client       common.Address
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
	Attempts     int
	Price        market.Amount
	Fee          market.Amount
	Earned       market.Amount // the miner's part
	Usage        market.Usage
	FinishReason string
	Output       string
	Signed       *Signed
	Batch        uint64
	Block        uint64 // of the settlement, 0 before
	Tx           common.Hash
	Cancel       bool // the client asked to stop it
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
	Credited  market.Amount // of it, paid on chain
	Completed uint64
	Seen      int64
}

// Key is what an API key opens.
type Key struct {
	Scope   string // client or miner
	Account common.Address
	Session uint64
}

// Scopes of API keys.
const (
	ScopeClient = "client"
	ScopeMiner  = "miner"
)
