package walletapi

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Proof is what requests carry that change or reveal a wallet: its passphrase,
// and a code of the second factor where there is one.
type Proof struct {
	Passphrase string          `json:"passphrase"`
	Code       string          `json:"code,omitempty"`
	Passkey    json.RawMessage `json:"passkey,omitempty"` // instead of a code: what navigator.credentials.get answered
}

// Receiver is an entry of an allow-list.
type Receiver struct {
	Address common.Address `json:"address"`
	Name    string         `json:"name,omitempty"`
}

// Policy is what a wallet's owner has set.
type Policy struct {
	PerTransaction    *market.Amount `json:"per_transaction,omitempty"`
	PerDay            *market.Amount `json:"per_day,omitempty"`
	SecondFactorAbove *market.Amount `json:"second_factor_above,omitempty"`
	AllowOnly         bool           `json:"allow_only,omitempty"`
	Allow             []Receiver     `json:"allow,omitempty"`
	DelaySeconds      int64          `json:"delay_seconds,omitempty"`
	BlindCalls        bool           `json:"blind_calls,omitempty"`
}

// PolicyRequest is the body of PUT /v1/wallet/{id}/policy.
type PolicyRequest struct {
	Proof
	Policy Policy `json:"policy"`
}

// PolicyResponse is a policy, and the one that takes effect later.
type PolicyResponse struct {
	Policy     Policy        `json:"policy"`
	Next       *Policy       `json:"next,omitempty"`
	NextAt     int64         `json:"next_at,omitempty"`
	SpentToday market.Amount `json:"spent_today"`
}

// AuditRecord is one thing that was done with a wallet, or refused.
type AuditRecord struct {
	N      uint64          `json:"n"`
	Prev   string          `json:"prev"`
	Hash   string          `json:"hash"`
	Record json.RawMessage `json:"record"`
}

// AuditResponse is the answer to GET /v1/wallet/{id}/audit, newest first.
type AuditResponse struct {
	Records  []AuditRecord `json:"records"`
	Total    uint64        `json:"total"`
	Head     string        `json:"head"`
	Verified bool          `json:"verified"` // all records are a whole chain, up to the head that the vault knows if it is open
}

// BackupRequest is the body of POST /v1/wallet/{id}/backup.
type BackupRequest struct {
	Proof
	BackupPassphrase string `json:"backup_passphrase"`
}

// BackupResponse holds an age file, armored.
type BackupResponse struct {
	File string `json:"file"`
}

// RestoreRequest is the body of POST /v1/wallet/{id}/restore.
type RestoreRequest struct {
	File             string `json:"file"`
	BackupPassphrase string `json:"backup_passphrase"`
	Passphrase       string `json:"passphrase"` // of the restored wallet
}

// DrillRequest is the body of POST /v1/wallet/{id}/drill.
type DrillRequest struct {
	File             string `json:"file"`
	BackupPassphrase string `json:"backup_passphrase"`
}

// DrillResponse says whether a backup restores to the wallet's addresses.
type DrillResponse struct {
	OK       bool             `json:"ok"`
	Restored []common.Address `json:"restored"`
	Missing  []common.Address `json:"missing,omitempty"` // of the wallet, and not in the backup
}

// What POST /v1/wallet/{id}/export gives out.
const (
	ExportMnemonic   = "mnemonic"
	ExportPrivateKey = "private_key"
	ExportKeystore   = "keystore"
)

// ExportRequest is the body of POST /v1/wallet/{id}/export.
type ExportRequest struct {
	Proof
	What               string          `json:"what"`
	Account            *common.Address `json:"account,omitempty"` // default the first
	KeystorePassphrase string          `json:"keystore_passphrase,omitempty"`
}

// ExportResponse holds what was asked for.
type ExportResponse struct {
	Mnemonic   string          `json:"mnemonic,omitempty"`
	PrivateKey string          `json:"private_key,omitempty"`
	Keystore   json.RawMessage `json:"keystore,omitempty"`
}

// AccountRequest is the body of POST /v1/wallet/{id}/accounts.
type AccountRequest struct {
	Proof
	Name  string  `json:"name,omitempty"`
	Index *uint32 `json:"index,omitempty"` // default the next
}

// PassphraseRequest is the body of POST /v1/wallet/{id}/passphrase.
type PassphraseRequest struct {
	Proof
	New string `json:"new"`
}

// FactorStatus is the answer to GET /v1/wallet/{id}/2fa.
type FactorStatus struct {
	Locked        bool `json:"locked"` // then the rest is not known
	TOTP          bool `json:"totp"`
	Passkeys      int  `json:"passkeys"`
	RecoveryCodes int  `json:"recovery_codes"`
}

// Actions on the second factor.
const (
	FactorBegin    = "begin"    // make a secret
	FactorConfirm  = "confirm"  // switch it on, with a first code
	FactorRecovery = "recovery" // make new recovery codes
	FactorRemove   = "remove"

	PasskeyBegin     = "passkey-begin"     // options for navigator.credentials.create
	PasskeyConfirm   = "passkey-confirm"   // add what it answered
	PasskeyChallenge = "passkey-challenge" // options for navigator.credentials.get, for the next request that needs a second factor
)

// FactorRequest is the body of POST /v1/wallet/{id}/2fa.
type FactorRequest struct {
	Proof
	Action     string          `json:"action"`
	Credential json.RawMessage `json:"credential,omitempty"` // of passkey-confirm: what navigator.credentials.create answered
}

// FactorResponse holds what an action made. It is shown once.
type FactorResponse struct {
	Secret        string   `json:"secret,omitempty"`
	URI           string   `json:"uri,omitempty"` // for a square code
	RecoveryCodes []string `json:"recovery_codes,omitempty"`

	Options json.RawMessage `json:"options,omitempty"` // of a passkey
}
