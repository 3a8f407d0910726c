package main

import (
	"context"
	"slices"

	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/llama/native"
)

// A reader reads tokens and knows the logits of what follows. Both engines are one.
type reader interface {
	// reset forgets what was read.
	reset()
	// read reads tokens behind what was read and returns the logits of the next, valid
	// until the next call.
	read(ctx context.Context, tokens []uint32) ([]float32, error)
}

// ours is the exact engine.
type ours struct {
	model  *exact.Model
	replay *exact.Replay
}

func (o *ours) reset() { o.replay = o.model.Replay() }

func (o *ours) read(ctx context.Context, tokens []uint32) ([]float32, error) {
	return o.replay.Read(ctx, tokens)
}

// peer is llama.cpp.
type peer struct {
	lib    *native.Library
	layers int32 // on GPUs; -1 for all
}

// theirs is a model in llama.cpp.
type theirs struct {
	model   *native.Model
	context *native.Context
	length  int
}

func (p *peer) open(path string, context, threads int) (*theirs, error) {
	m, err := p.lib.Load(native.ModelConfig{Path: path, GPULayers: p.layers})
	if err != nil {
		return nil, err
	}
	c, err := m.Context(native.ContextConfig{Length: context, Sequences: 1, Batch: context, Threads: threads})
	if err != nil {
		m.Close()
		return nil, err
	}
	return &theirs{model: m, context: c}, nil
}

func (t *theirs) close() {
	t.context.Close()
	t.model.Close()
}

func (t *theirs) reset() {
	t.context.Forget(0)
	t.length = 0
}

func (t *theirs) read(_ context.Context, tokens []uint32) ([]float32, error) {
	in := make([]native.Input, len(tokens))
	for i, id := range tokens {
		in[i] = native.Input{Token: int32(id), Position: int32(t.length + i), Wants: i == len(tokens)-1} //nolint:gosec // of a vocabulary
	}
	t.length += len(in)
	if err := t.context.Decode(in); err != nil {
		return nil, err
	}
	return t.context.Logits(len(in) - 1)
}

// greedy is the token that follows.
func greedy(logits []float32) uint32 {
	return uint32(slices.Index(logits, slices.Max(logits))) //nolint:gosec // of a vocabulary
}
