package exact

import (
	"context"
	"fmt"
	"math"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/kernel"
)

var _ engine.Embedder = (*Model)(nil)

// Embed implements [engine.Embedder]: a text's vector is the mean of the last layer's normalised values over its tokens,
// scaled to length 1. It is the same to the last bit everywhere, as answers are.
func (m *Model) Embed(ctx context.Context, texts []string) (vectors [][]float32, tokens uint64, err error) {
	if len(texts) == 0 {
		return nil, 0, fmt.Errorf("%w: no texts", engine.ErrBadRequest)
	}
	for i, text := range texts {
		ids, err := m.prompt(engine.Request{Prompt: text})
		if err != nil {
			return nil, tokens, fmt.Errorf("text %d: %w", i, err)
		}
		v, err := m.mean(ctx, ids)
		if err != nil {
			return nil, tokens, err
		}
		vectors, tokens = append(vectors, v), tokens+uint64(len(ids))
	}
	return vectors, tokens, nil
}

// mean reads a text and returns the mean of its tokens' final values, of length 1. Products are rounded before they are
// added, so that no processor fuses the two.
func (m *Model) mean(ctx context.Context, tokens []uint32) ([]float32, error) {
	sum := make([]float32, m.net.width)
	j := job{seq: new(sequence), tokens: tokens, wants: allValues, out: func(row []float32) { kernel.Add(sum, row) }}
	if err := m.schedule.run(ctx, &j); err != nil {
		return nil, err
	}
	square := 0.0
	for _, x := range sum {
		p := float64(x) * float64(x)
		square += float64(p)
	}
	if square == 0 {
		return sum, nil
	}
	length := math.Sqrt(square)
	for i, x := range sum {
		sum[i] = float32(float64(x) / length)
	}
	return sum, nil
}
