// Package walletapi holds what the wallet daemon and its clients say to each
// other. docs/WALLET.md lists the routes.
//
// Amounts are decimal strings of base units, times are milliseconds since 1970
// unless a name says seconds.
package walletapi

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/market"
)

// CapabilityHeader carries what POST /v1/wallet/unlock answered.
const CapabilityHeader = "X-Wallet-Capability"

// Scopes of a capability.
const (
	ScopeSend = "send"
	ScopeSign = "sign"
)

// CreateRequest is the body of POST /v1/wallet/create.
type CreateRequest struct {
	Name             string `json:"name"`
	Passphrase       string `json:"passphrase"`
	Words            int    `json:"words,omitempty"`             // of the phrase: 12 to 24, default 24
	PhrasePassphrase string `json:"phrase_passphrase,omitempty"` // added to the phrase, as BIP-39 allows
}

// CreateResponse is a new wallet, and its phrase, which is shown once.
type CreateResponse struct {
	Wallet   Wallet `json:"wallet"`
	Mnemonic string `json:"mnemonic"`
}

// ImportRequest is the body of POST /v1/wallet/import: exactly one of mnemonic,
// keystore, private_key, addresses, and "ledger" as signer.
type ImportRequest struct {
	Name               string           `json:"name"`
	Passphrase         string           `json:"passphrase,omitempty"` // none for watch-only wallets
	Mnemonic           string           `json:"mnemonic,omitempty"`
	PhrasePassphrase   string           `json:"phrase_passphrase,omitempty"`
	Accounts           int              `json:"accounts,omitempty"` // how many of a phrase or a Ledger, default 1
	Keystore           json.RawMessage  `json:"keystore,omitempty"` // Web3 version 3
	KeystorePassphrase string           `json:"keystore_passphrase,omitempty"`
	PrivateKey         string           `json:"private_key,omitempty"` // 64 hex digits
	Addresses          []common.Address `json:"addresses,omitempty"`   // to watch, or of the signer
	Signer             string           `json:"signer,omitempty"`      // URL of the program that signs, or "ledger" for the device that is plugged in
}

// Account is one account of a wallet.
type Account struct {
	Name    string         `json:"name,omitempty"`
	Path    string         `json:"path,omitempty"`
	Address common.Address `json:"address"`
}

// Wallet is a wallet as everybody with the API key may see it.
type Wallet struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Kind          string    `json:"kind"` // phrase, keys, watch or remote
	CreatedAt     int64     `json:"created_at"`
	Accounts      []Account `json:"accounts"`
	Unlocked      bool      `json:"unlocked"`
	UnlockedUntil int64     `json:"unlocked_until,omitempty"`
	Signer        string    `json:"signer,omitempty"`
}

// WalletList is the answer to GET /v1/wallet.
type WalletList struct {
	Wallets []Wallet `json:"wallets"`
	Damaged []string `json:"damaged,omitempty"` // what is wrong with files that are no wallets any more
}

// UnlockRequest is the body of POST /v1/wallet/unlock.
type UnlockRequest struct {
	Wallet     string `json:"wallet,omitempty"` // id or name; the only one if empty
	Passphrase string `json:"passphrase"`
	Code       string `json:"code,omitempty"`

	Passkey          json.RawMessage `json:"passkey,omitempty"`
	Scope            []string        `json:"scope,omitempty"`              // of send and sign; both if empty
	Amount           *market.Amount  `json:"amount,omitempty"`             // most that may be spent with it
	ExpiresInSeconds int64           `json:"expires_in_seconds,omitempty"` // default 900, at most 86400
}

// UnlockResponse holds a capability: who sends it as X-Wallet-Capability may do
// what its scope says until it expires.
type UnlockResponse struct {
	Wallet     string         `json:"wallet"`
	Capability string         `json:"capability"`
	Scope      []string       `json:"scope"`
	Amount     *market.Amount `json:"amount,omitempty"`
	ExpiresAt  int64          `json:"expires_at"`
}

// LockRequest is the body of POST /v1/wallet/lock. Without a wallet all are locked.
type LockRequest struct {
	Wallet string `json:"wallet,omitempty"`
}

// LockResponse says which wallets were unlocked before.
type LockResponse struct {
	Locked []string `json:"locked"`
}

