package api

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Offer is a model that a miner sells, and its price.
type Offer struct {
	Model      string      `json:"model"`
	Digest     common.Hash `json:"digest"`
	Class      string      `json:"class"`
	Claimed    bool        `json:"claimed"` // the server does not show its weights
	Context    uint64      `json:"context"` // tokens
	MaxTokens  uint64      `json:"max_tokens"`
	Parameters uint64      `json:"parameters"`
	market.Rates

	// Kind is empty for a model, else [KindContainer].
	Kind         string `json:"kind,omitempty"`
	MaxSeconds   uint64 `json:"max_seconds,omitempty"` // of a container: the longest run
	Embeddings   bool   `json:"embeddings,omitempty"`  // it turns texts into vectors, too
	GPU          string `json:"gpu,omitempty"`
	VRAMGB       uint64 `json:"vram_gb,omitempty"` // GiB
	Region       string `json:"region,omitempty"`
	Verification uint8  `json:"verification,omitempty"` // highest level that its receipts can have

	// SealingKey is the miner's, whose hash the Registry has: with it come sealed jobs.
	SealingKey []byte `json:"sealing_key,omitempty"`

	// Benchmark is what the miner measured when it joined, by a standard job. It is
	// its word: nothing goes by it but a person.
	Benchmark *Benchmark `json:"benchmark,omitempty"`

	// Measured is the coordinator's: a miner cannot say it.
	Measured *Measured `json:"measured,omitempty"`
}

