package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

// ErrDisagree reports a coordinator that says something else than what was
// agreed: it is not signed.
var ErrDisagree = errors.New("the coordinator's word does not hold")

// Keys says whose signatures count. The Registry predeploy of a node does.
type Keys interface {
	// MinerKey reports whether key signs for the miner now.
	MinerKey(ctx context.Context, miner, key common.Address) (bool, error)
	// CoordinatorKey is the same of a coordinator.
	CoordinatorKey(ctx context.Context, coordinator, key common.Address) (bool, error)
	// SealingKey returns the hash of the key that jobs for the miner are sealed to,
	// zero if it has none.
	SealingKey(ctx context.Context, miner common.Address) (common.Hash, error)
}

// Session spends from a session whose orders and vouchers its client signs. It
// is safe for concurrent use; several programs may share one session, too.
type Session struct {
	client  *Client
	domain  receipt.Domain
	spender receipt.Signer
	id      uint64

	// Keys, if set before the first use, has receipts checked against the chain
	// before a voucher pays for them. To seal jobs it is needed.
	Keys Keys
	// Plain, if set before the first use, lets the coordinator read prompts and
	// answers. Without it jobs are sealed to the miners that may run them.
	Plain bool

	// ordering keeps orders in their numbers' order.
	ordering chan struct{}
}

// Order is an order that was taken.
type Order struct {
	receipt.Order
	JobID common.Hash
	Salt  receipt.Salt // opens the receipt's commitments: keep it private
	Quote api.Quote

	answers map[common.Address]*sealed.Answer // of a sealed job
}

// Session returns the session of the client's API key, whose spender must be
// the signer. domain is that of the network that the caller trusts: see
// [Wallet.Domain].
func (c *Client) Session(ctx context.Context, domain receipt.Domain, spender receipt.Signer) (*Session, error) {
	a, err := c.Account(ctx)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	if a.Mode != api.ModeSelf || a.Spender != spender.Address() {
		return nil, fmt.Errorf("session %d is %s and its spender is %s, not %s", a.Session, a.Mode, a.Spender, spender.Address())
	}
	return &Session{client: c, domain: domain, spender: spender, id: a.Session, ordering: make(chan struct{}, 1)}, nil
}

// ID returns the session's number.
func (s *Session) ID() uint64 { return s.id }

// Quote asks for the terms of a job. The coordinator is told how long the prompt
// is, and not what is in it.
func (c *Client) Quote(ctx context.Context, r api.QuoteRequest) (api.Quote, error) {
	var out api.Quote
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/jobs/quote", JSON: r}, &out)
	return out, err
}

// PutVoucher gives a coordinator a signed voucher.
func (c *Client) PutVoucher(ctx context.Context, session uint64, r api.VoucherRequest) (api.Vouchers, error) {
	var out api.Vouchers
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/sessions/" + strconv.FormatUint(session, 10) + "/vouchers", JSON: r}, &out)
	return out, err
}

// Sessions returns the sessions of the account that are not closed.
func (c *Client) Sessions(ctx context.Context) ([]api.Account, error) {
	list, err := get[api.SessionList](ctx, c, "/v1/sessions")
	return list.Sessions, err
}

const (
	tries = 5 // how often an order is sent until its answer comes
	// How often it is signed anew because another took its number: that many
	// orders a coordinator that lies about it has in hand.
	signings = 16
)

// Submit signs an order for what r asks and sends it. The terms are checked
// before: [ErrDisagree] if they are not what r allows. Where the answer does not
// come the same order is sent again, which orders nothing twice.
func (s *Session) Submit(ctx context.Context, r api.SubmitRequest) (Order, error) {
	if r.Signed != nil {
		return Order{}, errors.New("submit: the session signs the order itself")
	}
	req, err := r.Request()
	if err != nil {
		return Order{}, fmt.Errorf("submit: %w", err)
	}
	select {
	case s.ordering <- struct{}{}:
		defer func() { <-s.ordering }()
	case <-ctx.Done():
		return Order{}, ctx.Err()
	}
	return s.order(ctx, r, *req)
}

func (s *Session) order(ctx context.Context, r api.SubmitRequest, req api.Request) (Order, error) {
	asked := time.Now()
	q, err := s.client.Quote(ctx, api.QuoteRequest{
		Model: r.Model, PromptBound: req.PromptBound(), MaxTokens: r.MaxTokens, MaxSeconds: r.MaxSeconds, Embeddings: uint64(len(r.Input)), Container: r.Container != nil, MaxPrice: r.MaxPrice, TTLSeconds: r.TTLSeconds, Constraints: r.Constraints, Route: r.Route, Sealed: !s.Plain,
	})
	if err != nil {
		return Order{}, err
	}
	req.MaxTokens, req.MaxSeconds = q.MaxTokens, q.MaxSeconds
	if err := s.check(r, req.Bound(), q, asked); err != nil {
		return Order{}, fmt.Errorf("quote: %w", err)
	}
	o := Order{Order: q.Order, Quote: q}
	raw, err := json.Marshal(req)
	if err != nil {
		return o, fmt.Errorf("encode request: %w", err)
	}
	_, _ = rand.Read(o.Salt[:])
	o.Input = receipt.Input(o.Salt, raw)
	var to []sealed.Recipient
	if !s.Plain {
		if to, err = s.recipients(ctx, q); err != nil {
			return o, err
		}
		if err := o.narrow(r, req.Bound(), to); err != nil {
			return o, err
		}
	}
	for n := 1; ; n++ {
		err := s.place(ctx, &o, r, &req, raw, to)
		next, taken := nextNumber(err)
		if !taken || n == signings {
			return o, err
		}
		o.Number = next // another program has the key, too
	}
}

