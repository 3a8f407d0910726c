package api

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Network is the answer to GET /v1/network: what a client must know to pay.
type Network struct {
	ChainID     uint64         `json:"chain_id"`
	Coordinator common.Address `json:"coordinator"`
	Market      common.Address `json:"market"`
	Registry    common.Address `json:"registry"`
	MarginBps   uint16         `json:"margin_bps"`
	FeeBps      uint16         `json:"fee_bps"`
	Version     string         `json:"version"`
	QueuedJobs  int            `json:"queued_jobs"`
	RunningJobs int            `json:"running_jobs"`
}

// PrepareRequest is the body of POST /v1/sessions/prepare.
type PrepareRequest struct {
	Client common.Address `json:"client"`
}

// PrepareResponse names the per-session key that the client puts into openSession.
type PrepareResponse struct {
	Coordinator common.Address `json:"coordinator"`
	Spender     common.Address `json:"spender"`
	MinDeposit  market.Amount  `json:"min_deposit"`
	MaxExpiry   uint64         `json:"max_expiry"` // seconds since 1970
	FeeBps      uint16         `json:"fee_bps"`
}

// KeyRequest is the body of POST /v1/sessions/{n}/key.
type KeyRequest struct {
	Client    common.Address    `json:"client"`
	IssuedAt  uint64            `json:"issued_at"` // seconds since 1970
	Signature receipt.Signature `json:"signature"`
	Mode      string            `json:"mode,omitempty"` // ModeSelf if the session's spender is the client's own key
}

// Modes of a session: who signs its orders and vouchers.
const (
	ModeDelegated = "delegated" // the coordinator, with a key made for the session
	ModeSelf      = "self"      // the client
)

// KeyResponse holds a new API key. It is shown once; the coordinator keeps a hash.
type KeyResponse struct {
	APIKey  string `json:"api_key"`
	Session uint64 `json:"session"`
	Mode    string `json:"mode"`
}

// Account is the answer to GET /v1/account.
type Account struct {
	Client    common.Address `json:"client"`
	Session   uint64         `json:"session"`
	State     string         `json:"state"` // open, closing or closed
	Deposit   market.Amount  `json:"deposit"`
	Reserved  market.Amount  `json:"reserved"`
	Charged   market.Amount  `json:"charged"`
	Available market.Amount  `json:"available"`
	Debited   market.Amount  `json:"debited"` // on chain
	Expiry    uint64         `json:"expiry"`  // seconds since 1970
	Mode      string         `json:"mode"`
	Spender   common.Address `json:"spender"`
	Orders    uint64         `json:"orders"`             // number of the newest
	Vouchers  *Vouchers      `json:"vouchers,omitempty"` // where the client signs them, in GET /v1/account
}

// SessionList is the answer to GET /v1/sessions.
type SessionList struct {
	Sessions []Account `json:"sessions"`
}

// Model is one entry of GET /v1/models, OpenAI's object with the market's fields beside.
type Model struct {
	ID      string  `json:"id"`
	Object  string  `json:"object"`
	Created int64   `json:"created"`
	OwnedBy string  `json:"owned_by"`
	Offers  []Offer `json:"offers,omitempty"`
}

// ModelList is the answer to GET /v1/models.
type ModelList struct {
	Object string  `json:"object"`
	Data   []Model `json:"data"`
}
