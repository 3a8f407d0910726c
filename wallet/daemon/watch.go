package daemon

import (
	"cmp"
	"context"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

const (
	watchEvery  = 250 * time.Millisecond
	resendEvery = 2 * time.Second
	lostAfter   = 5 * time.Second // a receipt may lag behind the number
)

// Run sees to it that what was sent comes into a block, and locks wallets whose
// capabilities have ended, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	w := watcher{Service: s, offered: map[common.Hash]time.Time{}, passed: map[common.Hash]time.Time{}}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := s.expire(); err != nil {
			s.log.Error("a wallet could not be locked", "err", err)
		}
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("transactions could not be followed", "err", err)
		}
	}
}

func (s *Service) all() []*wallet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(mapValues(s.wallets))
}

// watcher follows what was sent. Only Run uses it.
type watcher struct {
	*Service
	offered map[common.Hash]time.Time // last
	passed  map[common.Hash]time.Time // when the number was first seen used, without a receipt
}

// look goes over all that waits once.
func (w *watcher) look(ctx context.Context) error {
	waits := slices.ContainsFunc(w.all(), func(x *wallet) bool { return x.outbox.waits() })
	if !waits {
		clear(w.offered)
		clear(w.passed)
		return nil
	}
	chainID, err := w.chain.ChainID(ctx)
	if err != nil {
		return err
	}
	used := map[common.Address]uint64{}
	var errs []error
	for _, x := range w.all() {
		for _, e := range x.outbox.pending(chainID) {
			n, known := used[e.From]
			if !known {
				if n, err = w.chain.Nonce(ctx, e.From, chainclient.Latest); err != nil {
					return err
				}
				used[e.From] = n
			}
			errs = append(errs, w.follow(ctx, x, e, n))
		}
	}
	return errors.Join(errs...)
}

// follow looks at one transaction: what became of it, or offers it again.
func (w *watcher) follow(ctx context.Context, x *wallet, e *entry, used uint64) error {
	now := w.now()
	if used <= e.Nonce {
		delete(w.passed, e.Hash)
		if now.Sub(w.offered[e.Hash]) >= resendEvery && now.UnixMilli()-e.At >= resendEvery.Milliseconds() {
			w.offered[e.Hash] = now
			_, err := w.chain.SendRaw(ctx, e.Raw)
			if _, refused := errors.AsType[*chainclient.RPCError](err); refused {
				return nil // it has it already, or will take it later: only a block decides
			}
			return err
		}
		return nil
	}
	r, err := w.chain.Receipt(ctx, e.Hash)
	switch {
	case err == nil:
		return x.outbox.add(line{Outcome: became(e, r)})
	case !errors.Is(err, chainclient.ErrNotFound):
		return err
	case w.passed[e.Hash].IsZero():
		w.passed[e.Hash] = now
	case now.Sub(w.passed[e.Hash]) > lostAfter:
		delete(w.passed, e.Hash)
		return x.outbox.add(line{Outcome: &outcome{Hash: e.Hash, State: walletapi.Replaced}})
	}
	return nil
}

func became(e *entry, r *types.Receipt) *outcome {
	out := &outcome{Hash: e.Hash, State: walletapi.Included, Block: r.BlockNumber.Uint64()}
	if r.Status != types.ReceiptStatusSuccessful {
		out.State = walletapi.Failed
	}
	if r.EffectiveGasPrice != nil {
		if fee, err := market.AmountFromBig(new(big.Int).Mul(r.EffectiveGasPrice, new(big.Int).SetUint64(r.GasUsed))); err == nil {
			out.Fee = &fee
		}
	}
	return out
}

// waits reports whether anything has no outcome yet.
func (o *outbox) waits() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.list, func(e *entry) bool { return e.outcome.State == walletapi.Pending })
}

// Transaction returns a transaction of any wallet, or of the chain.
func (s *Service) Transaction(ctx context.Context, h common.Hash) (walletapi.Transaction, error) {
	for _, w := range s.all() {
		if e := w.outbox.get(h); e != nil {
			return w.outbox.show(e, w.id), nil
		}
	}
	var raw struct {
		From  common.Address  `json:"from"`
		To    *common.Address `json:"to"`
		Value *hexutil.Big    `json:"value"`
		Nonce hexutil.Uint64  `json:"nonce"`
	}
	if err := s.chain.Call(ctx, &raw, "eth_getTransactionByHash", h); errors.Is(err, chainclient.ErrNotFound) {
		return walletapi.Transaction{}, apierr.New(apierr.NotFound, "neither a wallet nor the node knows this transaction")
	} else if err != nil {
		return walletapi.Transaction{}, unreachable(err)
	}
	out := walletapi.Transaction{Hash: h, From: raw.From, Nonce: uint64(raw.Nonce), State: walletapi.Pending}
	if raw.To != nil {
		out.To = *raw.To
	}
	if raw.Value != nil {
		if a, err := market.AmountFromBig(raw.Value.ToInt()); err == nil {
			out.Amount = a
		}
	}
	r, err := s.chain.Receipt(ctx, h)
	if errors.Is(err, chainclient.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, unreachable(err)
	}
	o := became(&entry{sent: sent{Hash: h}}, r)
	out.State, out.Block, out.Fee = o.State, o.Block, o.Fee
	return out, nil
}

func sortNewest(list []walletapi.Transaction) {
	slices.SortStableFunc(list, func(a, b walletapi.Transaction) int {
		return cmp.Or(cmp.Compare(b.SentAt, a.SentAt), cmp.Compare(b.Nonce, a.Nonce))
	})
}
