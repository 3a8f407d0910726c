package coordinator

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/internal/gbnf"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/trace"
)

// Limits of a request. They bound what one job can hold.
const (
	MaxPromptBytes   = 256 << 10
	maxStops         = 4
	maxCandidates    = 64
	maxInputs        = 2048
	maxTopLogprobs   = 20
	maxMaxSeconds    = 7 * 24 * 3600
	maxStopBytes     = 256
	defaultMaxTokens = 256
	defaultTTL       = 10 * time.Minute
	minTTL           = 2 * time.Second
)

// Extras are what the OpenAI routes carry beside a SubmitRequest.
type Extras struct {
	IdemKey        string
	Body           []byte // of the request, compared when the key comes again
	Tools          json.RawMessage
	ResponseFormat json.RawMessage

	// Whole says that whoever orders is told nothing before the job has ended. The order then goes to the disk with what
	// comes next of the job, or of others, and costs no sync of its own.
	Whole bool

	bulk bool // it is a line of a batch
}

// Submit reserves money for a job and queues it. When it returns, the job is on
// disk, unless x.Whole.
func (s *Service) Submit(ctx context.Context, c Caller, r api.SubmitRequest, x Extras) (*ledger.Job, error) {
	if r.Signed != nil {
		return s.submitSigned(ctx, c, r, x)
	}
	req, err := check(r, x)
	if err != nil {
		return nil, err
	}
	if len(r.Input) > 0 || r.Container != nil {
		r.MaxTokens = 1 // of which none is used
	}
	session, err := s.cfg.Store.Session(ctx, c.Session)
	if err != nil {
		return nil, err
	}
	if session.Self() {
		return nil, errSelfSigned(session.ID)
	}
	now := time.Now()
	if r.Container != nil && r.TTLSeconds == 0 {
		r.TTLSeconds = s.containerTTL(r.MaxSeconds)
	}
	deadline, err := s.deadline(now, session, r.TTLSeconds)
	if err != nil {
		return s.orderedBefore(ctx, session.ID, x, err)
	}
	demands, err := checkTerms(r.Constraints, r.Route)
	if err != nil {
		return nil, err
	}
	terms, err := s.terms(ask{
		model: r.Model, texts: uint64(len(r.Input)), container: r.Container != nil, promptBound: req.PromptBound(), maxTokens: r.MaxTokens, maxSeconds: r.MaxSeconds, maxPrice: r.MaxPrice, constraints: r.Constraints,
	}, demands)
	if err != nil {
		return s.orderedBefore(ctx, session.ID, x, err)
	}
	req.MaxTokens, req.MaxSeconds = terms.maxTokens, terms.maxSeconds
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
		Spec:    ledger.Spec{Order: order, Salt: salt[:], Candidates: r.Constraints.Miners, Terms: demands, PromptBound: terms.bound.PromptTokens, MaxTokens: terms.maxTokens, MaxSeconds: terms.maxSeconds, Items: uint64(len(r.Input)), Container: r.Container != nil},
		Request: raw, MaxPrice: terms.maxPrice, Created: now.UnixMilli(), Expires: deadline.UnixMilli(),
	}
	return s.admit(ctx, c, session, j, x, func(j *ledger.Job) (err error) {
		j.Spec.Order.Number = j.Number
		j.ID = receipt.Digest(s.cfg.Domain, j.Spec.Order)
		j.Spec.Signature, err = receipt.Sign(key, s.cfg.Domain, j.Spec.Order)
		return err
	})
}

