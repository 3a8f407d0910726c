package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/intent"
	"github.com/aitbc/aitbc/wallet/policy"
	"github.com/aitbc/aitbc/wallet/typeddata"
	"github.com/aitbc/aitbc/wallet/vault"
)

func digestText(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Caller is who asks: what proves it, and what makes a repetition the same.
type Caller struct {
	Capability     string
	IdempotencyKey string
}

// job is one thing to sign, of one of the three kinds.
type job struct {
	intent  *intent.Intent
	account vault.Account
	tx      *types.Transaction
	typed   json.RawMessage
	data    *typeddata.Data
	message []byte
	taken   market.Amount // of the limits
	before  policy.State  // what the policy remembered
}

// Sign signs typed data, a message or a transaction, or says what it would do.
func (s *Service) Sign(ctx context.Context, who Caller, r walletapi.SignRequest) (out walletapi.SignResponse, err error) {
	_, w, err := s.capable(who.Capability, r.Wallet, walletapi.ScopeSign)
	if err != nil {
		return out, err
	}
	chainID, err := s.chainID(ctx)
	if err != nil {
		return out, err
	}
	release, err := w.take(ctx)
	if err != nil {
		return out, err
	}
	defer release()
	c, _, err := s.capable(who.Capability, w.id, walletapi.ScopeSign)
	if err != nil {
		return out, err // it was revoked while another had the turn
	}
	j, err := w.read(r, chainID)
	if err != nil {
		return out, err
	}
	out.Intent = showIntent(j.intent)
	if r.Preview {
		return out, nil
	}
	sig, err := s.authorize(ctx, w, c, who, &j, &shown{code: r.Code, passkey: r.Passkey})
	if err != nil {
		return out, err
	}
	out.Signature = append([]byte{}, sig...)
	out.Signature[64] += 27
	if j.tx != nil {
		signed, err := j.tx.WithSignature(types.LatestSignerForChainID(new(big.Int).SetUint64(chainID)), sig)
		if err != nil {
			return out, fmt.Errorf("sign transaction: %w", err)
		}
		h := signed.Hash()
		out.Hash = &h
		if out.Raw, err = signed.MarshalBinary(); err != nil {
			return out, fmt.Errorf("sign transaction: %w", err)
		}
	}
	return out, nil
}

func (s *Service) chainID(ctx context.Context) (uint64, error) {
	id, err := s.chain.ChainID(ctx)
	if err != nil {
		return 0, unreachable(err)
	}
	return id, nil
}

func unreachable(err error) error {
	return apierr.Wrap(err, apierr.Unavailable, "the node does not answer: is it running?")
}

// read decodes a request into a job.
func (w *wallet) read(r walletapi.SignRequest, chainID uint64) (j job, err error) {
	if j.account, err = w.account(r.From); err != nil {
		return j, err
	}
	given := 0
	for _, there := range []bool{r.TypedData != nil, r.Message != nil, r.MessageHex != nil, r.Transaction != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return j, apierr.New(apierr.Invalid, "give one of typed_data, message, message_hex and transaction")
	}
	from := j.account.Address
	switch {
	case r.TypedData != nil:
		d, err := typeddata.Parse(r.TypedData)
		if err != nil {
			return j, apierr.Wrap(err, apierr.Invalid, typeddata.Printable(err.Error()))
		}
		j.typed, j.data = r.TypedData, d
		if j.intent, err = intent.FromTypedData(d, from, chainID); err != nil {
			return j, notSigned(err)
		}
	case r.Transaction != nil:
		if j.tx, err = readTransaction(r.Transaction, from, chainID); err != nil {
			return j, err
		}
		if j.intent, err = intent.FromTransaction(j.tx, from, chainID); err != nil {
			return j, notSigned(err)
		}
	default:
		j.message = r.MessageHex
		if r.Message != nil {
			j.message = []byte(*r.Message)
		}
		if j.intent, err = intent.FromMessage(j.message, from, chainID); err != nil {
			return j, notSigned(err)
		}
	}
	return j, nil
}

func notSigned(err error) error {
	return apierr.Wrap(err, apierr.PolicyRefused, typeddata.Printable(err.Error()))
}

// transaction is what eth_signTransaction takes, complete.
type transaction struct {
	Type                 *hexutil.Uint64 `json:"type"`
	ChainID              *hexutil.Big    `json:"chainId"`
	From                 *common.Address `json:"from"`
	To                   *common.Address `json:"to"`
	Nonce                *hexutil.Uint64 `json:"nonce"`
	Gas                  *hexutil.Uint64 `json:"gas"`
	GasPrice             *hexutil.Big    `json:"gasPrice"`
	MaxFeePerGas         *hexutil.Big    `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.Big    `json:"maxPriorityFeePerGas"`
	Value                *hexutil.Big    `json:"value"`
	Data                 *hexutil.Bytes  `json:"data"`
	Input                *hexutil.Bytes  `json:"input"`
}

func readTransaction(raw json.RawMessage, from common.Address, chainID uint64) (*types.Transaction, error) {
	var t transaction
	if err := api.Decode(raw, &t); err != nil {
		return nil, apierr.Wrap(err, apierr.Invalid, "transaction is not as eth_signTransaction takes it: fields are from, to, nonce, gas, value, data, chainId, maxFeePerGas and maxPriorityFeePerGas, or gasPrice")
	}
	switch {
	case t.Nonce == nil || t.Gas == nil:
		return nil, apierr.New(apierr.Invalid, "the transaction needs nonce and gas: POST /v1/wallet/send chooses them by itself")
	case t.From != nil && *t.From != from:
		return nil, apierr.New(apierr.Invalid, "the transaction is from %s, and %s would sign it", t.From, from)
	case t.Data != nil && t.Input != nil && string(*t.Data) != string(*t.Input):
		return nil, apierr.New(apierr.Invalid, "the transaction has data and input, and they differ")
	case t.ChainID != nil && (!t.ChainID.ToInt().IsUint64() || t.ChainID.ToInt().Uint64() != chainID):
		return nil, apierr.New(apierr.PolicyRefused, "the transaction is for chain %s, this one is %d", t.ChainID.ToInt(), chainID)
	}
	var data []byte
	if t.Input != nil {
		data = *t.Input
	} else if t.Data != nil {
		data = *t.Data
	}
	if len(data) > 128<<10 {
		return nil, apierr.New(apierr.TooLarge, "the transaction's data is larger than 128 KiB")
	}
	value := t.Value.ToInt()
	if value == nil {
		value = new(big.Int)
	}
	switch {
	case t.GasPrice != nil && t.MaxFeePerGas == nil && t.MaxPriorityFeePerGas == nil && (t.Type == nil || *t.Type == types.LegacyTxType):
		return types.NewTx(&types.LegacyTx{Nonce: uint64(*t.Nonce), GasPrice: t.GasPrice.ToInt(), Gas: uint64(*t.Gas), To: t.To, Value: value, Data: data}), nil
	case t.GasPrice == nil && t.MaxFeePerGas != nil && t.MaxPriorityFeePerGas != nil && (t.Type == nil || *t.Type == types.DynamicFeeTxType):
		return types.NewTx(&types.DynamicFeeTx{
			ChainID: new(big.Int).SetUint64(chainID), Nonce: uint64(*t.Nonce), Gas: uint64(*t.Gas), To: t.To, Value: value, Data: data,
			GasFeeCap: t.MaxFeePerGas.ToInt(), GasTipCap: t.MaxPriorityFeePerGas.ToInt(),
		}), nil
	}
	return nil, apierr.New(apierr.Invalid, "the transaction needs maxFeePerGas and maxPriorityFeePerGas, or gasPrice, of its type")
}

// authorize asks the policy, writes down what will be signed, and signs: in that
// order, each on the disk before the next. It returns r‖s‖v with v 0 or 1. It
// needs the turn.
func (s *Service) authorize(ctx context.Context, w *wallet, c *capability, who Caller, j *job, f *shown) ([]byte, error) {
	if w.open == nil {
		return nil, apierr.New(apierr.Locked, "the wallet %s is locked", w.header.Name)
	}
	action := j.intent.Action()
	on, err := enrolled(w.open, w.state)
	if err != nil {
		return nil, err
	}
	if on && f.any() && !f.proven { // without a second factor no code proves anything
		if err := s.attempt(w, func() (_ bool, err error) {
			st := w.state
			f.proven, err = s.factor(w, w.open, &st, f, true)
			return f.proven, err
		}); err != nil {
			return nil, err
		}
	}
	action.Factor = f.proven
	next := w.state
	j.before = w.state.Policy.At(s.now())
	if next.Policy, err = j.before.Allow(action, s.now()); err != nil {
		return nil, s.refuse(w, j.intent, who, err)
	}
	if j.taken, err = next.Policy.Spent.Sub(j.before.Spent); err != nil {
		return nil, fmt.Errorf("what a signature is worth: %w", err)
	}
	if err := s.spend(c, j.taken, action.Unknown); err != nil {
		return nil, s.refuse(w, j.intent, who, err)
	}
	undo := func(err error) error {
		s.giveBack(c, j.taken)
		return err
	}
	if err := w.note(s.now(), record{Action: "sign", Result: allowed, Subject: j.account.Address.Hex(), Detail: signDetail(j.intent, who, action.Factor)}); err != nil {
		return nil, undo(err)
	}
	next.Audit = w.audit.Head()
	if err := w.save(w.open, next); err != nil {
		return nil, undo(err)
	}
	sig, err := s.sign(ctx, w, j)
	if err != nil {
		return nil, s.unspend(w, c, j, err)
	}
	return sig, nil
}

// unspend gives back what a signature that was surely not used had taken.
func (s *Service) unspend(w *wallet, c *capability, j *job, cause error) error {
	s.giveBack(c, j.taken)
	next := w.state
	next.Policy = next.Policy.GiveBack(j.taken, j.before, s.now())
	return errors.Join(cause, w.save(w.open, next))
}

// refuse writes a refusal down and words it.
func (s *Service) refuse(w *wallet, i *intent.Intent, who Caller, err error) error {
	if r, ok := errors.AsType[*policy.Refusal](err); ok {
		code := apierr.PolicyRefused
		switch r.Reason {
		case policy.OverLimit, policy.NotCountable:
			code = apierr.LimitExceeded
		case policy.NeedsFactor:
			code = apierr.FactorRequired
		case policy.Denied:
		}
		err = apierr.Wrap(r, code, r.Message).With(map[string]any{"intent": showIntent(i)})
	}
	detail := signDetail(i, who, false)
	detail["why"] = apierr.Public(err).Message
	return errors.Join(err, w.note(s.now(), record{Action: "sign", Result: refused, Subject: i.From.Hex(), Detail: detail}))
}

func signDetail(i *intent.Intent, who Caller, factor bool) map[string]any {
	return map[string]any{
		"kind": i.Kind, "summary": i.Summary, "digest": i.Digest, "amount": i.Amount, "worth": i.Worth, "to": i.To,
		"capability": capText(who.Capability), "second_factor": factor,
	}
}

// sign makes the signature.
func (s *Service) sign(ctx context.Context, w *wallet, j *job) (sig []byte, err error) {
	signer, err := s.signerOf(w)
	if err != nil {
		return nil, err
	}
	switch {
	case j.tx != nil:
		sig, err = signer.SignTransaction(ctx, j.account, j.tx, new(big.Int).SetUint64(j.intent.ChainID))
	case j.data != nil:
		sig, err = signer.SignTypedData(ctx, j.account, j.typed, j.data)
	default:
		sig, err = signer.SignMessage(ctx, j.account, j.message)
	}
	if err == nil {
		err = checkSignature(sig, j.intent.Digest, j.account.Address)
	}
	if _, public := errors.AsType[*apierr.Error](err); err != nil && !public {
		return nil, apierr.Wrap(err, apierr.PolicyRefused, "what signs for this wallet returned no signature of this: nothing was done, and the log of the daemon says more")
	}
	return sig, err
}

func showIntent(i *intent.Intent) walletapi.Intent {
	out := walletapi.Intent{
		Kind: string(i.Kind), Summary: i.Summary, From: i.From, To: i.To, ChainID: i.ChainID, Amount: i.Amount, Worth: i.Worth,
		Fields: []walletapi.Field{}, Opaque: i.Opaque, Warning: i.Warning, Digest: i.Digest,
	}
	for _, f := range i.Fields {
		out.Fields = append(out.Fields, walletapi.Field(f))
	}
	return out
}
