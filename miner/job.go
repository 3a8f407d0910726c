package miner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/openai"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/spool"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/trace"
)

// job is one assignment on its way.
type job struct {
	id         common.Hash
	lease      string
	client     string // for whom an engine may reuse what it computed
	deadline   time.Time
	started    time.Time
	cancel     context.CancelCauseFunc // nil for a job of an earlier run
	pieces     *pieces                 // nil for a job of an earlier run
	span       *trace.Span
	first      time.Time // token, zero before; the engine's until it has ended
	owedBefore market.Amount
	streamed   bool // once already: whoever does it again makes sure that it arrives
	named      bool // in a heartbeat that was answered; guarded by the service's mutex
}

// work checks one assignment, runs it and hands in what came of it, until ctx
// is done.
func (s *Service) work(ctx context.Context, a *api.Assignment) {
	ctx, span := s.cfg.Tracer.Start(trace.With(ctx, trace.Parse(a.Trace)), trace.Consumer, "work", trace.String("aitbc.job", a.JobID.Hex()))
	defer span.End()
	offering, req, answer, err := s.check(ctx, a, time.Now())
	j := &job{id: a.JobID, lease: a.Lease, client: a.Client.Hex(), deadline: deadline(a.Order), started: time.Now(), pieces: newPieces(answer), span: span}
	if err != nil {
		s.fail(ctx, j, err)
		return
	}
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	j.cancel = cancel
	running, stop := context.WithDeadlineCause(running, j.deadline, errDeadline)
	defer stop()
	s.begin(j)
	defer s.end(j)

	// The stream runs beside the engine and ends after it: a cancelled answer
	// is still delivered as far as it goes.
	streaming, stopStream := context.WithDeadlineCause(ctx, j.deadline, errDeadline)
	defer stopStream()
	var side errgroup.Group
	var got api.StreamResponse
	side.Go(func() (err error) { got, err = s.stream(streaming, j); return err })
	done, err := generate(running, offering.Model, req, j)
	j.pieces.end()
	if !offering.Model.Info().Container {
		s.measure(j, done)
	}
	if err = stopReason(running, err); err != nil {
		stopStream()
		_ = side.Wait() // ended by us, or the reason that we have
		s.fail(ctx, j, err)
		return
	}
	r := s.receipt(a, offering, req, j, done, j.pieces.len())
	s.keep(ctx, r)
	if err := side.Wait(); err != nil {
		s.abandon(ctx, j, err)
		return
	}
	// What came after the coordinator stopped listening is not billed.
	if n := int(min(got.Delivered, 1<<40)); got.Canceled && n < j.pieces.len() {
		done.finish = engine.Canceled
		r = s.receipt(a, offering, req, j, done, n)
		s.keep(ctx, r)
	}
	s.deliver(ctx, j, r)
}

// outcome is what an engine made of a request.
type outcome struct {
	started time.Time
	elapsed time.Duration
	usage   market.Usage
	finish  engine.FinishReason
	ran     time.Duration // of a program in a container
}

// generate runs a request on a model for as long as it allows, and collects the
// pieces. An answer that is not whole by then has come to its length. An image
// sees to the time itself: it counts only that of the program.
func generate(ctx context.Context, m engine.Model, req api.Request, j *job) (outcome, error) {
	if req.MaxSeconds == 0 || m.Info().Container {
		return answer(ctx, m, req, j)
	}
	within, stop := context.WithTimeoutCause(ctx, time.Duration(min(req.MaxSeconds, 1<<30))*time.Second, errSeconds)
	defer stop()
	o, err := answer(within, m, req, j)
	switch {
	case ctx.Err() != nil || !errors.Is(context.Cause(within), errSeconds):
	case err != nil || o.finish == engine.Canceled && j.pieces.len() == 0:
		return o, errSeconds
	case o.finish == engine.Canceled:
		o.finish = engine.Length
	}
	return o, err
}

func answer(ctx context.Context, m engine.Model, req api.Request, j *job) (outcome, error) {
	if len(req.Input) > 0 {
		return embed(ctx, m, req, j)
	}
	start := time.Now()
	asked := request(req)
	asked.Scope = j.client
	res, err := m.Generate(ctx, asked, func(t engine.Token) error {
		p := api.Piece{Text: t.Text, Likely: likely(t.Logprob)}
		if t.HasID {
			p.ID = &t.ID
		}
		if err := j.pieces.add(p); err != nil {
			return err
		}
		if j.first.IsZero() {
			j.first = time.Now()
			j.span.Event("first token")
		}
		return nil
	})
	o := outcome{started: start, elapsed: time.Since(start), finish: res.FinishReason, ran: res.Ran}
	o.usage = market.Usage{PromptTokens: res.PromptTokens, CompletionTokens: min(res.CompletionTokens, req.MaxTokens)}
	return o, err
}

