package exact

import (
	"context"
	"fmt"
	"slices"

	"github.com/aitbc/aitbc/engine"
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
type Replay struct{ state *state }

// Replay begins at an empty text.
func (m *Model) Replay() *Replay { return &Replay{state: m.net.newState()} }

// Read reads tokens and returns the logits of the next, for each token of the
// vocabulary. How the tokens are split over calls does not change a bit of them.
func (r *Replay) Read(ctx context.Context, tokens []uint32) ([]float32, error) {
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%w: no tokens", engine.ErrBadRequest)
	}
	for _, id := range tokens {
		if int(id) >= r.state.net.embed.Rows {
			return nil, fmt.Errorf("%w: token %d of %d", engine.ErrBadRequest, id, r.state.net.embed.Rows)
		}
	}
	if n := r.state.length + len(tokens); n > r.state.net.context {
		return nil, fmt.Errorf("%w: %d tokens, the context has %d", engine.ErrTooLong, n, r.state.net.context)
	}
	logits, err := r.state.advance(ctx, tokens)
	return slices.Clone(logits), err
}
