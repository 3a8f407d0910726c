package api

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// LoginNonce is the answer to POST /v1/login/nonce: what the message of EIP-4361 must hold.
type LoginNonce struct {
	Nonce     string `json:"nonce"`
	ChainID   uint64 `json:"chain_id"`
	ExpiresAt int64  `json:"expires_at"` // milliseconds since 1970
}

// LoginRequest is the body of POST /v1/login: a message of EIP-4361, signed as EIP-191 has it.
type LoginRequest struct {
	Message   string            `json:"message"`
	Signature receipt.Signature `json:"signature"`
}

// LoginResponse holds a token that manages the account's keys for a short time. It is sent as an API key is.
type LoginResponse struct {
	Token     string         `json:"token"`
	Account   common.Address `json:"account"`
	ExpiresAt int64          `json:"expires_at"` // milliseconds since 1970
	Admin     bool           `json:"admin"`      // it may make admin keys
}

// Budget is the most that a key's jobs may cost, or what they do cost: in all, and in a UTC day or month. Zero is no
// limit.
type Budget struct {
	Total market.Amount `json:"total"`
	Day   market.Amount `json:"day"`
	Month market.Amount `json:"month"`
}

// CreateKeyRequest is the body of POST /v1/keys. Scope is required.
type CreateKeyRequest struct {
	Name             string  `json:"name"`
	Scope            string  `json:"scope"`   // client, read or admin
	Session          uint64  `json:"session"` // default the newest that is open
	ExpiresInSeconds uint64  `json:"expires_in_seconds"`
	RatePerMinute    uint32  `json:"rate_per_minute"`
	Budget           *Budget `json:"budget,omitempty"`
}

// CreateKeyResponse holds a new API key. It is shown once.
type CreateKeyResponse struct {
	APIKey string `json:"api_key"`
	Key
}

// KeyList is the answer to GET /v1/keys.
type KeyList struct {
	Keys []Key `json:"keys"`
}

// Key is an API key as it is listed; nobody can be shown the key itself again.
type Key struct {
	ID            common.Hash     `json:"id"`                // names it to be revoked, and opens nothing
	Account       *common.Address `json:"account,omitempty"` // to admins
	Session       uint64          `json:"session"`
	CreatedAt     int64           `json:"created_at"` // milliseconds since 1970
	Current       bool            `json:"current"`    // the one that asks
	Name          string          `json:"name,omitempty"`
	Scope         string          `json:"scope"`
	ExpiresAt     int64           `json:"expires_at,omitempty"` // milliseconds since 1970, 0 for never
	RatePerMinute uint32          `json:"rate_per_minute,omitempty"`
	Made          bool            `json:"made"` // by POST /v1/keys: it manages no keys
	Budget        *Budget         `json:"budget,omitempty"`
	Spent         *Budget         `json:"spent,omitempty"` // and reserved, of keys with a budget
}

// AuditLog is the answer to GET /v1/audit, newest first.
type AuditLog struct {
	Records []AuditRecord `json:"records"`
}

// AuditRecord is one thing that somebody did. Each is chained to the one before by hash and number.
type AuditRecord struct {
	N       uint64         `json:"n"`
	At      int64          `json:"at"` // milliseconds since 1970
	Account common.Address `json:"account"`
	Actor   common.Address `json:"actor"`
	Via     string         `json:"via"`
	Action  string         `json:"action"`
	Subject string         `json:"subject"`
	Detail  string         `json:"detail"`
	Prev    common.Hash    `json:"prev"`
	Hash    common.Hash    `json:"hash"`
}

// maxUsed is how many signed requests of one second may have been used already.
const maxUsed = 10

// UnlessUsed calls send, and again with a later time of issue while the coordinator says that the request was used:
// a signed request counts once, and two of one second are the same.
func UnlessUsed(issuedAt *uint64, send func() error) error {
	for n := 0; ; n++ {
		err := send()
		if e, ok := errors.AsType[*apierr.Error](err); !ok || e.Code != apierr.Conflict || e.Details["used"] != true || n >= maxUsed {
			return err
		}
		*issuedAt++
	}
}
