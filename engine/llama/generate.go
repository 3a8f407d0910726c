package llama

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/chat"
	"github.com/aitbc/aitbc/engine/internal/pieces"
	"github.com/aitbc/aitbc/engine/internal/respond"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// Generate runs one request; see [engine.Model]. A program that ends, hangs or says what it
// should not gives [engine.ErrUnavailable], and the next request starts another; a file with
// other weights than those on offer [engine.ErrChanged].
func (m *Model) Generate(ctx context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	r, err := m.request(req)
	if err != nil {
		return engine.Result{}, err
	}
	if err := m.same(); err != nil {
		return engine.Result{}, err
	}
	canceled := engine.Result{FinishReason: engine.Canceled}
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return canceled, nil
	}
	p, err := m.program(ctx)
	if err == nil {
		err = p.wait(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return canceled, nil
	case err != nil:
		return engine.Result{}, err
	}
	a := &answer{
		process: p, silent: m.cfg.SilentFor, most: req.MaxTokens,
		pieces: pieces.Writer{Stops: req.Stop, Yield: yield, Unspaced: m.drop},
	}
	var c *call
	a.id, c = p.begin()
	defer p.end(a.id)
	if err := p.ask(wire.Ask{ID: a.id, Begin: r}); err != nil {
		return engine.Result{}, err
	}
	reason, err := a.follow(ctx, c)
	return engine.Result{PromptTokens: a.prompt, CompletionTokens: a.pieces.Count(), FinishReason: reason}, err
}

// request makes what the program is asked.
func (m *Model) request(req engine.Request) (*wire.Request, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if _, err := respond.Of(respond.Form{ResponseFormat: req.ResponseFormat, Grammar: req.Grammar}); err != nil {
		return nil, err
	}
	r := &wire.Request{
		Scope:     req.Scope,
		MaxTokens: req.MaxTokens, TemperatureMilli: req.TemperatureMilli, TopPMilli: req.TopPMilli, TopK: req.TopK, Seed: req.Seed,
		ResponseFormat: req.ResponseFormat, Grammar: req.Grammar, Unspaced: m.drop, Logprobs: req.Logprobs, TopLogprobs: req.TopLogprobs,
	}
	if req.Prompt != "" {
		r.Parts = []chat.Part{{Text: req.Prompt}}
	} else {
		var err error
		if r.Parts, err = m.format.Parts(req.Messages, req.Tools); err != nil {
			return nil, err
		}
		r.Ends = m.format.Ends()
	}
	size := 0
	for _, p := range r.Parts {
		size += len(p.Text)
	}
	if size > wire.MostAsk/8 { // JSON may write six bytes for one
		return nil, fmt.Errorf("%w: a prompt of %d bytes", engine.ErrTooLong, size)
	}
	return r, nil
}

// answer follows a call.
type answer struct {
	process *process
	id      uint64
	silent  time.Duration
	most    uint64 // tokens, 0 for no bound
	pieces  pieces.Writer
	prompt  uint64 // tokens
	came    uint64 // tokens
	owed    int    // tokens taken that the program does not know of

	embeds bool      // a vector is wanted, and no tokens
	vector []float32 // nil until it has come
}

// follow takes replies until the answer is at its end.
func (a *answer) follow(ctx context.Context, c *call) (engine.FinishReason, error) {
	quiet := time.NewTimer(a.silent)
	defer quiet.Stop()
	for {
		if ctx.Err() != nil {
			return a.cancel()
		}
		select {
		case <-ctx.Done():
			return a.cancel()
		case <-c.alive:
		case r := <-c.replies:
			reason, err := a.take(r)
			if reason != "" || err != nil {
				return reason, err
			}
		case <-a.process.ended:
			select {
			case r := <-c.replies: // it came before
				if reason, err := a.take(r); reason != "" || err != nil {
					return reason, err
				}
			default:
				return "", a.process.err()
			}
		case <-quiet.C:
			a.process.kill(fmt.Errorf("%w: llama.cpp's program said nothing for %s", engine.ErrUnavailable, a.silent))
			<-a.process.ended
			return "", a.process.err()
		}
		quiet.Reset(a.silent)
	}
}

// cancel calls the request off, and shows what was held back.
func (a *answer) cancel() (engine.FinishReason, error) {
	_ = a.callOff() // a program that takes nothing was ended
	return engine.Canceled, a.pieces.Finish()
}

func (a *answer) callOff() error { return a.process.ask(wire.Ask{ID: a.id, Cancel: true}) }

// take takes a reply. An answer that is at its end has a reason.
func (a *answer) take(r wire.Reply) (engine.FinishReason, error) {
	if r.Done != nil {
		if err := r.Done.Err(); err != nil {
			return "", err
		}
		if r.Done.Reason == engine.Stopped || r.Done.Reason == engine.Length {
			return r.Done.Reason, a.pieces.Finish()
		}
		return "", a.nonsense("an answer ends for no reason")
	}
	if r.Prompt > 0 {
		a.prompt = r.Prompt
		return "", nil
	}
	if a.embeds {
		if r.Vector == nil || a.vector != nil {
			return "", a.nonsense("it was asked for a vector and says something else")
		}
		a.vector = r.Vector
		return "", nil
	}
	if r.Token == nil {
		return "", a.nonsense("a vector that nobody asked for")
	}
	if a.came++; a.most > 0 && a.came > a.most {
		return "", a.nonsense("an answer is longer than it may be")
	}
	stopped, err := a.pieces.Add(r.Token.ID, r.Token.Bytes, r.Token.Logprob)
	switch {
	case err != nil:
		return "", errors.Join(err, a.callOff())
	case stopped:
		return engine.Stopped, a.callOff()
	}
	if a.owed++; a.owed >= wire.Window/2 {
		a.owed = 0
		return "", a.process.ask(wire.Ask{ID: a.id, More: wire.Window / 2})
	}
	return "", nil
}

// nonsense ends a program that says what cannot be.
func (a *answer) nonsense(what string) error {
	err := fmt.Errorf("%w: llama.cpp's program: %s", engine.ErrUnavailable, what)
	a.process.kill(err)
	return err
}
