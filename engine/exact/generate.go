package exact

import (
	"context"
	"fmt"
	"slices"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact/internal/sampler"
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
		pieces:   pieces{stops: req.Stop, yield: yield, first: m.vocab.SpacePrefix()},
		logprobs: req.Logprobs, top: int(req.TopLogprobs),
		sampler: sampler.New(sampler.Settings{
			TemperatureMilli: req.TemperatureMilli, TopPMilli: req.TopPMilli, TopK: req.TopK, Seed: req.Seed,
		}),
	}
	if g.asked, err = constraintOf(req.ResponseFormat, m.vocab); err != nil {
		return engine.Result{}, err
	}
	if m.format != nil && len(req.Messages) > 0 {
		for _, name := range m.format.ends {
			if id, ok := m.vocab.Control(name); ok {
				g.ends = append(g.ends, id)
			}
		}
	}
	reason, err := g.run(ctx, prompt)
	return engine.Result{
		PromptTokens: uint64(len(prompt)), CompletionTokens: g.pieces.next, FinishReason: reason,
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
	if _, err := constraintOf(req.ResponseFormat, m.vocab); err != nil {
		return nil, err
	}
	b := newBuilder(m.vocab)
	if req.Prompt != "" {
		b.text(req.Prompt)
	} else if err := m.writeChat(b, req); err != nil {
		return nil, err
	}
	if len(b.ids) == 0 {
		return nil, fmt.Errorf("%w: the prompt has no tokens", engine.ErrBadRequest)
	}
	if len(b.ids) >= m.net.context {
		return nil, fmt.Errorf("%w: %d tokens, the context has %d", engine.ErrTooLong, len(b.ids), m.net.context)
	}
	return b.ids, nil
}

func (m *Model) writeChat(b *builder, req engine.Request) error {
	if m.format == nil {
		return fmt.Errorf("%w: the chat template of %s is unknown; use a plain prompt", engine.ErrUnsupported, m.info.Name)
	}
	messages := req.Messages
	if len(req.Tools) > 0 {
		tools, err := readTools(req.Tools)
		if err != nil {
			return err
		}
		if len(tools) > 0 {
			if m.format.tools == nil {
				return fmt.Errorf("%w: %s was not trained on tools", engine.ErrUnsupported, m.info.Name)
			}
			if messages, err = m.format.tools(m.format, tools, messages); err != nil {
				return err
			}
		}
	}
	if err := m.format.check(messages); err != nil {
		return err
	}
	m.format.write(m.format, b, messages)
	return nil
}

// generation is one request under way.
type generation struct {
	model    *Model
	sequence *sequence
	sampler  *sampler.Sampler
	pieces   pieces
	room     uint64
	ends     []uint32
	asked    *constraint // nil for plain text

	logprobs bool
	top      int
}

// run reads the prompt and chooses tokens until there is a reason to end.
func (g *generation) run(ctx context.Context, prompt []uint32) (engine.FinishReason, error) {
	next := prompt[g.sequence.length:]
	defer g.model.schedule.leave(g.sequence)
	for made := uint64(0); ; made++ {
		logits, err := g.model.advance(ctx, g.sequence, next, true)
		if err != nil { // only ctx can end it
			return engine.Canceled, g.pieces.finish()
		}
		id, ok := g.sampler.Next(logits, g.asked.allowed())
		if !ok {
			return "", fmt.Errorf("%w: it has no next token", ErrModel)
		}
		if g.model.vocab.IsEnd(id) || slices.Contains(g.ends, id) {
			return engine.Stopped, g.pieces.finish()
		}
		bytes := g.model.vocab.Bytes(id)
		var likely *engine.Logprob
		if g.logprobs {
			likely = g.model.likelihood(logits, id, g.top)
		}
		stopped, err := g.pieces.add(id, bytes, likely)
		if err != nil {
			return "", err
		}
		if stopped {
			return engine.Stopped, nil
		}
		if g.asked.add(bytes) {
			return engine.Stopped, g.pieces.finish()
		}
		if made+1 >= g.room {
			return engine.Length, g.pieces.finish()
		}
		next = []uint32{id}
	}
}
