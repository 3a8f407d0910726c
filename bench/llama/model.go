package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/aitbc/aitbc/engine/exact"
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

// theirs is a model in llama.cpp.
type theirs struct {
	peer           *peer
	model, context uintptr
	vocabulary     int
}

func (p *peer) open(path string, vocabulary, context, threads int) (*theirs, error) {
	mp := p.modelDefaults()
	t := &theirs{peer: p, vocabulary: vocabulary}
	if t.model = p.loadModel(path, mp); t.model == 0 {
		return nil, fmt.Errorf("llama.cpp cannot load %s", path)
	}
	cp := p.contextDefaults()
	cp.Context, cp.Batch, cp.Threads, cp.ThreadsBatch = uint32(context), uint32(context), int32(threads), int32(threads) //nolint:gosec // small
	if t.context = p.newContext(t.model, cp); t.context == 0 {
		p.freeModel(t.model)
		return nil, errors.New("llama.cpp makes no context")
	}
	return t, nil
}

func (t *theirs) close() {
	t.peer.freeContext(t.context)
	t.peer.freeModel(t.model)
}

func (t *theirs) reset() { t.peer.clear(t.peer.memory(t.context), true) }

func (t *theirs) read(_ context.Context, tokens []uint32) ([]float32, error) {
	ids, wanted := make([]int32, len(tokens)), make([]int8, len(tokens))
	for i, id := range tokens {
		ids[i] = int32(id) //nolint:gosec // of a vocabulary
	}
	wanted[len(wanted)-1] = 1
	if code := t.peer.decode(t.context, tokenBatch{Count: int32(len(ids)), Tokens: &ids[0], Logits: &wanted[0]}); code != 0 { //nolint:gosec // few
		return nil, fmt.Errorf("llama_decode says %d", code)
	}
	return unsafe.Slice(t.peer.logits(t.context, -1), t.vocabulary), nil //nolint:gosec // llama.cpp has one for each token
}

// greedy is the token that follows.
func greedy(logits []float32) uint32 {
	return uint32(slices.Index(logits, slices.Max(logits))) //nolint:gosec // of a vocabulary
}