// SendRequest is the body of POST /v1/wallet/send.
type SendRequest struct {
	Wallet      string          `json:"wallet,omitempty"`
	From        *common.Address `json:"from,omitempty"` // default the wallet's first account
	To          common.Address  `json:"to"`
	Amount      market.Amount   `json:"amount"`
	Data        hexutil.Bytes   `json:"data,omitempty"`
	Code        string          `json:"code,omitempty"`         // second factor
	Passkey     json.RawMessage `json:"passkey,omitempty"`      // instead of a code
	WaitSeconds int             `json:"wait_seconds,omitempty"` // for it to be in a block, at most 60
	Preview     bool            `json:"preview,omitempty"`      // only say what it would do

	// Replaces is one that waits: this takes its number and pays more, so that one of the two comes into a block.
	Replaces *common.Hash `json:"replaces,omitempty"`
}

// Transaction states.
const (
	Pending  = "pending"  // sent, or to be sent again: not in a block yet
	Included = "included" // in a block, which is final
	Failed   = "failed"   // in a block, and reverted
	Replaced = "replaced" // another transaction of the account took its number
	Dropped  = "dropped"  // the node refused it; its number was used again
	Unknown  = "unknown"  // not one of ours, and not in a block
)

// Transaction is one that a wallet sent.
type Transaction struct {
	Hash   common.Hash    `json:"hash"`
	Wallet string         `json:"wallet,omitempty"`
	From   common.Address `json:"from"`
	To     common.Address `json:"to"`
	Amount market.Amount  `json:"amount"`
	Nonce  uint64         `json:"nonce"`
	State  string         `json:"state"`
	Block  uint64         `json:"block,omitempty"`
	Fee    *market.Amount `json:"fee,omitempty"` // paid
	SentAt int64          `json:"sent_at,omitempty"`
}

// SendResponse is the answer to POST /v1/wallet/send.
type SendResponse struct {
	Transaction *Transaction `json:"transaction,omitempty"` // none for a preview
	Intent      Intent       `json:"intent"`
}

// SignRequest is the body of POST /v1/wallet/sign: exactly one of typed_data,
// message and transaction.
type SignRequest struct {
	Wallet      string          `json:"wallet,omitempty"`
	From        *common.Address `json:"from,omitempty"`
	TypedData   json.RawMessage `json:"typed_data,omitempty"` // as eth_signTypedData_v4 takes it
	Message     *string         `json:"message,omitempty"`    // text, signed as EIP-191 has it
	MessageHex  hexutil.Bytes   `json:"message_hex,omitempty"`
	Transaction json.RawMessage `json:"transaction,omitempty"` // as eth_signTransaction takes it, complete
	Code        string          `json:"code,omitempty"`
	Passkey     json.RawMessage `json:"passkey,omitempty"`
	Preview     bool            `json:"preview,omitempty"`
}

// SignResponse is the answer to POST /v1/wallet/sign.
type SignResponse struct {
	Signature hexutil.Bytes `json:"signature,omitempty"`
	Raw       hexutil.Bytes `json:"raw,omitempty"`  // the signed transaction
	Hash      *common.Hash  `json:"hash,omitempty"` // of the signed transaction
	Intent    Intent        `json:"intent"`
}

// Intent is what a signature means, decoded from what is signed.
type Intent struct {
	Kind    string          `json:"kind"`
	Summary string          `json:"summary"`
	From    common.Address  `json:"from"`
	To      *common.Address `json:"to,omitempty"`
	ChainID uint64          `json:"chain_id,omitempty,string"`
	Amount  market.Amount   `json:"amount"`
	Worth   market.Amount   `json:"worth"` // the most that it can cost
	Fields  []Field         `json:"fields"`
	Opaque  bool            `json:"opaque,omitempty"`
	Warning string          `json:"warning,omitempty"`
	Digest  common.Hash     `json:"digest"`
}

// Field is one value of an intent.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Balance is the balance of one account.
type Balance struct {
	Address common.Address `json:"address"`
	Balance market.Amount  `json:"balance"`
	Pending market.Amount  `json:"pending"` // of it, what sent transactions may still take
}

// BalanceResponse is the answer to GET /v1/wallet/balance.
type BalanceResponse struct {
	Wallet   string        `json:"wallet,omitempty"`
	Balance  market.Amount `json:"balance"` // of all accounts
	Accounts []Balance     `json:"accounts"`
	Block    uint64        `json:"block,string"`
}

// History is the answer to GET /v1/wallet/history, newest first.
type History struct {
	Transactions []Transaction `json:"transactions"`
}
