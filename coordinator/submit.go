package coordinator

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sched"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/trace"
)

// Limits of a request. They bound what one job can hold.
const (
	MaxPromptBytes   = 256 << 10
	maxStops         = 4
	maxInputs        = 2048
	maxTopLogprobs   = 20
	maxStopBytes     = 256
	defaultMaxTokens = 256
	defaultTTL       = 10 * time.Minute
	minTTL           = 2 * time.Second
	// tokensPerMessage bounds what a chat template adds to a message.
	tokensPerMessage = 16
)

// Extras are what the OpenAI routes carry beside a SubmitRequest.
type Extras struct {
	IdemKey        string
	Body           []byte // of the request, compared when the key comes again
	Tools          json.RawMessage
	ResponseFormat json.RawMessage

	bulk bool // it is a line of a batch
}

// Submit reserves money for a job and queues it. When it returns, the job is on
// disk.
func (s *Service) Submit(ctx context.Context, c Caller, r api.SubmitRequest, x Extras) (*ledger.Job, error) {
	req, err := check(r)
	if err != nil {
		return nil, err
	}
	if len(x.IdemKey) > 256 || isBulkKey(x.IdemKey) && !x.bulk {
		return nil, apierr.New(apierr.Invalid, "Idempotency-Key is longer than 256 bytes, or no text")
	}
	req.Tools, req.ResponseFormat = x.Tools, x.ResponseFormat
	if len(r.Input) > 0 {
		r.MaxTokens = 1 // of which none is used
	}
	session, err := s.cfg.Store.Session(ctx, c.Session)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	deadline, err := s.deadline(now, session, r.TTLSeconds)
	if err != nil {
		return s.orderedBefore(ctx, session.ID, x, err)
	}
	demands, err := checkTerms(r)
	if err != nil {
		return nil, err
	}
	terms, err := s.terms(r, demands, req)
	if err != nil {
		return s.orderedBefore(ctx, session.ID, x, err)
	}
	req.MaxTokens = terms.maxTokens
	raw, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	var salt receipt.Salt
	_, _ = rand.Read(salt[:])
	key, err := s.signer(session)
	if err != nil {
		return nil, err
	}
	order := receipt.Order{
		Session: session.ID, Model: terms.digest, Class: terms.class, Input: receipt.Input(salt, raw),
		Miners: receipt.Miners(r.Constraints.Miners), MaxPrice: terms.maxPrice, Deadline: uint64(deadline.Unix()),
	}
	j := &ledger.Job{
		Session: session.ID, Client: session.Client, Model: req.Model,
		Spec:    ledger.Spec{Order: order, Salt: salt[:], Candidates: r.Constraints.Miners, Terms: demands, PromptBound: terms.promptBound, MaxTokens: terms.maxTokens, Trace: trace.From(ctx).String()},
		Request: raw, IdemKey: x.IdemKey, MaxPrice: terms.maxPrice, Created: now.UnixMilli(), Expires: deadline.UnixMilli(),
	}
	if c.Budget.Limits() {
		j.Key = c.hash
	}
	if x.IdemKey != "" {
		h := hashKey(string(x.Body))
		j.IdemHash = h[:]
	}
	// The number is the store's to give, so that numbers follow one another
	// whoever signs: job id and signature depend on it.
	began := time.Now()
	old, err := s.cfg.Store.InsertJob(ctx, j, func(j *ledger.Job) (err error) {
		j.Spec.Order.Number = j.Number
		j.ID = receipt.Digest(s.cfg.Domain, j.Spec.Order)
		j.Spec.Signature, err = receipt.Sign(key, s.cfg.Domain, j.Spec.Order)
		return err
	})
	budget := (*ledger.BudgetError)(nil)
	switch {
	case errors.Is(err, market.ErrInsufficient):
		free := session.Account.Available()
		return nil, apierr.New(apierr.Insufficient, "this job may cost %s and the session has %s left: top it up, open a new one, or lower max_tokens or max_price", terms.maxPrice.Coins(), free.Coins()).
			With(map[string]any{"needed": terms.maxPrice, "available": free})
	case errors.As(err, &budget):
		return nil, apierr.New(apierr.Insufficient, "%s, and this job may cost %s: lower max_tokens or max_price, or make another key", budget, terms.maxPrice.Coins()).
			With(map[string]any{"needed": terms.maxPrice, "budget": budget.What, "limit": budget.Limit, "spent": budget.Spent})
	case j.Key != (common.Hash{}) && errors.Is(err, ledger.ErrNotFound):
		return nil, apierr.New(apierr.Unauthorized, "unknown API key")
	case errors.Is(err, ledger.ErrUnknown):
		return nil, apierr.Wrap(err, apierr.Unavailable, "the ledger went away and did not say whether the job was taken: send it again with the same Idempotency-Key, or look for it in GET /v1/jobs")
	case errors.Is(err, ledger.ErrIdempotency):
		return nil, apierr.New(apierr.Conflict, "the Idempotency-Key was used with another request")
	case err != nil:
		return nil, err
	case old != nil && len(old.Request) == 0:
		return nil, s.deleted()
	case old != nil:
		return old, nil
	}
	s.meters.ledgerSync.Observe(time.Since(began).Seconds())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[j.ID] = newStream(j)
	s.expires[j.ID] = deadline
	s.wakeLocked(s.sched.Enqueue(schedJob(j)))
	return j, nil
}

