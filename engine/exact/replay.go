package exact

import (
	"context"
	"fmt"
	"slices"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/likelihood"
)

// Tokenize returns the tokens of text as it stands: no first token, and nothing in
// it has a special meaning.
func (m *Model) Tokenize(text string) []uint32 { return m.vocab.Encode(text) }

// Text returns what tokens stand for; control tokens stand for nothing.
func (m *Model) Text(tokens []uint32) string {
	var b []byte
	for _, id := range tokens {
		b = append(b, m.vocab.Bytes(id)...)
	}
	return string(b)
}

// Prompt returns the tokens that an answer to the request continues: with the
// tokens of the answer, all that a verifier needs to replay it. Errors are
// Generate's.
func (m *Model) Prompt(req engine.Request) ([]uint32, error) { return m.prompt(req) }

// A Replay reads tokens and shows the logits of what follows. It belongs to one
// goroutine.
type Replay struct {
	model *Model
	seq   *sequence
}

// Replay begins at an empty text.
func (m *Model) Replay() *Replay { return &Replay{model: m, seq: new(sequence)} }

// Read reads tokens and returns the logits of the next, for each token of the
// vocabulary. How the tokens are split over calls does not change a bit of them.
// After an error the replay is of no use.
func (r *Replay) Read(ctx context.Context, tokens []uint32) ([]float32, error) {
	if err := r.model.check(tokens, r.seq.length); err != nil {
		return nil, err
	}
	return r.model.advance(ctx, r.seq, tokens, false)
}

// Score reads tokens as they stand and returns how likely each was after those before
// it, and the top likeliest in its place; of the first, which follows nothing, it says
// nothing. Prompt's tokens and those of an answer, together, show what a model of
// another class would have made of each token. Unlike logits, the numbers may differ in
// their last bits between CPUs.
func (m *Model) Score(ctx context.Context, tokens []uint32, top int) ([]engine.Logprob, error) {
	if err := m.check(tokens, 0); err != nil {
		return nil, err
	}
	if top < 0 || top > engine.MaxTopLogprobs {
		return nil, fmt.Errorf("%w: the likeliest %d, 0 to %d are allowed", engine.ErrBadRequest, top, engine.MaxTopLogprobs)
	}
	scores := make([]engine.Logprob, 0, len(tokens)-1)
	err := m.schedule.run(ctx, &job{seq: new(sequence), tokens: tokens, wants: allLogits, out: func(row []float32) {
		if next := len(scores) + 1; next < len(tokens) {
			scores = append(scores, *likelihood.Of(row, tokens[next], top, m.vocab.Bytes))
		}
	}})
	return scores, err
}

// check says whether tokens can be read behind the first length ones.
func (m *Model) check(tokens []uint32, length int) error {
	if len(tokens) == 0 {
		return fmt.Errorf("%w: no tokens", engine.ErrBadRequest)
	}
	for _, id := range tokens {
		if int(id) >= m.net.embed.Rows {
			return fmt.Errorf("%w: token %d of %d", engine.ErrBadRequest, id, m.net.embed.Rows)
		}
	}
	if n := length + len(tokens); n > m.net.context {
		return fmt.Errorf("%w: %d tokens, the context has %d", engine.ErrTooLong, n, m.net.context)
	}
	return nil
}

// advance reads tokens and returns the logits of what follows. again says that more
// tokens will follow soon.
func (m *Model) advance(ctx context.Context, seq *sequence, tokens []uint32, again bool) ([]float32, error) {
	var logits []float32
	err := m.schedule.run(ctx, &job{seq: seq, tokens: tokens, again: again, out: func(row []float32) { logits = slices.Clone(row) }})
	return logits, err
}