// admit reserves money for a job and queues it. The number is the store's to
// give, so that numbers follow one another whoever signs: job id and signature
// depend on it.
func (s *Service) admit(ctx context.Context, c Caller, session ledger.Session, j *ledger.Job, x Extras, sign func(*ledger.Job) error) (*ledger.Job, error) {
	if len(x.IdemKey) > 256 || isBulkKey(x.IdemKey) && !x.bulk {
		return nil, apierr.New(apierr.Invalid, "Idempotency-Key is longer than 256 bytes, or no text")
	}
	j.Spec.Trace = trace.From(ctx).String()
	if c.Budget.Limits() {
		j.Key = c.hash
	}
	if x.IdemKey != "" {
		h := hashKey(string(x.Body))
		j.IdemKey, j.IdemHash = x.IdemKey, h[:]
	}
	began := time.Now()
	// A miner may begin while the order goes to the disk: whoever ordered is answered, and sees a token, only after that. A
	// crash in between takes the order with it, and nobody is charged for what that miner began.
	old, err := s.cfg.Store.InsertJob(ctx, j, sign, func() (wait bool) { s.enqueue(j); return !x.Whole })
	budget := (*ledger.BudgetError)(nil)
	switch {
	case errors.Is(err, market.ErrInsufficient):
		free := session.Account.Available()
		return nil, apierr.New(apierr.Insufficient, "this job may cost %s and the session has %s left: top it up, open a new one, or lower max_tokens or max_price", j.MaxPrice.Coins(), free.Coins()).
			With(map[string]any{"needed": j.MaxPrice, "available": free})
	case errors.As(err, &budget):
		return nil, apierr.New(apierr.Insufficient, "%s, and this job may cost %s: lower max_tokens or max_price, or make another key", budget, j.MaxPrice.Coins()).
			With(map[string]any{"needed": j.MaxPrice, "budget": budget.What, "limit": budget.Limit, "spent": budget.Spent})
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
	if !x.Whole {
		s.meters.ledgerSync.Observe(time.Since(began).Seconds())
	}
	return j, nil
}

// enqueue makes a new job known to those who follow it, and to the scheduler.
func (s *Service) enqueue(j *ledger.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[j.ID] = newStream(j)
	s.expires[j.ID] = time.UnixMilli(j.Expires)
	s.wakeLocked(s.sched.Enqueue(schedJob(j)))
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
func check(r api.SubmitRequest, x Extras) (*api.Request, error) {
	if len(r.Input) > 0 && (r.MaxTokens > 1 || r.Temperature != nil || r.TopP != nil) {
		return nil, errEmbedding
	}
	if len(r.Constraints.Miners) > maxCandidates {
		return nil, errCandidates
	}
	req, err := r.Request()
	if err != nil {
		return nil, apierr.New(apierr.Invalid, "%v", err)
	}
	req.Tools, req.ResponseFormat = x.Tools, x.ResponseFormat
	return req, sound(req)
}

// aroundContainer is the time that a container's job has beside the program's,
// to wait, start and hand in its files.
const aroundContainer = 2 * time.Minute

// containerTTL is the time of a job that runs for so many seconds, if its client
// names none; 0 for the usual one.
func (s *Service) containerTTL(seconds uint64) uint64 {
	around := uint64(aroundContainer / time.Second)
	if seconds+around <= uint64(defaultTTL/time.Second) {
		return 0
	}
	return min(seconds+around, uint64(s.longest()/time.Second))
}

var (
	errEmbedding  = apierr.New(apierr.Invalid, "an embedding has no max_tokens, sampling, stop, grammar or logprobs")
	errCandidates = apierr.New(apierr.Invalid, "more than %d candidate miners", maxCandidates)
)

// sound returns nil if a miner can be sent the request.
func sound(r *api.Request) error {
	bad := func(format string, a ...any) error { return apierr.New(apierr.Invalid, format, a...) }
	switch {
	case r.Model == "" || len(r.Model) > 200:
		return bad("model is required (GET /v1/models lists what is on offer)")
	case given(r.Prompt != "", len(r.Messages) > 0, len(r.Input) > 0, r.Container != nil) != 1:
		return bad("give one of prompt, messages, input and container")
	case r.Container != nil && (r.MaxTokens > 1 || r.Logprobs || len(r.Stop) > 0 || r.TemperatureMilli != 1000 || r.TopPMilli != 1000 || r.TopK != 0 || r.Tools != nil || r.ResponseFormat != nil || r.Grammar != ""):
		return bad("a container has max_seconds, and no max_tokens, sampling, stop, logprobs, tools, format or grammar")
	case len(r.Input) > maxInputs:
		return bad("more than %d texts in input", maxInputs)
	case len(r.Input) > 0 && (r.MaxTokens > 1 || r.Logprobs || len(r.Stop) > 0 || r.TemperatureMilli != 1000 || r.TopPMilli != 1000 || r.TopK != 0 || r.Grammar != ""):
		return errEmbedding
	case r.TemperatureMilli > 2000 || r.TopPMilli > 1000:
		return bad("temperature is from 0 to 2, top_p from 0 to 1")
	case r.TopLogprobs > maxTopLogprobs || r.TopLogprobs > 0 && !r.Logprobs:
		return bad("top_logprobs is at most %d, and needs logprobs", maxTopLogprobs)
	case r.Grammar != "" && (r.Tools != nil || r.ResponseFormat != nil):
		return bad("grammar does not go together with tools or response_format: give one of them")
	case len(r.Messages) > 1000:
		return bad("more than 1000 messages")
	case r.MaxTokens > 1<<20:
		return bad("max_tokens is above %d", 1<<20)
	case r.MaxSeconds > maxMaxSeconds:
		return bad("max_seconds is above %d", maxMaxSeconds)
	case len(r.Stop) > maxStops:
		return bad("more than %d stop strings", maxStops)
	}
	if r.Container != nil {
		if err := r.Container.Check(); err != nil {
			return bad("%v", err)
		}
	}
	if r.Grammar != "" {
		if _, err := gbnf.Compile(r.Grammar); err != nil {
			return bad("%v", err)
		}
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
		return apierr.New(apierr.TooLarge, "the prompt has %d bytes; at most %d are taken", size, MaxPromptBytes)
	}
	for i, stop := range r.Stop {
		if stop == "" || len(stop) > maxStopBytes {
			return bad("stop[%d] is empty or longer than %d bytes", i, maxStopBytes)
		}
	}
	return nil
}

func given(of ...bool) (n int) {
	for _, is := range of {
		if is {
			n++
		}
	}
	return n
}

func errOver(session uint64) error {
	return apierr.New(apierr.Insufficient, "session %d is closed or closing: open a new one (aitbc session renew)", session)
}

// longest is how far from now an order's deadline may be: the close window must
// leave time to settle it.
func (s *Service) longest() time.Duration {
	return min(s.params.MaxOrderDuration, s.params.CloseWindow-s.params.Margin)
}

// deadline returns by when the job must be done. It ends well before the
// client, acting alone, could close the session.
func (s *Service) deadline(now time.Time, x ledger.Session, ttlSeconds uint64) (time.Time, error) {
	if x.State != ledger.SessionOpen {
		return time.Time{}, errOver(x.ID)
	}
	if ttlSeconds > 1<<31 {
		return time.Time{}, apierr.New(apierr.Invalid, "ttl_seconds is too large")
	}
	ttl := cmp.Or(time.Duration(ttlSeconds)*time.Second, defaultTTL)
	longest := s.longest()
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
			return time.Time{}, apierr.New(apierr.Insufficient, "session %d ends too soon for this job: open a new one (aitbc session renew)", x.ID)
		}
		d = end
	}
	return d.Truncate(time.Second), nil
}