// measure notes how quick an answer was.
func (s *Service) measure(j *job, o outcome) {
	if j.first.IsZero() {
		return
	}
	s.stats.firstToken.Observe(j.first.Sub(o.started).Seconds())
	if took := o.elapsed - j.first.Sub(o.started); took > 0 && j.pieces.len() > 1 {
		s.stats.rate.Observe(float64(j.pieces.len()-1) / took.Seconds())
	}
	j.span.Set(trace.Int("aitbc.pieces", int64(j.pieces.len())))
}

// embed turns the texts of a request into vectors, a piece each. They have a
// price by their tokens, and no tokens of an answer.
func embed(ctx context.Context, m engine.Model, req api.Request, j *job) (outcome, error) {
	o := outcome{started: time.Now(), finish: engine.Stopped}
	e, ok := m.(engine.Embedder)
	if !ok {
		return o, fmt.Errorf("%w: it makes no embeddings", engine.ErrUnsupported)
	}
	vectors, tokens, err := e.Embed(ctx, req.Input)
	o.elapsed, o.usage.PromptTokens = time.Since(o.started), tokens
	for _, v := range vectors {
		if err := j.pieces.add(api.Piece{Text: api.EncodeVector(v)}); err != nil {
			return o, err
		}
	}
	return o, err
}

func likely(l *engine.Logprob) *api.Logprob {
	if l == nil {
		return nil
	}
	out := &api.Logprob{Value: l.Value}
	for _, c := range l.Top {
		out.Top = append(out.Top, api.Candidate{Text: c.Text, Value: c.Value})
	}
	return out
}

func request(r api.Request) engine.Request {
	e := engine.Request{
		Prompt: r.Prompt, MaxTokens: r.MaxTokens, TemperatureMilli: r.TemperatureMilli, TopPMilli: r.TopPMilli,
		TopK: r.TopK, Seed: r.Seed, Stop: r.Stop, Tools: r.Tools, ResponseFormat: r.ResponseFormat,
		Grammar: r.Grammar, Logprobs: r.Logprobs, TopLogprobs: r.TopLogprobs,
	}
	for _, m := range r.Messages {
		e.Messages = append(e.Messages, engine.Message(m))
	}
	if c := r.Container; c != nil {
		e.Container = &engine.Container{Command: c.Command, Env: c.Env, Longest: time.Duration(min(r.MaxSeconds, 1<<30)) * time.Second}
		for _, f := range c.Files {
			e.Container.Files = append(e.Container.Files, engine.File(f))
		}
	}
	return e
}

// stopReason turns how a generation ended into why there is no result, or nil
// if there is one. A job that the coordinator cancelled has a result: what was
// delivered is paid for.
func stopReason(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil || errors.Is(cause, errCanceled):
		return err
	default:
		return cause
	}
}

// receipt makes the signed result of a job of which n pieces were delivered.
func (s *Service) receipt(a *api.Assignment, o Offering, req api.Request, j *job, done outcome, n int) spool.Result {
	d, coordinator, _ := s.link.parties()
	info := o.Model.Info()
	if len(req.Input) == 0 && !info.Container && (info.TokenIDs || n < j.pieces.len()) {
		// Pieces are tokens, or the most that we can say of a cut answer.
		done.usage.CompletionTokens = min(uint64(n), req.MaxTokens) //nolint:gosec // a length
	}
	millis := uint64(max(0, done.elapsed.Milliseconds()))
	done.usage.ComputeMillis, done.usage.Items = millis, req.Items()
	if info.Container {
		done.usage.ComputeMillis = min(millis, uint64(max(0, done.ran.Milliseconds())))
	}
	if req.MaxSeconds > 0 { // the last token may have come a little later
		done.usage.ComputeMillis = min(done.usage.ComputeMillis, req.MaxSeconds*1000)
	}
	// What a server puts before the prompt is not its client's.
	done.usage.PromptTokens = min(done.usage.PromptTokens, req.PromptBound())
	price, err := market.Price(o.Rates, done.usage)
	if err != nil || price.Cmp(a.Order.MaxPrice) > 0 {
		price = a.Order.MaxPrice
	}
	started := uint64(done.started.UnixMilli())
	r := receipt.Receipt{
		Version: receipt.Version, Order: a.JobID, Session: a.Order.Session,
		Client: a.Client, Coordinator: coordinator, Miner: s.cfg.Signer.Address(),
		Model: a.Order.Model, Class: receipt.Class(info.Class), Output: j.pieces.commitment(receipt.Salt(a.Salt), n).Root(),
		PromptTokens: done.usage.PromptTokens, CompletionTokens: done.usage.CompletionTokens, ComputeMillis: done.usage.ComputeMillis,
		Items: done.usage.Items, PromptRate: o.Rates.Prompt, CompletionRate: o.Rates.Completion, SecondRate: o.Rates.Second, ItemRate: o.Rates.Item, Price: price,
		TemperatureMilli: req.TemperatureMilli, TopPMilli: req.TopPMilli, TopK: req.TopK, Seed: req.Seed,
		StartedAt: started, FinishedAt: started + millis,
	}
	out := spool.Result{
		Coordinator: coordinator, Job: j.id, Deadline: a.Order.Deadline, OwedBefore: j.owedBefore,
		Request: api.ResultRequest{Lease: j.lease, Receipt: r, FinishReason: string(done.finish)},
	}
	// Rounding may cost a unit: see market.Fee.
	if split, err := market.Divide(market.Amount{}, price, a.FeeBps, a.MarginBps); err == nil {
		if least, err := split.Miner.Sub(market.Units(1)); err == nil {
			out.Earned = least
		}
	}
	sig, err := receipt.Sign(s.cfg.Signer, d, r)
	if err != nil {
		panic(fmt.Sprintf("miner: sign receipt: %v", err)) // a key in memory cannot fail
	}
	out.Request.Signature = sig
	return out
}