// orderedBefore returns the job that was ordered under the request's idempotency key while it could be, or why it cannot now.
func (s *Service) orderedBefore(ctx context.Context, session uint64, x Extras, why error) (*ledger.Job, error) {
	if x.IdemKey == "" {
		return nil, why
	}
	old, err := s.cfg.Store.JobByIdem(ctx, session, x.IdemKey)
	h := hashKey(string(x.Body))
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, why
	case err != nil:
		return nil, err
	case !bytes.Equal(old.IdemHash, h[:]):
		return nil, apierr.New(apierr.Conflict, "the Idempotency-Key was used with another request")
	case len(old.Request) == 0:
		return nil, s.deleted()
	}
	return old, nil
}

// check validates a request and turns it into what the miner is sent.
func check(r api.SubmitRequest) (*api.Request, error) {
	bad := func(format string, a ...any) (*api.Request, error) {
		return nil, apierr.New(apierr.Invalid, format, a...)
	}
	req := &api.Request{
		Version: 1, Model: r.Model, Prompt: r.Prompt, Messages: r.Messages, Input: r.Input, MaxTokens: r.MaxTokens, TopPMilli: 1000, TopK: r.TopK, Stop: r.Stop,
		Logprobs: r.Logprobs, TopLogprobs: r.TopLogprobs,
	}
	switch {
	case r.Model == "" || len(r.Model) > 200:
		return bad("model is required (GET /v1/models lists what is on offer)")
	case given(r.Prompt != "", len(r.Messages) > 0, len(r.Input) > 0) != 1:
		return bad("give one of prompt, messages and input")
	case len(r.Input) > maxInputs:
		return bad("more than %d texts in input", maxInputs)
	case len(r.Input) > 0 && (r.MaxTokens > 1 || r.Logprobs || len(r.Stop) > 0 || r.Temperature != nil || r.TopP != nil || r.TopK != 0):
		return bad("an embedding has no max_tokens, sampling, stop or logprobs")
	case r.TopLogprobs > maxTopLogprobs || r.TopLogprobs > 0 && !r.Logprobs:
		return bad("top_logprobs is at most %d, and needs logprobs", maxTopLogprobs)
	case len(r.Messages) > 1000:
		return bad("more than 1000 messages")
	case r.MaxTokens > 1<<20:
		return bad("max_tokens is above %d", 1<<20)
	case len(r.Stop) > maxStops:
		return bad("more than %d stop strings", maxStops)
	case len(r.Constraints.Miners) > 64:
		return bad("more than 64 candidate miners")
	}
	size := len(r.Prompt)
	for i, text := range r.Input {
		if text == "" {
			return bad("input[%d] is empty", i)
		}
		size += len(text)
	}
	for i, m := range r.Messages {
		if !slices.Contains([]string{"system", "user", "assistant", "tool"}, m.Role) {
			return bad("messages[%d].role is %.20q: use system, user, assistant or tool", i, m.Role)
		}
		size += len(m.Content)
	}
	if size > MaxPromptBytes {
		return nil, apierr.New(apierr.TooLarge, "the prompt has %d bytes; at most %d are taken", size, MaxPromptBytes)
	}
	for i, stop := range r.Stop {
		if stop == "" || len(stop) > maxStopBytes {
			return bad("stop[%d] is empty or longer than %d bytes", i, maxStopBytes)
		}
	}
	milli := func(name string, v *float64, most float64, dst *uint32) error {
		if v == nil {
			return nil
		}
		if math.IsNaN(*v) || *v < 0 || *v > most {
			return apierr.New(apierr.Invalid, "%s is %v: use 0 to %v", name, *v, most)
		}
		*dst = uint32(math.Round(*v * 1000))
		return nil
	}
	req.TemperatureMilli = 1000
	if err := errors.Join(milli("temperature", r.Temperature, 2, &req.TemperatureMilli), milli("top_p", r.TopP, 1, &req.TopPMilli)); err != nil {
		return nil, err
	}
	if r.Seed != nil {
		req.Seed = *r.Seed
	} else {
		var b [8]byte
		_, _ = rand.Read(b[:])
		req.Seed = binary.BigEndian.Uint64(b[:])
	}
	return req, nil
}

