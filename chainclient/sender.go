package chainclient

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// ErrReplaced reports that another transaction took the nonce of ours: ours
// will never be in a block. Somebody else signs with the same key.
var ErrReplaced = errors.New("another transaction of this account took the nonce")

const (
	pollFirst   = 20 * time.Millisecond // a block may take no longer
	pollMost    = 500 * time.Millisecond
	resendEvery = 2 * time.Second
	settleWait  = 30 * time.Second // for transactions of an earlier run to leave the pool
	lostAfter   = 3 * time.Second  // a receipt may lag behind the nonce
)

// Signer signs transactions. A [receipt.Signer] is one.
type Signer interface {
	Address() common.Address
	SignDigest(digest common.Hash) ([]byte, error)
}

// Sender sends the transactions of one account, one after another, each until
// it is in a block. It is safe for concurrent use; the same key must not be
// used by anyone else at the same time.
//
// It keeps nothing on disk. After a crash its caller looks at the chain before
// sending again, or sends only what does no harm twice.
type Sender struct {
	client *Client
	signer Signer
	abis   []abi.ABI
	turn   chan struct{} // holds a token while a transaction is under way
}

// NewSender returns a sender for the account of signer. Reverts are explained
// with the errors of abis.
func NewSender(c *Client, signer Signer, abis ...abi.ABI) *Sender {
	return &Sender{client: c, signer: signer, abis: abis, turn: make(chan struct{}, 1)}
}

// Address returns the account that pays.
func (s *Sender) Address() common.Address { return s.signer.Address() }

// Tx is a transaction to send.
type Tx struct {
	To    common.Address
	Value *big.Int // nil for none
	Data  []byte
	Gas   uint64 // limit; zero to have it estimated
	Spare uint64 // gas beside the estimate, where the next block's state may cost more
	// Pin, if set, is told the account's next nonce and returns the one to use,
	// before anything is sent. Where several processes may send the same thing, all
	// that use one nonce together send it at most once.
	Pin func(ctx context.Context, next uint64) (uint64, error)
}

// Send signs tx, sends it, and sends it again until it is in a block or ctx is
// done: an answer from the pool is no acknowledgement. It returns the receipt
// of a transaction that did what it should. A refusal by the contract is a
// *[RevertError], with the receipt if it cost a transaction. Other errors are
// [ErrReplaced], a *[RPCError] of the node's refusal, and ctx's own, after which
// the transaction may still come into a block.
func (s *Sender) Send(ctx context.Context, tx Tx) (*types.Receipt, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("send transaction: %w", ctx.Err())
	}
	chain, err := s.client.ChainID(ctx)
	if err != nil {
		return nil, fmt.Errorf("send transaction: %w", err)
	}
	msg := Message{From: s.signer.Address(), To: tx.To, Value: tx.Value, Data: tx.Data}
	if tx.Gas == 0 {
		gas, err := s.client.EstimateGas(ctx, msg)
		if err != nil {
			return nil, fmt.Errorf("send transaction: %w", Explain(err, s.abis...))
		}
		tx.Gas = gas + gas/5 + 10_000 + tx.Spare // the state may change until it runs
	}
	nonce, err := s.freeNonce(ctx)
	if err != nil {
		return nil, fmt.Errorf("send transaction: %w", err)
	}
	if tx.Pin != nil {
		if nonce, err = tx.Pin(ctx, nonce); err != nil {
			return nil, fmt.Errorf("send transaction: %w", err)
		}
	}
	f := &flight{Sender: s, tx: tx, chain: new(big.Int).SetUint64(chain), nonce: nonce}
	r, err := f.fly(ctx)
	if err != nil {
		return nil, fmt.Errorf("send transaction: %w", err)
	}
	if r.Status != types.ReceiptStatusSuccessful {
		return r, fmt.Errorf("transaction %s: %w", r.TxHash, s.whyReverted(ctx, msg, r))
	}
	return r, nil
}

