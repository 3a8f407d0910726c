package llama

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

var _ engine.Embedder = (*Model)(nil)

// Embed implements [engine.Embedder]. A model that is made for embeddings pools the tokens of a
// text as its file says; of any other a text's vector is the mean of the last layer's normalised values
// over its tokens, as in the exact engine. Errors are those of [Model.Generate].
func (m *Model) Embed(ctx context.Context, texts []string) (vectors [][]float32, tokens uint64, err error) {
	if len(texts) == 0 {
		return nil, 0, fmt.Errorf("%w: no texts", engine.ErrBadRequest)
	}
	for i, text := range texts {
		switch {
		case text == "":
			return nil, 0, fmt.Errorf("text %d: %w: it is empty", i, engine.ErrBadRequest)
		case len(text) > wire.MostAsk/8:
			return nil, 0, fmt.Errorf("text %d: %w: %d bytes", i, engine.ErrTooLong, len(text))
		}
	}
	if err := m.same(); err != nil {
		return nil, 0, err
	}
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	p, err := m.program(ctx)
	if err == nil {
		err = p.wait(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case err != nil:
		return nil, 0, err
	}
	for i, text := range texts {
		v, n, err := m.embed(ctx, p, text)
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, tokens, fmt.Errorf("text %d: %w", i, err)
		}
		if i > 0 && len(v) != len(vectors[0]) {
			err := fmt.Errorf("%w: llama.cpp's program: vectors of %d and of %d numbers", engine.ErrUnavailable, len(vectors[0]), len(v))
			p.kill(err)
			return nil, tokens, err
		}
		vectors, tokens = append(vectors, v), tokens+n
	}
	return vectors, tokens, nil
}

// embed asks for one vector.
func (m *Model) embed(ctx context.Context, p *process, text string) (vector []float32, tokens uint64, err error) {
	a := &answer{process: p, silent: m.cfg.SilentFor, embeds: true}
	var c *call
	a.id, c = p.begin()
	defer p.end(a.id)
	if err := p.ask(wire.Ask{ID: a.id, Embed: text}); err != nil {
		return nil, 0, err
	}
	reason, err := a.follow(ctx, c)
	switch {
	case err != nil:
		return nil, 0, err
	case reason == engine.Canceled:
		return nil, 0, context.Cause(ctx)
	case a.vector == nil || a.prompt == 0:
		return nil, 0, a.nonsense("a text without a vector, or without tokens")
	}
	return unit(a.vector), a.prompt, nil
}

// unit scales a vector to length 1; one of zeros stays what it is.
func unit(v []float32) []float32 {
	largest := 0.0 // squares of what the program says may be beyond all numbers
	for _, x := range v {
		largest = max(largest, math.Abs(float64(x)))
	}
	if largest == 0 {
		return v
	}
	square := 0.0
	for _, x := range v {
		square += (float64(x) / largest) * (float64(x) / largest)
	}
	out := slices.Clone(v)
	for i, x := range v {
		out[i] = float32(float64(x) / largest / math.Sqrt(square))
	}
	return out
}