func given(of ...bool) (n int) {
	for _, is := range of {
		if is {
			n++
		}
	}
	return n
}

// deadline returns by when the job must be done. It ends well before the
// client, acting alone, could close the session.
func (s *Service) deadline(now time.Time, x ledger.Session, ttlSeconds uint64) (time.Time, error) {
	if x.State != ledger.SessionOpen {
		return time.Time{}, apierr.New(apierr.Insufficient, "session %d is closed or closing: open a new one", x.ID)
	}
	if ttlSeconds > 1<<31 {
		return time.Time{}, apierr.New(apierr.Invalid, "ttl_seconds is too large")
	}
	ttl := cmp.Or(time.Duration(ttlSeconds)*time.Second, defaultTTL)
	longest := min(s.params.MaxOrderDuration, s.params.CloseWindow-s.params.Margin)
	if ttlSeconds == 0 {
		ttl = min(ttl, longest)
	}
	if ttl < minTTL || ttl > longest {
		return time.Time{}, apierr.New(apierr.Invalid, "ttl_seconds must be from %d to %d", int(minTTL.Seconds()), int(longest.Seconds()))
	}
	end := time.Unix(int64(x.DueAt), 0).Add(-s.params.Margin)
	d := now.Add(ttl)
	if d.After(end) {
		if ttlSeconds != 0 || end.Sub(now) < minTTL {
			return time.Time{}, apierr.New(apierr.Insufficient, "session %d ends too soon for this job: open a new one", x.ID)
		}
		d = end
	}
	return d.Truncate(time.Second), nil
}

type terms struct {
	digest, class          common.Hash
	promptBound, maxTokens uint64
	maxPrice               market.Amount
}

