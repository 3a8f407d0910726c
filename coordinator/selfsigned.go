package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sched"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// maxUnvouched is how many orders a client may be ahead of its vouchers. Below
// it, what one voucher reaches fits a batch.
const maxUnvouched = 64

// This does not compile if a batch could not hold all that a voucher pays for: were it
// the first of a batch, nothing would be settled any more.
const _ = uint(maxBatch - 1 - maxUnvouched)

// errSelfSigned is for who asks the coordinator to sign where it cannot.
func errSelfSigned(session uint64) error {
	return apierr.New(apierr.Invalid, "the client of session %d signs its orders itself: ask POST /v1/jobs/quote for terms, sign the order and send it to POST /v1/jobs as \"signed\" (aitbc submit and the SDKs do so). "+
		"A program that knows only an API key needs a session whose orders the coordinator signs: aitbc session open without --self", session)
}

// Quote says what an order of the caller's may say. Nothing is reserved.
func (s *Service) Quote(ctx context.Context, c Caller, r api.QuoteRequest) (api.Quote, error) {
	session, err := s.cfg.Store.Session(ctx, c.Session)
	if err != nil {
		return api.Quote{}, err
	}
	if len(r.Constraints.Miners) > maxCandidates {
		return api.Quote{}, errCandidates
	}
	if r.Model == "" || r.PromptBound == 0 || r.MaxTokens > 1<<20 || r.MaxSeconds > maxMaxSeconds || r.Embeddings > maxInputs {
		return api.Quote{}, apierr.New(apierr.Invalid, "model and prompt_bound are required, max_tokens is at most %d, max_seconds at most %d, and embeddings at most %d", 1<<20, maxMaxSeconds, maxInputs)
	}
	if r.Embeddings > 0 || r.Container {
		r.MaxTokens = 1 // of which none is used
	}
	if r.Container && r.TTLSeconds == 0 {
		r.TTLSeconds = s.containerTTL(r.MaxSeconds)
	}
	deadline, err := s.deadline(time.Now(), session, r.TTLSeconds)
	if err != nil {
		return api.Quote{}, err
	}
	demands, err := checkTerms(r.Constraints, r.Route)
	if err != nil {
		return api.Quote{}, err
	}
	a := ask{model: r.Model, texts: r.Embeddings, container: r.Container, sealed: r.Sealed, promptBound: r.PromptBound, maxTokens: r.MaxTokens, maxSeconds: r.MaxSeconds, maxPrice: r.MaxPrice, constraints: r.Constraints}
	t, err := s.terms(a, demands)
	if err != nil {
		return api.Quote{}, err
	}
	return api.Quote{
		Order: receipt.Order{
			Session: session.ID, Number: session.Number + 1, Model: t.digest, Class: t.class, Miners: receipt.Miners(r.Constraints.Miners),
			MaxPrice: t.maxPrice, Deadline: uint64(deadline.Unix()),
		},
		MaxTokens: t.maxTokens, MaxSeconds: t.maxSeconds, Offers: s.quoted(a, demands, t),
	}, nil
}

