package exact

import (
	"context"
	"fmt"
	"slices"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/likelihood"
	"github.com/aitbc/aitbc/engine/internal/pieces"
	"github.com/aitbc/aitbc/engine/internal/respond"
	"github.com/aitbc/aitbc/engine/internal/sampler"
)

// Generate runs one request; see [engine.Model]. Errors wrap those of package
// engine, or are yield's.
func (m *Model) Generate(ctx context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	prompt, err := m.prompt(req)
	if err != nil {
		return engine.Result{}, err
	}
	room := uint64(m.net.context - len(prompt)) //nolint:gosec // prompt is shorter than the context
	if req.MaxTokens > 0 {
		room = min(room, req.MaxTokens)
	}
	g := generation{
		model: m, room: room, sequence: m.schedule.known.begin(req.Scope, prompt),
		pieces:   pieces.Writer{Stops: req.Stop, Yield: yield, Unspaced: m.vocab.SpacePrefix()},
		logprobs: req.Logprobs, top: int(req.TopLogprobs),
		sampler: sampler.New(sampler.Settings{
			TemperatureMilli: req.TemperatureMilli, TopPMilli: req.TopPMilli, TopK: req.TopK, Seed: req.Seed,
		}),
	}
	if g.asked, err = respond.Of(m.form(req)); err != nil {
		return engine.Result{}, err
	}
	if len(req.Messages) > 0 {
		for _, name := range m.format.Ends() {
			if id, ok := m.vocab.Control(name); ok {
				g.ends = append(g.ends, id)
			}
		}
	}
	reason, err := g.run(ctx, prompt)
	return engine.Result{
		PromptTokens: uint64(len(prompt)), CompletionTokens: g.pieces.Count(), FinishReason: reason,
	}, err
}

// prompt makes the tokens that the model continues.
func (m *Model) prompt(req engine.Request) ([]uint32, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	size := len(req.Prompt)
	for _, msg := range req.Messages {
		size += len(msg.Content)
	}
	// Before any work is done: text this long cannot be few enough tokens.
	if least := m.vocab.LeastTokens(size); least >= m.net.context {
		return nil, fmt.Errorf("%w: at least %d tokens, the context has %d", engine.ErrTooLong, least, m.net.context)
	}
	if _, err := respond.Of(m.form(req)); err != nil {
		return nil, err
	}
	b := newBuilder(m.vocab)
	if req.Prompt != "" {
		b.text(req.Prompt)
	} else {
		parts, err := m.format.Parts(req.Messages, req.Tools)
		if err != nil {
			return nil, err
		}
		b.add(parts)
	}
	if len(b.ids) == 0 {
		return nil, fmt.Errorf("%w: the prompt has no tokens", engine.ErrBadRequest)
	}
	if len(b.ids) >= m.net.context {
		return nil, fmt.Errorf("%w: %d tokens, the context has %d", engine.ErrTooLong, len(b.ids), m.net.context)
	}
	return b.ids, nil
}

// form is what an answer is kept to.
func (m *Model) form(req engine.Request) respond.Form {
	return respond.Form{ResponseFormat: req.ResponseFormat, Grammar: req.Grammar, Unspaced: m.vocab.SpacePrefix()}
}

// generation is one request under way.
type generation struct {
	model    *Model
	sequence *sequence
	sampler  *sampler.Sampler
	pieces   pieces.Writer
	room     uint64
	ends     []uint32
	asked    *respond.Constraint // nil for plain text

	logprobs bool
	top      int
}

// isEnd says whether a token ends the answer.
func (g *generation) isEnd(id uint32) bool {
	return g.model.vocab.IsEnd(id) || slices.Contains(g.ends, id)
}

// run reads the prompt and chooses tokens until there is a reason to end.
func (g *generation) run(ctx context.Context, prompt []uint32) (engine.FinishReason, error) {
	next := prompt[g.sequence.length:]
	defer g.model.schedule.leave(g.sequence)
	for made := uint64(0); ; made++ {
		logits, err := g.model.advance(ctx, g.sequence, next, true)
		if err != nil { // only ctx can end it
			return engine.Canceled, g.pieces.Finish()
		}
		id, ok := g.sampler.Next(logits, g.asked.Allowed(g.model.vocab.Bytes, g.isEnd))
		if err := g.asked.Err(ok); err != nil {
			return "", err
		}
		if !ok {
			return "", fmt.Errorf("%w: it has no next token", ErrModel)
		}
		if g.isEnd(id) {
			return engine.Stopped, g.pieces.Finish()
		}
		bytes := g.model.vocab.Bytes(id)
		var likely *engine.Logprob
		if g.logprobs {
			likely = likelihood.Of(logits, id, g.top, g.model.vocab.Bytes)
		}
		stopped, err := g.pieces.Add(id, bytes, likely)
		if err != nil {
			return "", err
		}
		if stopped {
			return engine.Stopped, nil
		}
		if g.asked.Add(bytes) {
			return engine.Stopped, g.pieces.Finish()
		}
		if made+1 >= g.room {
			return engine.Length, g.pieces.Finish()
		}
		next = []uint32{id}
	}
}