// nextNumber returns the number that an order must have, if that is what was
// wrong with it.
func nextNumber(err error) (uint64, bool) {
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok || e.Code != apierr.Conflict {
		return 0, false
	}
	next, ok := e.Details["next"].(float64) // as JSON has numbers
	return uint64(next), ok && next >= 1 && next < 1<<53
}

// place signs an order, sealed to some miners if the session seals, and sends it.
func (s *Session) place(ctx context.Context, o *Order, r api.SubmitRequest, req *api.Request, raw []byte, to []sealed.Recipient) error {
	sig, err := receipt.Sign(s.spender, s.domain, o.Order)
	if err != nil {
		return fmt.Errorf("order: %w", err)
	}
	o.JobID = receipt.Digest(s.domain, o.Order)
	body := api.SubmitRequest{Constraints: r.Constraints, Route: r.Route, Signed: &api.SignedOrder{Order: o.Order, Signature: sig}}
	if s.Plain {
		body.Signed.Salt, body.Signed.Request = o.Salt[:], raw
		return s.send(ctx, *o, body)
	}
	hidden := api.SealedJob{Public: req.Public(), PromptBound: req.PromptBound(), Embeddings: uint64(len(req.Input)), Container: req.Container != nil}
	if hidden.Box, o.answers, err = sealed.Seal(o.JobID, slices.Concat(o.Salt[:], raw), to); err != nil {
		return err
	}
	body.Signed.Sealed, body.Constraints.Miners = &hidden, nil
	for _, m := range to {
		body.Constraints.Miners = append(body.Constraints.Miners, m.Miner)
	}
	return s.send(ctx, *o, body)
}

// send delivers a signed order, again if its answer was lost.
func (s *Session) send(ctx context.Context, o Order, body api.SubmitRequest) error {
	for n := 1; ; n++ {
		var out api.SubmitResponse
		_, err := s.client.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/jobs", JSON: body}, &out)
		if err == nil && out.JobID != o.JobID {
			return fmt.Errorf("%w: it calls the order %s, which is %s", ErrDisagree, out.JobID, o.JobID)
		}
		_, told := errors.AsType[*apierr.Error](err)
		if err == nil || n == tries || ctx.Err() != nil || told && !apierr.HasCode(err, apierr.Unavailable) {
			return err
		}
		t := time.NewTimer(time.Duration(n) * firstRetry)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// slack is how much clocks may differ.
const slack = 2 * time.Minute

// check returns nil if a quote is for what was asked.
func (s *Session) check(r api.SubmitRequest, bound market.Usage, q api.Quote, asked time.Time) error {
	o, c := q.Order, r.Constraints
	class := common.Hash{}
	if c.Class != "" {
		class = receipt.Class(c.Class)
	}
	var most market.Amount
	for _, x := range q.Offers {
		p, err := market.Price(x.Rates, bound)
		if err != nil {
			return fmt.Errorf("%w: price: %w", ErrDisagree, err)
		}
		if p.Cmp(most) > 0 {
			most = p
		}
	}
	if r.MaxPrice != nil {
		most = *r.MaxPrice
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: %s", ErrDisagree, fmt.Sprintf(format, a...))
	}
	switch {
	case o.Session != s.id:
		return bad("it is for session %d", o.Session)
	case len(c.Models) > 0 && !slices.Contains(c.Models, o.Model):
		return bad("the weights %s were not asked for", o.Model)
	case o.Class != class || o.Miners != receipt.Miners(c.Miners):
		return bad("class or miners are others")
	case q.MaxTokens == 0 || r.MaxTokens > 0 && len(r.Input) == 0 && q.MaxTokens > r.MaxTokens:
		return bad("it is for %d tokens, not %d", q.MaxTokens, r.MaxTokens)
	case r.MaxSeconds > 0 && q.MaxSeconds > r.MaxSeconds:
		return bad("it is for %d seconds, not %d", q.MaxSeconds, r.MaxSeconds)
	case o.MaxPrice.Cmp(most) > 0:
		return bad("%s is more than %s", o.MaxPrice.Coins(), most.Coins())
	case r.TTLSeconds > 0 && o.Deadline > uint64(asked.Add(time.Duration(min(r.TTLSeconds, 1<<31))*time.Second+slack).Unix()): //nolint:gosec // after 1970
		return bad("its deadline is later than %d s from now", r.TTLSeconds)
	}
	return nil
}
