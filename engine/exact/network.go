package exact

import (
	"errors"
	"fmt"

	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/internal/kernel"
)

// network is the weights of a model; it does not change.
type network struct {
	params

	embed, output *kernel.Matrix
	outputNorm    []float32
	blocks        []block
	frequencies   []float64 // of the rotary positions, one for each pair
	threads       int
}

type block struct {
	attnNorm, ffnNorm   []float32
	q, k, v, attnOutput *kernel.Matrix
	qBias, kBias, vBias []float32 // nil for none
	qNorm, kNorm        []float32 // nil for none
	gate, up, down      *kernel.Matrix
}

func newNetwork(f *gguf.File, p params, tokens, threads int) (*network, error) {
	n := &network{params: p, threads: threads}
	l := loader{file: f, used: map[string]bool{}}
	n.embed = l.matrix("token_embd.weight", tokens, p.width)
	n.output = n.embed // unless the file has a matrix of its own
	if _, err := f.Tensor("output.weight"); err == nil {
		n.output = l.matrix("output.weight", tokens, p.width)
	}
	n.outputNorm = l.vector("output_norm.weight", p.width)
	for i := range p.layers {
		n.blocks = append(n.blocks, l.block(p, fmt.Sprintf("blk.%d.", i)))
		if l.err != nil {
			return nil, l.err
		}
	}
	for i := range p.headWidth / 2 {
		n.frequencies = append(n.frequencies, kernel.Exp(float64(kernel.Log(p.ropeBase)*float64(-2*i))/float64(p.headWidth)))
	}
	if _, err := f.Tensor("rope_freqs.weight"); err == nil { // Llama 3.1 stretches its slow positions
		for i, stretch := range l.vector("rope_freqs.weight", p.headWidth/2) {
			if !(stretch > 0) {
				return nil, fmt.Errorf("%w: rope_freqs.weight has %v", ErrModel, stretch)
			}
			n.frequencies[i] /= float64(stretch)
		}
	}
	for _, t := range f.Tensors() {
		if !l.used[t.Name] && l.err == nil {
			l.err = fmt.Errorf("%w: tensor %q has no place in architecture %s", ErrModel, t.Name, p.name)
		}
	}
	return n, l.err
}

// loader takes tensors from a file and remembers the first error.
type loader struct {
	file *gguf.File
	used map[string]bool
	err  error
}

func (l *loader) block(p params, prefix string) block {
	matrix := func(name string, rows, cols int) *kernel.Matrix { return l.matrix(prefix+name+".weight", rows, cols) }
	b := block{
		attnNorm:   l.vector(prefix+"attn_norm.weight", p.width),
		ffnNorm:    l.vector(prefix+"ffn_norm.weight", p.width),
		q:          matrix("attn_q", p.queryWidth(), p.width),
		k:          matrix("attn_k", p.kvWidth(), p.width),
		v:          matrix("attn_v", p.kvWidth(), p.width),
		attnOutput: matrix("attn_output", p.width, p.queryWidth()),
		gate:       matrix("ffn_gate", p.hidden, p.width),
		up:         matrix("ffn_up", p.hidden, p.width),
		down:       matrix("ffn_down", p.width, p.hidden),
	}
	if p.bias {
		b.qBias = l.vector(prefix+"attn_q.bias", p.queryWidth())
		b.kBias = l.vector(prefix+"attn_k.bias", p.kvWidth())
		b.vBias = l.vector(prefix+"attn_v.bias", p.kvWidth())
	}
	if p.headNorm {
		b.qNorm = l.vector(prefix+"attn_q_norm.weight", p.headWidth)
		b.kNorm = l.vector(prefix+"attn_k_norm.weight", p.headWidth)
	}
	return b
}

func (l *loader) tensor(name string) (gguf.Tensor, bool) {
	t, err := l.file.Tensor(name)
	l.err = errors.Join(l.err, err)
	l.used[name] = true
	return t, err == nil
}

func (l *loader) matrix(name string, rows, cols int) *kernel.Matrix {
	t, ok := l.tensor(name)
	if !ok {
		return nil
	}
	m, err := kernel.NewMatrix(t, rows, cols)
	if err != nil {
		l.err = errors.Join(l.err, fmt.Errorf("%w: %w", ErrModel, err))
	}
	return m
}

func (l *loader) vector(name string, size int) []float32 {
	t, ok := l.tensor(name)
	if !ok {
		return nil
	}
	if t.Elements() != uint64(size) { //nolint:gosec // sizes are positive
		l.err = errors.Join(l.err, fmt.Errorf("%w: tensor %q has %d elements, not %d", ErrModel, name, t.Elements(), size))
		return nil
	}
	v, err := kernel.Floats(t)
	if err != nil {
		l.err = errors.Join(l.err, fmt.Errorf("%w: %w", ErrModel, err))
	}
	return v
}