// keep stores a result before anybody is told of it.
func (s *Service) keep(ctx context.Context, r spool.Result) {
	if err := s.cfg.Spool.PutResult(r); err != nil {
		s.cfg.Log.ErrorContext(ctx, "result not kept on disk", "job", r.Job, "err", err)
	}
}

// refusedJob is one that is not begun.
func refusedJob(a *api.Assignment) *job {
	return &job{id: a.JobID, lease: a.Lease, deadline: deadline(a.Order), started: time.Now()}
}

func (s *Service) begin(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.owedBefore = s.account.total
	if old := s.jobs[j.id]; old != nil && old.cancel != nil {
		old.cancel(errAgain)
	}
	s.jobs[j.id] = j
	s.cfg.Log.Debug("job started", "job", j.id)
}

func (s *Service) end(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs[j.id] == j {
		delete(s.jobs, j.id)
	}
}

// fail tells the coordinator that a job will not be done, as err says.
func (s *Service) fail(ctx context.Context, j *job, err error) {
	if gone(err) {
		s.stats.count(outcomeLost)
		s.cfg.Log.InfoContext(ctx, "job taken away", "job", j.id, "err", err)
		return
	}
	f := explain(err)
	j.span.Fail(f.code)
	s.stats.fail(f.code)
	s.cfg.Log.WarnContext(ctx, "job failed", "job", j.id, "code", f.code, "reason", f.message, "cause", cause(err))
	// A miner that stops still says so.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), failureWithin)
	defer stop()
	for b := newBackoff(); ; {
		err := s.link.failure(ctx, j.id, api.FailureRequest{Lease: j.lease, Code: f.code, Message: f.message, Retryable: f.retryable})
		if err == nil || final(err) || b.wait(ctx) != nil {
			return // the lease runs out by itself where nobody could be told
		}
	}
}

// cause returns what an operator may read of an error: what a model's server
// says may quote the request, and what a request is refused for too.
func cause(err error) string {
	if e, ok := errors.AsType[*openai.StatusError](err); ok {
		return "status " + strconv.Itoa(e.Status)
	}
	if errors.Is(err, engine.ErrBadRequest) {
		return ""
	}
	return err.Error()
}

// failureWithin bounds how long a failure is reported.
const failureWithin = 15 * time.Second

// explain turns an error into what the coordinator is told. What engines say
// may hold content and stays here.
func explain(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	switch {
	case errors.Is(err, engine.ErrTooLong):
		return refuse("too_long", "the prompt does not fit the model's context")
	case errors.Is(err, engine.ErrBadRequest):
		return refuse("bad_request", "the engine refused the request")
	case errors.Is(err, engine.ErrUnsupported):
		return &refusal{"unsupported", "the model cannot do what the request asks for", true}
	case errors.Is(err, engine.ErrChanged):
		return &refusal{"model_mismatch", "there is another model now than the one on offer", true}
	case errors.Is(err, engine.ErrUnavailable):
		return &refusal{"engine_unavailable", "the model's server cannot be used now", true}
	case errors.Is(err, errDraining):
		return &refusal{"draining", "the miner stops", true}
	case errors.Is(err, errDeadline):
		return refuse("deadline", "the job was not done by its deadline")
	case errors.Is(err, errSeconds):
		return &refusal{"max_seconds", "there was no answer within max_seconds", true}
	case apierr.HasCode(err, apierr.Conflict):
		return &refusal{"diverged", "the answer differs from what another miner delivered", true}
	}
	return &refusal{"engine_error", "the engine failed", true}
}