// Benchmark is how a model did the standard job.
type Benchmark struct {
	At              int64   `json:"at"` // seconds since 1970
	FirstTokenMS    uint64  `json:"first_token_ms"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	MemoryMB        uint64  `json:"memory_mb,omitempty"` // 10^6 bytes, 0 if not known
}

// Measured is how a miner's answers came lately: exponentially weighted means.
type Measured struct {
	FirstTokenMS    uint64  `json:"first_token_ms"` // from the lease to the first token
	TokensPerSecond float64 `json:"tokens_per_second"`
	Jobs            uint64  `json:"jobs"` // that were measured
}

// RegisterRequest is the body of POST /v1/miners/register. OffersJSON is the
// JSON text of a []Offer; its keccak256 is what the MinerLogin signs.
type RegisterRequest struct {
	Miner      common.Address    `json:"miner"`
	IssuedAt   uint64            `json:"issued_at"` // seconds since 1970
	OffersJSON string            `json:"offers_json"`
	Slots      int               `json:"slots"`
	Version    string            `json:"version,omitempty"`
	Signature  receipt.Signature `json:"signature"`
}

// Login returns the typed data that the request's signature is over.
func (r RegisterRequest) Login(coordinator common.Address) receipt.MinerLogin {
	return receipt.MinerLogin{Miner: r.Miner, Coordinator: coordinator, Offers: crypto.Keccak256Hash([]byte(r.OffersJSON)), IssuedAt: r.IssuedAt}
}

// Offers decodes OffersJSON; unknown fields are an error.
func (r RegisterRequest) Offers() ([]Offer, error) {
	var offers []Offer
	if err := Decode([]byte(r.OffersJSON), &offers); err != nil {
		return nil, fmt.Errorf("offers_json: %w", err)
	}
	return offers, nil
}

// RegisterResponse is the answer to POST /v1/miners/register.
type RegisterResponse struct {
	APIKey           string         `json:"api_key"`
	HeartbeatSeconds int            `json:"heartbeat_seconds"`
	LeaseSeconds     int            `json:"lease_seconds"`
	Coordinator      common.Address `json:"coordinator"`
	ChainID          uint64         `json:"chain_id"`
	Market           common.Address `json:"market"`
}

// HeartbeatRequest is the body of POST /v1/miners/heartbeat.
type HeartbeatRequest struct {
	FreeSlots int           `json:"free_slots"`
	Running   []common.Hash `json:"running"`
	Draining  bool          `json:"draining,omitempty"`
	// Unavailable are models on offer, by digest, that take no job now: the GPUs that they run on are full or held.
	Unavailable []common.Hash `json:"unavailable,omitempty"`
}

// HeartbeatResponse tells the miner what to stop and how its account stands.
type HeartbeatResponse struct {
	Cancel     []common.Hash `json:"cancel"`
	MinerTotal market.Amount `json:"miner_total"`
	Credited   market.Amount `json:"credited"`
	Limit      market.Amount `json:"limit"`
}

// Assignment is a job leased to a miner, the answer to GET /v1/miners/jobs.
type Assignment struct {
	JobID          common.Hash       `json:"job_id"`
	Lease          string            `json:"lease"`
	LeaseExpiresMS int64             `json:"lease_expires_ms"`
	Order          receipt.Order     `json:"order"`
	OrderSignature receipt.Signature `json:"order_signature"`
	Salt           []byte            `json:"salt"`    // 32 bytes, base64
	Request        []byte            `json:"request"` // request bytes, base64; of a sealed job what is public
	Client         common.Address    `json:"client"`
	FeeBps         uint16            `json:"session_fee_bps"`
	MarginBps      uint16            `json:"margin_bps"`
	market.Rates
	Class  string            `json:"class"`
	Trace  string            `json:"traceparent,omitempty"` // W3C's, of what the job is part of
	Sealed *SealedAssignment `json:"sealed,omitempty"`      // holds salt and request
}

// Piece is one line of the token stream (NDJSON) from miner to coordinator.
type Piece struct {
	Index uint64  `json:"i"`
	ID    *uint32 `json:"id,omitempty"` // absent for engines without token ids
	Text  string  `json:"text"`         // of a sealed job: base64 of the sealed JSON of this piece, and a newline
	Token bool    `json:"t,omitempty"`  // of a sealed job: it is one token, whose id is sealed
	// Likely is there if the client asked and the engine knows. No receipt holds it.
	Likely *Logprob `json:"lp,omitempty"`
}

// Logprob is the natural logarithm of a token's probability, and of the likeliest
// tokens' in its place, likeliest first.
type Logprob struct {
	Value float64     `json:"v"`
	Top   []Candidate `json:"top,omitempty"`
}

// Candidate is a token that could have come.
type Candidate struct {
	Text  string  `json:"t"`
	Value float64 `json:"v"`
}

// StreamResponse ends a token stream.
type StreamResponse struct {
	Delivered uint64 `json:"delivered"`
	Canceled  bool   `json:"canceled"`
}

// ResultRequest is the body of POST /v1/miners/jobs/{id}/result.
type ResultRequest struct {
	Lease        string            `json:"lease"`
	Receipt      receipt.Receipt   `json:"receipt"`
	Signature    receipt.Signature `json:"signature"`
	FinishReason string            `json:"finish_reason"`
}

// ResultResponse is the miner's IOU.
type ResultResponse struct {
	Countersignature receipt.Signature `json:"countersignature"`
	MinerTotal       market.Amount     `json:"miner_total"`
}

// FailureRequest is the body of POST /v1/miners/jobs/{id}/failure.
type FailureRequest struct {
	Lease     string `json:"lease"`
	Code      string `json:"code"`
	Message   string `json:"message"` // never content
	Retryable bool   `json:"retryable"`
}

// Miner is one entry of GET /v1/miners. It shows nothing private.
type Miner struct {
	Miner     common.Address `json:"miner"`
	State     string         `json:"state"` // online, draining or offline
	Slots     int            `json:"slots"`
	FreeSlots int            `json:"free_slots"`
	Offers    []Offer        `json:"offers"`
	LastSeen  int64          `json:"last_seen"` // milliseconds since 1970
	Completed uint64         `json:"completed"`
	// Reputation is from 0 to 1000 and comes from settled receipts alone.
	Reputation uint32 `json:"reputation"`
}

// MinerList is the answer to GET /v1/miners.
type MinerList struct {
	Miners []Miner `json:"miners"`
}