// quoted lists the offers that fit the terms.
func (s *Service) quoted(a ask, demands ledger.Terms, t terms) []api.QuotedOffer {
	out := []api.QuotedOffer{}
	price := func(o api.QuotedOffer) market.Amount {
		p, err := market.Price(o.Rates, t.bound)
		if err != nil {
			return market.MaxAmount()
		}
		return p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.miners {
		if o, ok := p.offers[t.digest]; ok && p.online && unmet(p, o, a, demands) == sched.Ready {
			q := api.QuotedOffer{Miner: p.account, Class: o.Class, Rates: o.Rates}
			if a.sealed {
				q.SealingKey = o.SealingKey
			}
			if price(q).Cmp(t.maxPrice) <= 0 {
				out = append(out, q)
			}
		}
	}
	slices.SortFunc(out, func(a, b api.QuotedOffer) int { return cmp.Or(price(a).Cmp(price(b)), a.Miner.Cmp(b.Miner)) })
	return out
}

// numberError says that an order has not its session's next number.
type numberError struct{ next uint64 }

func (e *numberError) Error() string { return fmt.Sprintf("the next order is number %d", e.next) }

// submitSigned is [Service.Submit] for an order that the client signed. The same
// order is the same job, however often it comes.
func (s *Service) submitSigned(ctx context.Context, c Caller, r api.SubmitRequest, x Extras) (*ledger.Job, error) {
	o := r.Signed.Order
	session, err := s.cfg.Store.Session(ctx, c.Session)
	if err != nil {
		return nil, err
	}
	if !session.Self() {
		return nil, apierr.New(apierr.Invalid, "the coordinator signs the orders of session %d: send the job without \"signed\"", session.ID)
	}
	if o.Session != session.ID {
		return nil, apierr.New(apierr.Invalid, "the order is for session %d, the API key for session %d", o.Session, session.ID)
	}
	if err := receipt.Verify(s.cfg.Domain, o, r.Signed.Signature, session.Spender); err != nil {
		return nil, apierr.Wrap(err, apierr.Forbidden, "the order is not signed by the session's spender, "+session.Spender.Hex()+" (check chain id and market address)")
	}
	id := receipt.Digest(s.cfg.Domain, o)
	if old, err := s.cfg.Store.Job(ctx, id); !errors.Is(err, ledger.ErrNotFound) {
		return old, err
	}
	j, err := s.draft(session, r, time.Now())
	if err != nil {
		return nil, err
	}
	last, err := s.cfg.Store.LastVoucher(ctx, session.ID)
	if err != nil {
		return nil, err
	}
	if through := max(last.Through, session.Alone); o.Number > through+maxUnvouched {
		return nil, apierr.New(apierr.RateLimited, "orders up to %d have a voucher, and %d may be without: sign one (aitbc session voucher)", through, maxUnvouched).
			With(map[string]any{"through": through})
	}
	j.ID = id
	out, err := s.admit(ctx, c, session, j, x, func(j *ledger.Job) error {
		if j.Number != o.Number {
			return &numberError{j.Number}
		}
		return nil
	})
	if wrong, ok := errors.AsType[*numberError](err); ok {
		if old, err := s.cfg.Store.Job(ctx, id); !errors.Is(err, ledger.ErrNotFound) {
			return old, err // it came twice at once
		}
		return nil, apierr.New(apierr.Conflict, "the order has number %d, the next of session %d is %d: sign it anew", o.Number, session.ID, wrong.next).
			With(map[string]any{"next": wrong.next})
	}
	return out, err
}

// draft checks a signed order against its request and what is on offer, and
// makes the job.
func (s *Service) draft(session ledger.Session, r api.SubmitRequest, now time.Time) (*ledger.Job, error) {
	bad := func(format string, a ...any) (*ledger.Job, error) {
		return nil, apierr.New(apierr.Invalid, format, a...)
	}
	o, in := r.Signed.Order, r.Signed
	if given(r.Model != "", r.Prompt != "", r.Messages != nil, r.Input != nil, r.Container != nil, r.MaxTokens != 0, r.MaxSeconds != 0, r.Temperature != nil, r.TopP != nil, r.TopK != 0, r.Seed != nil, r.Stop != nil,
		r.Grammar != "", r.Logprobs, r.TopLogprobs != 0, r.MaxPrice != nil, r.TTLSeconds != 0) > 0 {
		return bad("beside \"signed\" only constraints and route are given: the rest is in its request and order")
	}
	if len(r.Constraints.Miners) > maxCandidates {
		return nil, errCandidates
	}
	var known content
	var err error
	if in.Sealed != nil {
		known, err = shut(in, r.Constraints.Miners)
	} else {
		known, err = open(in)
	}
	if err != nil {
		return nil, err
	}
	req := known.public
	switch {
	case o.Miners != receipt.Miners(r.Constraints.Miners):
		return bad("the order's miners are not those of constraints.miners")
	case req.MaxTokens == 0:
		return bad("the request has no max_tokens: POST /v1/jobs/quote proposes some")
	}
	if err := s.inTime(now, session, o.Deadline); err != nil {
		return nil, err
	}
	demands, err := checkTerms(r.Constraints, r.Route)
	if err != nil {
		return nil, err
	}
	c := r.Constraints
	c.Models = []common.Hash{o.Model}
	t, err := s.terms(ask{model: req.Model, texts: known.texts, container: known.container, sealed: known.sealed, promptBound: known.promptBound, maxTokens: req.MaxTokens, maxSeconds: req.MaxSeconds, maxPrice: &o.MaxPrice, constraints: c}, demands)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Class != t.class:
		return bad("the order's class is not that of constraints.class")
	case req.MaxSeconds != t.maxSeconds:
		return bad("miners that may run this have a price by the second, and the request has no max_seconds: POST /v1/jobs/quote proposes some")
	case req.MaxTokens > t.maxTokens:
		return bad("max_tokens is %d, the miners that may run this give %d", req.MaxTokens, t.maxTokens)
	}
	return &ledger.Job{
		Session: session.ID, Client: session.Client, Model: req.Model,
		Spec: ledger.Spec{
			Order: o, Signature: in.Signature, Salt: known.salt, Candidates: r.Constraints.Miners, Terms: demands, PromptBound: known.promptBound, MaxTokens: req.MaxTokens, MaxSeconds: req.MaxSeconds, Items: known.texts, Container: known.container, Sealed: known.sealed,
		},
		Request: known.stored, MaxPrice: o.MaxPrice, Created: now.UnixMilli(), Expires: int64(min(o.Deadline, 1<<40)) * 1000,
	}, nil
}

