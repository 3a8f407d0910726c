package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/intent"
	"github.com/aitbc/aitbc/wallet/journal"
)

const (
	mostWait = 60 // seconds
	maxData  = 120 << 10
	maxKey   = 255 // bytes of an idempotency key
)

// Send signs a transaction and sees to it that it comes into a block. It returns
// once the transaction is on the disk and was offered to the node; with
// r.WaitSeconds it waits for the block.
func (s *Service) Send(ctx context.Context, who Caller, r walletapi.SendRequest) (out walletapi.SendResponse, err error) {
	_, w, err := s.capable(who.Capability, r.Wallet, walletapi.ScopeSend)
	if err != nil {
		return out, err
	}
	if len(who.IdempotencyKey) > maxKey || len(r.Data) > maxData || r.WaitSeconds < 0 || r.WaitSeconds > mostWait {
		return out, apierr.New(apierr.Invalid, "Idempotency-Key has at most %d bytes, data at most %d; wait_seconds is at most %d", maxKey, maxData, mostWait)
	}
	e, i, err := s.sendInTurn(ctx, w, who, r)
	if i != nil {
		out.Intent = showIntent(i)
	}
	if err != nil || e == nil {
		return out, err
	}
	if r.WaitSeconds > 0 {
		late := time.NewTimer(time.Duration(r.WaitSeconds) * time.Second)
		defer late.Stop()
		select {
		case <-e.done:
		case <-late.C:
		case <-ctx.Done():
		}
	}
	tx := w.outbox.show(e, w.id)
	out.Transaction = &tx
	return out, nil
}

// sendInTurn returns the entry of the transaction, or none for a preview.
func (s *Service) sendInTurn(ctx context.Context, w *wallet, who Caller, r walletapi.SendRequest) (*entry, *intent.Intent, error) {
	release, err := w.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	c, _, err := s.capable(who.Capability, w.id, walletapi.ScopeSend)
	if err != nil {
		return nil, nil, err // it was revoked while another had the turn
	}
	account, err := w.account(r.From)
	if err != nil {
		return nil, nil, err
	}
	var key, request string
	if who.IdempotencyKey != "" {
		key = digestText([]byte(who.IdempotencyKey))
		if request, err = fingerprint(r); err != nil {
			return nil, nil, err
		}
		if e := w.outbox.find(key); e != nil {
			if e.Request != request {
				return nil, nil, apierr.New(apierr.Conflict, "the idempotency key was used for another transaction, %s", e.Hash)
			}
			i, err := decodeRaw(e)
			return e, i, err
		}
	}
	chainID, err := s.chainID(ctx)
	if err != nil {
		return nil, nil, err
	}
	leave, err := s.takeAccount(ctx, account.Address)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	old, err := w.replaced(r, chainID, account.Address)
	if err != nil {
		return nil, nil, err
	}
	f := &shown{code: r.Code, passkey: r.Passkey}
	// Another program may use the key too: then the number that was free is not.
	for range 3 {
		tx, err := s.build(ctx, chainID, account.Address, r, old)
		if err != nil {
			return nil, nil, err
		}
		j := job{account: account, tx: tx}
		if j.intent, err = intent.FromTransaction(tx, account.Address, chainID); err != nil {
			return nil, nil, notSigned(err)
		}
		if r.Preview {
			return nil, j.intent, nil
		}
		if err := s.funded(ctx, chainID, j.intent, old); err != nil {
			return nil, j.intent, err
		}
		sig, err := s.authorize(ctx, w, c, who, &j, f)
		if err != nil {
			return nil, j.intent, err
		}
		e, err := s.dispatch(ctx, w, j, sig, sent{Key: key, Request: request, Chain: chainID, At: s.now().UnixMilli()})
		if err == nil {
			return e, j.intent, nil
		}
		if errors.Is(err, journal.ErrFailed) { // nobody knows whether it will be sent: it stays counted
			return nil, j.intent, err
		}
		if err := s.unspend(w, c, &j, err); old != nil && errors.Is(err, errNonceTaken) {
			return nil, j.intent, apierr.New(apierr.Conflict, "%s is in a block already, or was replaced", old.Hash)
		} else if !errors.Is(err, errNonceTaken) {
			return nil, j.intent, err
		}
	}
	return nil, nil, apierr.New(apierr.Conflict, "another program sends from %s at the same time: stop it, and try again", account.Address)
}

// decodeRaw says what an entry does.
func decodeRaw(e *entry) (*intent.Intent, error) {
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(e.Raw); err != nil {
		return nil, fmt.Errorf("journal of what was sent: %w", err)
	}
	return intent.FromTransaction(tx, e.From, e.Chain)
}

// replaced returns the waiting transaction whose number is to be taken, or nil.
func (w *wallet) replaced(r walletapi.SendRequest, chainID uint64, from common.Address) (*entry, error) {
	if r.Replaces == nil {
		return nil, nil
	}
	for _, e := range w.outbox.pending(chainID) {
		if e.Hash == *r.Replaces && e.From == from {
			return e, nil
		}
	}
	return nil, apierr.New(apierr.Conflict, "%s does not wait: it is in a block, or not of this account", r.Replaces)
}

