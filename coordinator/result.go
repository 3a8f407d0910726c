package coordinator

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// clockSkew is how far a miner's clock may be from ours.
const clockSkew = 5 * time.Second

// Piece takes pieces of an answer from the lease holder, in their order. It
// reports whether the miner should stop.
func (s *Service) Piece(ctx context.Context, c Caller, job common.Hash, leaseID string, pieces ...api.Piece) (stop bool, err error) {
	l, st, err := s.held(ctx, c, job, leaseID)
	if err != nil {
		return true, err
	}
	if st == nil {
		return true, apierr.New(apierr.LeaseLost, "the job has ended")
	}
	if err := st.put(pieces...); err != nil {
		return true, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l.expires = time.Now().Add(s.leaseTime())
	return l.cancel, nil
}

// Delivered returns how many pieces of a job there are and whether the miner
// should stop.
func (s *Service) Delivered(ctx context.Context, c Caller, job common.Hash, leaseID string) (uint64, bool, error) {
	l, st, err := s.held(ctx, c, job, leaseID)
	if err != nil || st == nil {
		return 0, true, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(st.len()), l.cancel, nil
}

// Complete takes a miner's signed receipt, charges the client and answers the
// countersignature. The same receipt again gets the same answer.
func (s *Service) Complete(ctx context.Context, c Caller, job common.Hash, r api.ResultRequest) (api.ResultResponse, error) {
	l, st, err := s.held(ctx, c, job, r.Lease)
	if err == nil && st == nil {
		err = apierr.New(apierr.LeaseLost, "the job has ended")
	}
	if err != nil {
		return s.repeated(ctx, c, job, r, err)
	}
	j := l.job
	most := math.MaxInt
	if r.FinishReason == "canceled" {
		// A second miner may be stopped before it comes to where the first one was:
		// it is paid for its own part of the same answer.
		most = int(min(r.Receipt.CompletionTokens, math.MaxInt32))
	}
	text, commitment, ids := st.answer(receipt.Salt(j.Spec.Salt), most)
	if n := uint64(commitment.Len()); ids && r.Receipt.CompletionTokens > n || n == 0 && r.Receipt.CompletionTokens > 0 {
		return api.ResultResponse{}, apierr.New(apierr.StreamGap, "the receipt has %d tokens, the stream %d pieces: send the stream again", r.Receipt.CompletionTokens, n).
			With(map[string]any{"next": n})
	}
	s.mu.Lock()
	p := s.miners[c.Account]
	if p != nil && l.offer.Model == "" { // the lease was known before its miner was
		l.offer = p.offers[j.Spec.Order.Model]
	}
	s.mu.Unlock()
	if p == nil {
		return api.ResultResponse{}, apierr.New(apierr.Unauthorized, "register again")
	}
	req, err := visible(j)
	if err != nil {
		return api.ResultResponse{}, err
	}
	if err := s.checkReceipt(l, &req, p.signer, r, commitment, ids); err != nil {
		return api.ResultResponse{}, err
	}
	if err := checkVectors(len(req.Input), text, commitment.Len()); err != nil {
		return api.ResultResponse{}, err
	}
	state := market.Completed
	if r.FinishReason == "canceled" {
		state = market.Canceled
		if commitment.Len() == 0 {
			err := s.endLease(ctx, l, market.Canceled, "", "")
			return api.ResultResponse{}, errors.Join(err, apierr.New(apierr.LeaseLost, "the job was cancelled before its first token: nothing is charged"))
		}
	}
	digest := receipt.Digest(s.cfg.Domain, r.Receipt)
	began := time.Now()
	done, err := s.cfg.Store.Complete(ctx, ledger.Completion{
		Job: job, Session: j.Session, Miner: c.Account, MinerSigner: p.signer, CoordinatorSigner: s.cfg.Signer.Address(), Lease: r.Lease, State: state, Receipt: r.Receipt, ReceiptID: s.cfg.Domain.ReceiptID(job), Signature: r.Signature, Class: l.offer.Class,
		Reason: r.FinishReason, Output: text, FirstToken: milli(st.first()), MarginBps: s.cfg.MarginBps, At: time.Now().UnixMilli(),
		Countersign: func(total market.Amount) (receipt.Signature, error) {
			return receipt.Sign(s.cfg.Signer, s.cfg.Domain, receipt.Countersignature{Receipt: digest, Miner: c.Account, MinerTotal: total})
		},
	})
	if te := (*market.TransitionError)(nil); errors.Is(err, ledger.ErrNotAssigned) || errors.As(err, &te) {
		return s.repeated(ctx, c, job, r, apierr.Wrap(err, apierr.LeaseLost, "the job has ended or was leased again"))
	} else if err != nil {
		return api.ResultResponse{}, err
	}
	s.completed(done, l, time.Since(began))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measureLocked(l, st, r.Receipt.CompletionTokens, time.Now())
	s.forgetLocked(done)
	return api.ResultResponse{Countersignature: done.Signed.Countersignature, MinerTotal: done.Signed.MinerTotal}, nil
}

// milli is a time in milliseconds since 1970, 0 for the zero time.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// repeated answers a receipt that was taken before as it was answered then. For
// any other it returns why it is not taken now.
func (s *Service) repeated(ctx context.Context, c Caller, job common.Hash, r api.ResultRequest, why error) (api.ResultResponse, error) {
	j, err := s.cfg.Store.Job(ctx, job)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return api.ResultResponse{}, apierr.New(apierr.NotFound, "there is no such job")
	case err != nil:
		return api.ResultResponse{}, err
	case j.Signed == nil || j.Miner != c.Account || receipt.Digest(s.cfg.Domain, j.Signed.Receipt) != receipt.Digest(s.cfg.Domain, r.Receipt):
		return api.ResultResponse{}, why
	}
	return api.ResultResponse{Countersignature: j.Signed.Countersignature, MinerTotal: j.Signed.MinerTotal}, nil
}

// checkReceipt returns nil if the receipt says what this coordinator saw, at
// the price that the order and the offer give.
func (s *Service) checkReceipt(l *lease, req *api.Request, signer common.Address, r api.ResultRequest, out *receipt.Output, ids bool) error {
	j := l.job
	bad := func(format string, a ...any) error { return apierr.New(apierr.Invalid, "receipt: "+format, a...) }
	o, x, bound := j.Spec.Order, r.Receipt, j.Spec.Bound()
	now := uint64(time.Now().Add(clockSkew).UnixMilli())
	want, err := market.Price(l.offer.Rates, x.Usage())
	if err != nil || want.Cmp(o.MaxPrice) > 0 {
		want = o.MaxPrice
	}
	switch {
	case x.Version != receipt.Version || x.Order != j.ID || x.Session != j.Session || x.Client != j.Client || x.Coordinator != s.cfg.Account || x.Miner != l.miner:
		return bad("it is for another order, or names other parties")
	case x.Model != o.Model || x.Class != receipt.Class(l.offer.Class) || l.offer.Digest != o.Model:
		return bad("model or class differs from the order's")
	case x.Rates() != l.offer.Rates:
		return bad("the rates are not those of the offer")
	case x.PromptTokens > j.Spec.PromptBound && !l.offer.Claimed:
		return bad("%d prompt tokens are more than the prompt can have", x.PromptTokens)
	case x.CompletionTokens > j.Spec.MaxTokens:
		return bad("%d completion tokens are above max_tokens", x.CompletionTokens)
	case x.Items != bound.Items:
		return bad("%d items, the job has %d", x.Items, bound.Items)
	case bound.ComputeMillis > 0 && x.ComputeMillis > bound.ComputeMillis:
		return bad("it computed for %d ms, max_seconds allows %d", x.ComputeMillis, bound.ComputeMillis)
	case ids && x.CompletionTokens != uint64(out.Len()):
		return bad("%d completion tokens, but %d were streamed", x.CompletionTokens, out.Len())
	case x.Output != out.Root() && !j.Spec.Sealed: // what is sealed, the client compares
		return bad("the output commitment is not that of the stream")
	case x.Price != want:
		return bad("the price is %s, it must be %s", x.Price, want)
	case x.TemperatureMilli != req.TemperatureMilli || x.TopPMilli != req.TopPMilli || x.TopK != req.TopK || x.Seed != req.Seed:
		return bad("the sampler's parameters are not the request's")
	case x.FinishedAt < x.StartedAt || x.FinishedAt > now || x.StartedAt+uint64(clockSkew.Milliseconds()) < uint64(j.Created) || x.FinishedAt/1000 > o.Deadline:
		return bad("its times are impossible: check the miner's clock")
	case x.ComputeMillis > x.FinishedAt-x.StartedAt:
		return bad("it computed for longer than from its start to its end")
	case !x.SecondRate.IsZero() && x.ComputeMillis > longest(time.Since(l.leased)):
		return bad("it computed for %d ms, and had the job for less", x.ComputeMillis)
	case x.Level > maxLevel || x.Evidence != (common.Hash{}):
		return bad("level %d is not verified here", x.Level)
	case !slices.Contains([]string{"stop", "length", "canceled", "tool_calls"}, r.FinishReason):
		return bad("unknown finish_reason")
	case r.FinishReason == "canceled" && !l.cancel:
		return bad("nobody cancelled this job")
	}
	if err := receipt.Verify(s.cfg.Domain, x, r.Signature, signer); err != nil {
		return apierr.Wrap(err, apierr.Forbidden, "receipt: the signature is not the miner's")
	}
	return nil
}

// longest returns how many milliseconds a miner may say that it computed in
// a time: another clock may run a thousandth faster than ours.
func longest(had time.Duration) uint64 {
	return uint64(max(0, (had + had/1000 + 10*time.Millisecond).Milliseconds()))
}

// checkVectors returns nil unless the answer to a job for embeddings is not one vector for each of n texts, all of one size.
func checkVectors(n int, text string, pieces int) error {
	if n == 0 {
		return nil
	}
	if pieces == n && len(text)%n == 0 {
		size := len(text) / n
		for i := range n {
			if _, err := api.DecodeVector(text[i*size : (i+1)*size]); err != nil {
				return apierr.New(apierr.Invalid, "embedding %d: %v", i, err)
			}
		}
		return nil
	}
	return apierr.New(apierr.Invalid, "%d pieces of %d bytes are not a vector for each of %d texts", pieces, len(text), n)
}

// Fail takes a miner's word that it cannot do a job. Nothing is charged; the
// job goes to another miner if that may help.
func (s *Service) Fail(ctx context.Context, c Caller, job common.Hash, r api.FailureRequest) error {
	l, _, err := s.held(ctx, c, job, r.Lease)
	if err != nil {
		return err
	}
	code, message := clip(r.Code, 64), clip(r.Message, 300)
	if r.Retryable {
		// Another miner should try; without one, this may again, until the deadline.
		s.mu.Lock()
		others := s.othersLocked(l)
		s.mu.Unlock()
		return s.lose(ctx, l, loss{code: code, message: message, exclude: others})
	}
	return s.endLease(ctx, l, market.Failed, code, message)
}

// GiveBack returns a lease to the queue whose miner could not be told of it.
func (s *Service) GiveBack(ctx context.Context, c Caller, job common.Hash, lease string) error {
	l, _, err := s.held(ctx, c, job, lease)
	if err != nil {
		return err
	}
	return s.lose(ctx, l, loss{code: "miner_lost", message: "the miner's connection broke", unheard: true})
}

// othersLocked reports whether a miner beside the lease's could run its job.
func (s *Service) othersLocked(l *lease) bool {
	for id, p := range s.miners {
		if _, ok := p.offers[l.job.Spec.Order.Model]; ok && p.online && id != l.miner {
			return true
		}
	}
	return false
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return s
}