// inTime returns nil if an order's deadline is one that [Service.deadline] could give.
func (s *Service) inTime(now time.Time, x ledger.Session, deadline uint64) error {
	if x.State != ledger.SessionOpen {
		return errOver(x.ID)
	}
	end := time.Unix(int64(min(deadline, 1<<40)), 0)
	last := time.Unix(int64(min(x.DueAt, 1<<40)), 0).Add(-s.params.Margin)
	switch ttl := end.Sub(now); {
	case ttl < minTTL:
		return apierr.New(apierr.Invalid, "the order's deadline is less than %s from now", minTTL)
	case ttl > s.longest():
		return apierr.New(apierr.Invalid, "the order's deadline is more than %s from now", s.longest())
	case end.After(last):
		return apierr.New(apierr.Insufficient, "the order's deadline is less than %s before the end of session %d: set an earlier one, or open a new session (aitbc session renew)", s.params.Margin, x.ID)
	}
	return nil
}

// vouchers says how a session stands that its client signs for.
func (s *Service) vouchers(ctx context.Context, x ledger.Session) (*api.Vouchers, error) {
	last, after, err := s.cfg.Store.Vouched(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	out := &api.Vouchers{Alone: x.Alone}
	if last.Through > 0 {
		out.Last = &api.VoucherRequest{Through: last.Through, Cumulative: last.Cumulative, Signature: last.Signature}
	}
	out.Due, err = ledger.Due(x, last, after)
	return out, err
}

// Vouch takes a voucher of the caller's. It must be what the ledger says, to the
// unit. The newest may come again.
func (s *Service) Vouch(ctx context.Context, c Caller, session uint64, r api.VoucherRequest) (*api.Vouchers, error) {
	if session != c.Session {
		return nil, apierr.New(apierr.Forbidden, "the API key is for session %d", c.Session)
	}
	x, err := s.cfg.Store.Session(ctx, session)
	if err != nil {
		return nil, err
	}
	if !x.Self() {
		return nil, apierr.New(apierr.Conflict, "the coordinator signs the vouchers of session %d", session)
	}
	v := ledger.Voucher{Voucher: receipt.Voucher{Session: session, Through: r.Through, Cumulative: r.Cumulative}, Signature: r.Signature}
	if err := receipt.Verify(s.cfg.Domain, v.Voucher, v.Signature, x.Spender); err != nil {
		return nil, apierr.Wrap(err, apierr.Forbidden, "the voucher is not signed by the session's spender, "+x.Spender.Hex()+" (check chain id and market address)")
	}
	err = s.cfg.Store.PutVoucher(ctx, v)
	if bad, ok := errors.AsType[*ledger.VoucherError](err); ok {
		return nil, apierr.New(apierr.Conflict, "%s: compare your receipts with GET /v1/receipts", bad.Reason).With(map[string]any{"due": bad.Due})
	}
	if err != nil {
		return nil, err
	}
	return s.vouchers(ctx, x)
}

// gathering says what the next batch takes.
func (s *Service) gathering(head uint64, now time.Time) ledger.Gathering {
	return ledger.Gathering{
		Max: maxBatch, FromBlock: head, At: now.UnixMilli(), Alone: now.Add(-s.cfg.VoucherWait).UnixMilli(), Due: uint64(now.Add(s.params.Margin).Unix()),
	}
}

// singles returns what the chain must see of the orders that a batch settles
// alone. Of those that cost nothing it need not know.
func (s *Service) singles(ctx context.Context, p ledger.Plan) ([]SingleOrder, error) {
	var out []SingleOrder
	for _, o := range p.Singles {
		if o.Price.IsZero() {
			continue
		}
		j, err := s.cfg.Store.Job(ctx, o.Job)
		if err != nil {
			return nil, err
		}
		if j.Signed == nil {
			return nil, fmt.Errorf("job %s: charged without a receipt", j.ID)
		}
		out = append(out, SingleOrder{Spec: j.Spec, Signed: *j.Signed})
	}
	return out, nil
}

// paidAlone returns which of a batch's single orders the chain was seen to pay.
func (s *Service) paidAlone(ctx context.Context, p ledger.Plan) ([]common.Hash, error) {
	var out []common.Hash
	for _, o := range p.Singles {
		j, err := s.cfg.Store.Job(ctx, o.Job)
		if err != nil {
			return nil, err
		}
		if !o.Price.IsZero() {
			paid, err := s.cfg.Chain.OrderSettled(ctx, j.Session, j.Number)
			if err != nil {
				return nil, fmt.Errorf("order %d of session %d: %w", j.Number, j.Session, err)
			}
			if !paid {
				s.log.ErrorContext(ctx, "an order was not paid", "session", j.Session, "number", j.Number, "price", o.Price)
				continue
			}
		}
		out = append(out, o.Job)
	}
	return out, nil
}
