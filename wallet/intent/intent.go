// Package intent says what a request to sign would do: who, what, how much, to
// whom, in words and in fields, from the bytes that would be signed. What it
// cannot decode it calls opaque.
package intent

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/policy"
	"github.com/aitbc/aitbc/wallet/siwe"
	"github.com/aitbc/aitbc/wallet/typeddata"
)

// ErrRefused reports what is never signed, whatever the policy says.
var ErrRefused = errors.New("not signed")

// Kind is a class of intents.
type Kind string

// The kinds.
const (
	Transfer  Kind = "transfer"
	Call      Kind = "call"
	Deploy    Kind = "deploy"
	TypedData Kind = "typed_data"
	Message   Kind = "message"
	SignIn    Kind = "sign_in"
)

// Intent is what a signature would mean.
type Intent struct {
	Kind    Kind              `json:"kind"`
	Summary string            `json:"summary"`
	From    common.Address    `json:"from"`
	To      *common.Address   `json:"to,omitempty"`
	ChainID uint64            `json:"chain_id,omitempty"`
	Amount  market.Amount     `json:"amount"` // that leaves the account
	Worth   market.Amount     `json:"worth"`  // the most that it can cost, with the highest fee
	Parties []common.Address  `json:"parties,omitempty"`
	Fields  []typeddata.Value `json:"fields"`
	Opaque  bool              `json:"opaque,omitempty"`  // a call that cannot be decoded
	Unknown bool              `json:"unknown,omitempty"` // it may move what worth does not count
	Warning string            `json:"warning,omitempty"`
	Digest  common.Hash       `json:"digest"` // what would be signed

	voucher *policy.Voucher
}

// Action is the intent as a policy sees it.
func (i *Intent) Action() policy.Action {
	return policy.Action{Worth: i.Worth, Parties: i.Parties, Opaque: i.Opaque, Unknown: i.Unknown, Voucher: i.voucher}
}

func (i *Intent) field(name, value string) {
	i.Fields = append(i.Fields, typeddata.Value{Name: name, Value: typeddata.Printable(value)})
}

// FromTransaction decodes a transaction of an account on a chain.
func FromTransaction(tx *types.Transaction, from common.Address, chainID uint64) (*Intent, error) {
	switch tx.Type() {
	case types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType:
	default:
		return nil, fmt.Errorf("%w: transactions of type %d", ErrRefused, tx.Type())
	}
	if tx.Type() != types.LegacyTxType && (!tx.ChainId().IsUint64() || tx.ChainId().Uint64() != chainID) {
		return nil, fmt.Errorf("%w: the transaction is for chain %s, this one is %d", ErrRefused, tx.ChainId(), chainID)
	}
	i := &Intent{From: from, To: tx.To(), ChainID: chainID}
	i.Digest = types.LatestSignerForChainID(new(big.Int).SetUint64(chainID)).Hash(tx)
	var err error
	if i.Amount, err = market.AmountFromBig(tx.Value()); err != nil {
		return nil, fmt.Errorf("%w: value: %w", ErrRefused, err)
	}
	fee, err := market.AmountFromBig(new(big.Int).Mul(tx.GasFeeCap(), new(big.Int).SetUint64(tx.Gas())))
	if err != nil {
		return nil, fmt.Errorf("%w: fee: %w", ErrRefused, err)
	}
	if i.Worth, err = i.Amount.Add(fee); err != nil {
		return nil, fmt.Errorf("%w: value and fee: %w", ErrRefused, err)
	}
	if tx.To() != nil {
		i.Parties = []common.Address{*tx.To()}
	}
	switch {
	case tx.To() == nil:
		i.Kind, i.Opaque, i.Unknown = Deploy, true, true // it can pass on what it is given
		i.Summary = "Deploy a contract of " + fmt.Sprint(len(tx.Data())) + " bytes"
		i.field("code hash", crypto.Keccak256Hash(tx.Data()).Hex())
	case len(tx.Data()) == 0:
		i.Kind = Transfer
		i.Summary = "Send " + i.Amount.Coins() + " to " + tx.To().Hex()
	default:
		i.Kind = Call
		decodeCall(i, *tx.To(), tx.Data())
	}
	i.field("amount", i.Amount.Coins())
	i.field("highest fee", fee.Coins())
	i.field("nonce", fmt.Sprint(tx.Nonce()))
	return i, nil
}

// FromMessage decodes a personal message (EIP-191) of an account.
func FromMessage(message []byte, from common.Address, chainID uint64) (*Intent, error) {
	if len(message) > typeddata.MaxSize {
		return nil, fmt.Errorf("%w: the message is larger than %d bytes", ErrRefused, typeddata.MaxSize)
	}
	i := &Intent{Kind: Message, From: from}
	i.Digest = crypto.Keccak256Hash(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d", len(message)), message)
	text := string(message)
	if m, err := siwe.Parse(text); err == nil {
		if m.Address != from {
			return nil, fmt.Errorf("%w: the sign-in is for %s", ErrRefused, m.Address)
		}
		if m.ChainID != chainID {
			return nil, fmt.Errorf("%w: the sign-in is for chain %d, this one is %d", ErrRefused, m.ChainID, chainID)
		}
		i.Kind, i.ChainID = SignIn, m.ChainID
		i.Summary = "Sign in to " + typeddata.Printable(m.Domain) + " as " + from.Hex()
		i.field("domain", m.Domain)
		i.field("statement", m.Statement)
		i.field("uri", m.URI)
		return i, nil
	}
	if !utf8.ValidString(text) || typeddata.Printable(text) != text {
		i.Opaque = true
		i.Summary = fmt.Sprintf("Sign %d bytes that are no text", len(message))
		i.field("message", "0x"+hex.EncodeToString(message))
		return i, nil
	}
	i.Summary = "Sign the message: " + short(text)
	i.field("message", text)
	return i, nil
}

func short(s string) string {
	s, _, cut := strings.Cut(s, "\n")
	if r := []rune(s); len(r) > 80 {
		s, cut = string(r[:80]), true
	}
	if cut {
		s += " …"
	}
	return s
}
