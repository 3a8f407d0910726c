package miner

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

// refusal is why a job is not done. Its message never holds content.
type refusal struct {
	code, message string
	retryable     bool // another miner may do better
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code: code, message: fmt.Sprintf(format, args...)}
}

// maxSessions bounds the memory of sessions looked up.
const maxSessions = 4096

// check returns the model to run, the request and how the answer is sealed, nil
// if it is not, or why the assignment is refused: everything in it is compared with the signed order, and with what
// this miner offers.
func (s *Service) check(ctx context.Context, a *api.Assignment, now time.Time) (Offering, api.Request, *sealed.Answer, error) {
	var req api.Request
	var answer *sealed.Answer
	d, coordinator, margin := s.link.parties()
	if receipt.Digest(d, a.Order) != a.JobID {
		return Offering{}, req, nil, refuse("order_mismatch", "the job is not that of the order on chain %d", d.ChainID)
	}
	spender, err := receipt.RecoverDigest(a.JobID, a.OrderSignature)
	if err != nil {
		return Offering{}, req, nil, refuse("bad_signature", "the order is not signed")
	}
	o, ok := s.byHash[a.Order.Model]
	if !ok {
		return o, req, nil, refuse("model_mismatch", "the ordered model %s is not offered here", a.Order.Model)
	}
	info := o.Model.Info()
	if class := receipt.Class(info.Class); a.Class != info.Class || (a.Order.Class != (common.Hash{}) && a.Order.Class != class) {
		return o, req, nil, refuse("model_mismatch", "the ordered class is not offered here")
	}
	if a.Sealed != nil {
		if answer, err = s.unseal(a); err != nil {
			return o, req, nil, err
		}
	}
	if len(a.Salt) != 32 || receipt.Input(receipt.Salt(a.Salt), a.Request) != a.Order.Input {
		return o, req, nil, refuse("input_mismatch", "the request is not the one that the order commits to")
	}
	if err := api.Decode(a.Request, &req); err != nil || req.Version != 1 {
		return o, req, nil, refuse("bad_request", "the request cannot be read, or is not of version 1")
	}
	if a.Sealed != nil && (req.PromptBound() > a.Sealed.PromptBound || uint64(len(req.Input)) != a.Sealed.Embeddings) {
		return o, req, nil, refuse("bad_request", "the sealed request is larger than was said")
	}
	if req.Model != info.Name {
		return o, req, nil, refuse("model_mismatch", "request and order name different models")
	}
	if info.Container != (req.Container != nil) {
		return o, req, nil, refuse("bad_request", "an image runs programs in containers, and a model answers: the request is of the other kind")
	}
	if req.MaxTokens == 0 || req.MaxTokens > o.MaxTokens {
		return o, req, nil, refuse("bad_request", "max_tokens must be from 1 to %d", o.MaxTokens)
	}
	if a.Rates != o.Rates {
		return o, req, nil, refuse("rates_mismatch", "the rates are not those offered")
	}
	if !now.Before(deadline(a.Order)) {
		return o, req, nil, refuse("expired", "the deadline of the order has passed")
	}
	if !o.Rates.Second.IsZero() && req.MaxSeconds == 0 {
		return o, req, nil, refuse("bad_request", "a price by the second needs max_seconds")
	}
	bound := req.Bound()
	bound.PromptTokens = 0 // how many, the tokenizer says
	if least, err := market.Price(o.Rates, bound); err != nil || a.Order.MaxPrice.Cmp(least) < 0 {
		return o, req, nil, refuse("price_too_low", "the order's highest price does not cover max_tokens and max_seconds")
	}
	if _, err := market.Divide(market.Amount{}, a.Order.MaxPrice, a.FeeBps, a.MarginBps); err != nil || a.MarginBps > margin {
		return o, req, nil, refuse("terms_mismatch", "fee or margin are not those announced")
	}
	return o, req, answer, s.checkSession(ctx, a, coordinator, spender)
}

// checkSession compares the assignment with the session on the chain. A chain
// that cannot be asked is no reason to refuse: the coordinator's bond stands
// for the pay.
func (s *Service) checkSession(ctx context.Context, a *api.Assignment, coordinator, spender common.Address) error {
	if s.cfg.Chain == nil {
		return nil
	}
	s.mu.Lock()
	x, known := s.sessions[a.Order.Session]
	s.mu.Unlock()
	if !known {
		var err error
		if x, err = s.cfg.Chain.Session(ctx, a.Order.Session); err != nil {
			s.cfg.Log.DebugContext(ctx, "chain not asked about the session", "session", a.Order.Session, "err", err)
			return nil
		}
		s.mu.Lock()
		if len(s.sessions) >= maxSessions {
			clear(s.sessions)
		}
		if x != (Session{}) {
			s.sessions[a.Order.Session] = x
		}
		s.mu.Unlock()
	}
	if x.Client != a.Client || x.Coordinator != coordinator || x.Spender != spender || x.FeeBps != a.FeeBps {
		return refuse("session_mismatch", "client, coordinator, signer or fee are not those of session %d on the chain", a.Order.Session)
	}
	return nil
}

// deadline returns the end of an order's time, with a moment left to sign.
func deadline(o receipt.Order) time.Time {
	return time.Unix(int64(min(o.Deadline, 1<<40)), 0).Add(-200 * time.Millisecond)
}