// outbid returns fees by which a pool takes a transaction in place of old: an
// eighth more, at least.
func outbid(old *entry, tip, limit *big.Int) (*big.Int, *big.Int, error) {
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(old.Raw); err != nil {
		return nil, nil, fmt.Errorf("journal of what was sent: %w", err)
	}
	more := func(had, now *big.Int) *big.Int {
		b := new(big.Int).Add(new(big.Int).Div(new(big.Int).Mul(had, big.NewInt(9)), big.NewInt(8)), big.NewInt(1))
		if now.Cmp(b) > 0 {
			return now
		}
		return b
	}
	return more(tx.GasTipCap(), tip), more(tx.GasFeeCap(), limit), nil
}

// build fills in number, gas and fees. old is what it replaces, or nil.
func (s *Service) build(ctx context.Context, chainID uint64, from common.Address, r walletapi.SendRequest, old *entry) (*types.Transaction, error) {
	msg := chainclient.Message{From: from, To: r.To, Value: r.Amount.Big(), Data: r.Data}
	gas, err := s.chain.EstimateGas(ctx, msg)
	if err != nil {
		err = chainclient.Explain(err)
		if e, ok := errors.AsType[*chainclient.RevertError](err); ok {
			return nil, apierr.Wrap(e, apierr.Invalid, "the contract would refuse it: "+e.Text)
		}
		if e, ok := errors.AsType[*chainclient.RPCError](err); ok {
			if strings.Contains(e.Message, "insufficient funds") || strings.Contains(e.Message, "exceeds allowance") {
				return nil, apierr.Wrap(e, apierr.Insufficient, "the account has too little for it and its fee")
			}
			return nil, apierr.Wrap(e, apierr.Invalid, "the node would refuse it: "+e.Message)
		}
		return nil, unreachable(err)
	}
	if len(r.Data) > 0 {
		gas += gas/5 + 10_000 // the state may change until it runs
	}
	base, tip, err := s.chain.Fees(ctx)
	if err != nil {
		return nil, unreachable(err)
	}
	chainNext, err := s.chain.Nonce(ctx, from, chainclient.Pending)
	if err != nil {
		return nil, unreachable(err)
	}
	// Four times today's base fee: a transaction that waits is not sent anew for a higher one.
	limit := new(big.Int).Add(new(big.Int).Lsh(base, 2), tip)
	nonce := max(chainNext, s.nextNonce(chainID, from))
	if old != nil {
		nonce = old.Nonce
		if tip, limit, err = outbid(old, tip, limit); err != nil {
			return nil, err
		}
	}
	return types.NewTx(&types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(chainID), Nonce: nonce, Gas: gas, To: &r.To, Value: r.Amount.Big(), Data: r.Data,
		GasFeeCap: limit, GasTipCap: tip,
	}), nil
}

// nextNonce is the number after those that wait, in whichever wallet.
func (s *Service) nextNonce(chainID uint64, from common.Address) (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wallets {
		n = max(n, w.outbox.next(chainID, from))
	}
	return n
}

// funded refuses what the account cannot pay beside what waits already, without
// old, which it replaces.
func (s *Service) funded(ctx context.Context, chainID uint64, i *intent.Intent, old *entry) error {
	balance, err := s.chain.Balance(ctx, i.From, chainclient.Latest)
	if err != nil {
		return unreachable(err)
	}
	waits, err := s.waiting(chainID, i.From, old)
	if err != nil {
		return err
	}
	need, err := i.Worth.Add(waits)
	if err != nil {
		return tooLarge()
	}
	if need.Cmp(balance) > 0 {
		return apierr.New(apierr.Insufficient, "%s has %s, and needs up to %s for this, what waits to be in a block, and fees", i.From, balance.Coins(), need.Coins()).
			With(map[string]any{"balance": balance, "needed": need})
	}
	return nil
}

func tooLarge() error { return apierr.New(apierr.Insufficient, "the amounts are too large") }

// waiting returns what an account's transactions without an outcome are worth,
// in whichever wallet, without those that old's number has.
func (s *Service) waiting(chainID uint64, from common.Address, old *entry) (sum market.Amount, err error) {
	for _, w := range s.all() {
		for _, e := range w.outbox.pending(chainID) {
			if e.From == from && (old == nil || e.Nonce != old.Nonce) {
				if sum, err = sum.Add(e.Worth); err != nil {
					return sum, tooLarge()
				}
			}
		}
	}
	return sum, nil
}

// errNonceTaken reports that somebody else used the transaction's number.
var errNonceTaken = errors.New("the number was taken")