// terms chooses the model's digest and bounds tokens and price by what is on offer.
func (s *Service) terms(r api.SubmitRequest, demands ledger.Terms, req *api.Request) (terms, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sched.Queued() >= s.cfg.MaxQueued {
		return terms{}, apierr.New(apierr.RateLimited, "%d jobs are waiting already: try again in a few seconds", s.cfg.MaxQueued)
	}
	var t terms
	if r.Constraints.Class != "" {
		t.class = receipt.Class(r.Constraints.Class)
	}
	on := s.menuLocked(r, demands)
	bids := on.bids
	if len(bids) == 0 {
		return t, s.noModelLocked(r, on.refused)
	}
	// One name may stand for several weights: take what most miners run.
	count := map[common.Hash]int{}
	for b, n := range bids {
		count[b.digest] += n
	}
	for d, n := range count {
		if c := count[t.digest]; n > c || (n == c && d.Cmp(t.digest) < 0) {
			t.digest = d
		}
	}
	var most uint64
	for b := range bids {
		if b.digest == t.digest {
			most = max(most, b.maxTokens)
		}
	}
	t.maxTokens = min(cmp.Or(r.MaxTokens, defaultMaxTokens), most)
	t.promptBound = promptBound(req)
	low, high := market.MaxAmount(), market.Amount{}
	var cheapest market.Rates
	for b := range bids {
		if b.digest != t.digest {
			continue
		}
		price, err := market.Price(b.rates, market.Usage{PromptTokens: t.promptBound, CompletionTokens: t.maxTokens})
		if err != nil {
			price = market.MaxAmount()
		}
		if price.Cmp(low) <= 0 {
			low, cheapest = price, b.rates
		}
		if price.Cmp(high) > 0 {
			high = price
		}
	}
	if r.MaxPrice == nil {
		t.maxPrice = high
		return t, nil
	}
	t.maxPrice = *r.MaxPrice
	if t.maxPrice.Cmp(low) < 0 {
		fit := affordable(cheapest, t.promptBound, t.maxPrice)
		if r.MaxTokens != 0 || fit == 0 {
			return t, apierr.New(apierr.Invalid, "max_price is below what the cheapest miner may charge for this job, %s base units: raise it or lower max_tokens", low).
				With(map[string]any{"needed": low})
		}
		t.maxTokens = min(t.maxTokens, fit)
	}
	return t, nil
}

// affordable returns how many completion tokens max pays for after the prompt.
func affordable(r market.Rates, prompt uint64, most market.Amount) uint64 {
	million := big.NewInt(1_000_000)
	left := new(big.Int).Mul(most.Big(), million)
	left.Sub(left, new(big.Int).Mul(r.Prompt.Big(), new(big.Int).SetUint64(prompt)))
	if left.Sign() <= 0 || r.Completion.IsZero() {
		return 0
	}
	left.Div(left, r.Completion.Big())
	if !left.IsUint64() {
		return math.MaxUint32
	}
	return left.Uint64()
}

// promptBound is a number of tokens that no tokenizer exceeds: one per byte, and
// what a template adds.
func promptBound(r *api.Request) uint64 {
	n := uint64(len(r.Prompt) + len(r.Tools) + tokensPerMessage)
	for _, text := range r.Input {
		n += uint64(len(text) + tokensPerMessage)
	}
	for _, m := range r.Messages {
		n += uint64(len(m.Content) + tokensPerMessage)
	}
	return n
}

func (s *Service) noModelLocked(r api.SubmitRequest, reasons map[sched.Reason]int) error {
	names := s.modelsLocked()
	if slices.Contains(names, r.Model) {
		return apierr.New(apierr.ModelNotFound, "no miner that the constraints allow offers model %q: see details.reasons", r.Model).With(map[string]any{"models": names, "reasons": reasons})
	}
	if err := s.awayLocked(r.Model, time.Now()); err != nil {
		return err
	}
	return apierr.New(apierr.ModelNotFound, "no miner offers model %q", r.Model).With(map[string]any{"models": names})
}

// modelsLocked lists the models on offer.
func (s *Service) modelsLocked() []string {
	names := []string{}
	for _, p := range s.miners {
		if p.online {
			for _, o := range p.offers {
				names = append(names, o.Model)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