// freeNonce returns the nonce to use once nothing of this account waits in the
// pool, or that of the oldest waiting transaction when it stays stuck.
func (s *Sender) freeNonce(ctx context.Context) (uint64, error) {
	stuck := time.NewTimer(settleWait)
	defer stuck.Stop()
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		latest, err := s.client.Nonce(ctx, s.Address(), Latest)
		if err != nil {
			return 0, err
		}
		pending, err := s.client.Nonce(ctx, s.Address(), Pending)
		if err != nil {
			return 0, err
		}
		if pending <= latest {
			return latest, nil
		}
		select {
		case <-stuck.C:
			return latest, nil
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// whyReverted runs the call again on the block's state to learn the reason.
func (s *Sender) whyReverted(ctx context.Context, m Message, r *types.Receipt) error {
	_, err := s.client.CallContract(ctx, m, At(r.BlockNumber.Uint64()))
	if e, ok := errors.AsType[*RevertError](Explain(err, s.abis...)); ok {
		return e
	}
	return &RevertError{Text: "no reason given"}
}

// flight is one transaction on its way. All its signed forms share a nonce, so
// at most one of them is ever in a block.
type flight struct {
	*Sender
	tx     Tx
	chain  *big.Int
	nonce  uint64
	tip    *big.Int // of the form signed last
	limit  *big.Int // of the form signed last
	raw    []byte
	hashes []common.Hash
	outbid bool // the pool holds a better paying transaction of this nonce
}

// sign makes a form that pays enough now, and at least a tenth more than the
// one before, as pools ask of a replacement.
func (f *flight) sign(ctx context.Context) error {
	base, tip, err := f.client.Fees(ctx)
	if err != nil {
		return err
	}
	limit := new(big.Int).Add(new(big.Int).Lsh(base, 1), tip)
	if f.limit != nil {
		tip, limit = larger(tip, bump(f.tip)), larger(limit, bump(f.limit))
	}
	signer := types.LatestSignerForChainID(f.chain)
	t := types.NewTx(&types.DynamicFeeTx{
		ChainID: f.chain, Nonce: f.nonce, GasTipCap: tip, GasFeeCap: limit,
		Gas: f.tx.Gas, To: &f.tx.To, Value: f.tx.Value, Data: f.tx.Data,
	})
	sig, err := f.signer.SignDigest(signer.Hash(t))
	if err != nil {
		return err
	}
	if t, err = t.WithSignature(signer, sig); err != nil {
		return err
	}
	if f.raw, err = t.MarshalBinary(); err != nil {
		return err
	}
	f.tip, f.limit = tip, limit
	f.hashes = append(f.hashes, t.Hash())
	return nil
}

func bump(v *big.Int) *big.Int {
	b := new(big.Int).Div(new(big.Int).Mul(v, big.NewInt(9)), big.NewInt(8))
	return b.Add(b, big.NewInt(1))
}

func larger(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

// fly signs and sends until one of the forms has a receipt.
func (f *flight) fly(ctx context.Context) (*types.Receipt, error) {
	if err := f.sign(ctx); err != nil {
		return nil, err
	}
	if err := f.offer(ctx); err != nil {
		return nil, err
	}
	sent := time.Now()
	var passed time.Time // when the nonce was first seen used, without a receipt
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		if r := f.landed(ctx); r != nil {
			return r, nil
		}
		switch used, err := f.client.Nonce(ctx, f.Address(), Latest); {
		case err != nil: // the node restarts, perhaps: go on asking
		case used <= f.nonce:
			passed = time.Time{}
		case passed.IsZero():
			passed = time.Now()
		case time.Since(passed) > lostAfter:
			return nil, ErrReplaced
		}
		if time.Since(sent) > resendEvery {
			if err := f.again(ctx); err != nil {
				return nil, err
			}
			sent = time.Now()
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for transaction %s: %w", f.hashes[len(f.hashes)-1], ctx.Err())
		}
	}
}

// landed returns the receipt of the form that is in a block, or nil.
func (f *flight) landed(ctx context.Context) *types.Receipt {
	for _, h := range f.hashes {
		if r, err := f.client.Receipt(ctx, h); err == nil {
			return r
		}
	}
	return nil
}

// offer hands the newest form to the pool. Only a refusal that stands whatever
// we do is an error.
func (f *flight) offer(ctx context.Context) error {
	_, err := f.client.SendRaw(ctx, f.raw)
	e, refused := errors.AsType[*RPCError](err)
	if !refused {
		return nil // taken, or the node could not be reached: it is sent again
	}
	f.outbid = strings.Contains(e.Message, "underpriced")
	for _, transient := range []string{"already known", "nonce too low", "underpriced", "less than block base fee", "pool", "index"} {
		if strings.Contains(e.Message, transient) {
			return nil
		}
	}
	return err
}

// again offers the transaction once more, in a better paying form if blocks
// have become too dear for it.
func (f *flight) again(ctx context.Context) error {
	base, _, err := f.client.Fees(ctx)
	if err != nil {
		return nil //nolint:nilerr // the node is away: the next round tries again
	}
	if f.outbid || f.limit.Cmp(base) < 0 {
		if err := f.sign(ctx); err != nil {
			return nil //nolint:nilerr // likewise
		}
	}
	return f.offer(ctx)
}