// dispatch writes a signed transaction down and offers it to the node. An error
// means that it surely will never be in a block.
func (s *Service) dispatch(ctx context.Context, w *wallet, j job, sig []byte, rec sent) (*entry, error) {
	signed, err := j.tx.WithSignature(types.LatestSignerForChainID(new(big.Int).SetUint64(rec.Chain)), sig)
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	if rec.Raw, err = signed.MarshalBinary(); err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	rec.From, rec.To, rec.Amount, rec.Worth = j.account.Address, *j.tx.To(), j.intent.Amount, j.intent.Worth
	rec.Nonce, rec.Hash = j.tx.Nonce(), signed.Hash()
	if err := w.outbox.add(line{Sent: &rec}); err != nil {
		if errors.Is(err, journal.ErrFailed) {
			return nil, apierr.Wrap(err, apierr.Unavailable, "what is sent cannot be written down, nor what was written taken back: see to the disk and start the daemon again; it may send this then")
		}
		return nil, apierr.Wrap(err, apierr.Unavailable, "what is sent cannot be written down: is the disk full? Nothing was sent")
	}
	e := w.outbox.get(rec.Hash)
	_, err = s.chain.SendRaw(ctx, rec.Raw)
	refusal, ok := errors.AsType[*chainclient.RPCError](err)
	if !ok || strings.Contains(refusal.Message, "already known") {
		return e, nil // taken, or the node could not be reached: it is sent again
	}
	taken := strings.Contains(refusal.Message, "nonce too low") || strings.Contains(refusal.Message, "replacement transaction underpriced")
	if !taken && transient(refusal) {
		return e, nil
	}
	if taken { // perhaps by this very transaction
		if _, err := s.chain.Receipt(ctx, rec.Hash); !errors.Is(err, chainclient.ErrNotFound) {
			return e, nil
		}
	}
	// What the node has refused it does not have, and nobody else has it.
	if err := w.outbox.add(line{Outcome: &outcome{Hash: rec.Hash, State: walletapi.Dropped}}); err != nil {
		s.log.Error("what the node refused stays among what is sent: its end could not be written down", "tx", rec.Hash, "err", err)
		return e, nil
	}
	switch {
	case taken:
		return nil, errNonceTaken
	case strings.Contains(refusal.Message, "insufficient funds"):
		return nil, apierr.Wrap(refusal, apierr.Insufficient, "the account has too little for it and its fee")
	}
	return nil, apierr.Wrap(refusal, apierr.Invalid, "the node refused it: "+refusal.Message)
}

// The codes of a pool's refusals (EIP-1474: invalid input, transaction rejected).
const (
	codeInvalidInput = -32000
	codeRejected     = -32003
)

// transient refusals end by themselves: the pool is full, or catches up, or it
// was not the pool that refused.
func transient(e *chainclient.RPCError) bool {
	if e.Code != codeInvalidInput && e.Code != codeRejected {
		return true
	}
	for _, text := range []string{"pool", "index", "less than block base fee", "future"} {
		if strings.Contains(e.Message, text) {
			return true
		}
	}
	return false
}

// Balances returns what accounts have: of a wallet, or of one address.
func (s *Service) Balances(ctx context.Context, which string, address *common.Address) (out walletapi.BalanceResponse, err error) {
	var accounts []common.Address
	var w *wallet
	if address == nil || which != "" {
		if w, err = s.find(which); err != nil {
			return out, err
		}
		release, err := w.take(ctx)
		if err != nil {
			return out, err
		}
		for _, a := range w.header.Accounts {
			if address == nil || *address == a.Address {
				accounts = append(accounts, a.Address)
			}
		}
		release()
		out.Wallet = w.id
		if len(accounts) == 0 {
			return out, apierr.New(apierr.NotFound, "the wallet %s has no account %s", w.header.Name, address)
		}
	} else {
		accounts = []common.Address{*address}
	}
	if out.Block, err = s.chain.BlockNumber(ctx); err != nil {
		return out, unreachable(err)
	}
	chainID, err := s.chainID(ctx)
	if err != nil {
		return out, err
	}
	out.Accounts = []walletapi.Balance{}
	for _, a := range accounts {
		b := walletapi.Balance{Address: a}
		if b.Balance, err = s.chain.Balance(ctx, a, chainclient.At(out.Block)); err != nil {
			return out, unreachable(err)
		}
		if b.Pending, err = s.waiting(chainID, a, nil); err != nil {
			return out, err
		}
		if out.Balance, err = out.Balance.Add(b.Balance); err != nil {
			return out, fmt.Errorf("sum of balances: %w", err)
		}
		out.Accounts = append(out.Accounts, b)
	}
	return out, nil
}

// History returns the newest transactions that a wallet sent, or all wallets.
func (s *Service) History(which string, limit int) (walletapi.History, error) {
	out := walletapi.History{Transactions: []walletapi.Transaction{}}
	var all []*wallet
	if which != "" {
		w, err := s.find(which)
		if err != nil {
			return out, err
		}
		all = []*wallet{w}
	} else {
		all = s.all()
	}
	for _, w := range all {
		for _, e := range w.outbox.recent(limit) {
			out.Transactions = append(out.Transactions, w.outbox.show(e, w.id))
		}
	}
	sortNewest(out.Transactions)
	out.Transactions = out.Transactions[:min(limit, len(out.Transactions))]
	return out, nil
}
