package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/aitbc/aitbc/engine"
)

var _ engine.Embedder = (*Model)(nil)

// Embed implements [engine.Embedder] by the server's /embeddings.
func (m *Model) Embed(ctx context.Context, texts []string) (vectors [][]float32, tokens uint64, err error) {
	if len(texts) == 0 {
		return nil, 0, fmt.Errorf("%w: no texts", engine.ErrBadRequest)
	}
	if err := m.same(ctx, time.Now()); err != nil {
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		return nil, 0, err
	}
	body, err := json.Marshal(map[string]any{"model": m.info.Name, "input": texts, "encoding_format": "float"})
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", engine.ErrBadRequest, err)
	}
	call, cancel := context.WithTimeout(ctx, m.server.cfg.FirstWait)
	defer cancel()
	resp, err := m.server.send(call, http.MethodPost, "/embeddings", body)
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, m.server.cfg.MaxAnswer+1))
	if err != nil || int64(len(raw)) > m.server.cfg.MaxAnswer {
		return nil, 0, fmt.Errorf("%w: the answer was cut off, or has more than %d bytes", engine.ErrUnavailable, m.server.cfg.MaxAnswer)
	}
	var list struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
		Usage struct {
			PromptTokens uint64 `json:"prompt_tokens"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, 0, fmt.Errorf("%w: the model server sent no embeddings: %w", engine.ErrUnavailable, err)
	}
	if len(list.Data) != len(texts) {
		return nil, 0, fmt.Errorf("%w: the model server sent %d embeddings of %d texts", engine.ErrUnavailable, len(list.Data), len(texts))
	}
	vectors = make([][]float32, len(texts))
	for _, d := range list.Data {
		if d.Index < 0 || d.Index >= len(texts) || vectors[d.Index] != nil || len(d.Embedding) == 0 || len(d.Embedding) != len(list.Data[0].Embedding) {
			return nil, 0, fmt.Errorf("%w: the model server sent embeddings that do not fit the texts", engine.ErrUnavailable)
		}
		vectors[d.Index] = unit(d.Embedding)
	}
	return vectors, list.Usage.PromptTokens, nil
}

// unit scales a vector to length 1.
func unit(v []float32) []float32 {
	square := 0.0
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	if square == 0 {
		return v
	}
	length := math.Sqrt(square)
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
	return v
}
