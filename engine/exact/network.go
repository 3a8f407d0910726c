package exact

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/aitbc/aitbc/engine/exact/internal/kernel"
	"github.com/aitbc/aitbc/engine/gguf"
)

// network is the weights of a llama model; it does not change.
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
	gate, up, down      *kernel.Matrix
}

func newNetwork(f *gguf.File, p params, tokens, threads int) (*network, error) {
	n := &network{params: p, threads: threads}
	l := loader{file: f}
	n.embed = l.matrix("token_embd.weight", tokens, p.width)
	n.output = n.embed // unless the file has a matrix of its own
	if _, err := f.Tensor("output.weight"); err == nil {
		n.output = l.matrix("output.weight", tokens, p.width)
	}
	n.outputNorm = l.vector("output_norm.weight", p.width)
	for i := range p.layers {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s.weight", i, s) }
		n.blocks = append(n.blocks, block{
			attnNorm:   l.vector(name("attn_norm"), p.width),
			ffnNorm:    l.vector(name("ffn_norm"), p.width),
			q:          l.matrix(name("attn_q"), p.width, p.width),
			k:          l.matrix(name("attn_k"), p.kvWidth(), p.width),
			v:          l.matrix(name("attn_v"), p.kvWidth(), p.width),
			attnOutput: l.matrix(name("attn_output"), p.width, p.width),
			gate:       l.matrix(name("ffn_gate"), p.hidden, p.width),
			up:         l.matrix(name("ffn_up"), p.hidden, p.width),
			down:       l.matrix(name("ffn_down"), p.width, p.hidden),
		})
		if l.err != nil {
			return nil, l.err
		}
	}
	if _, err := f.Tensor("rope_freqs.weight"); err == nil {
		return nil, fmt.Errorf("%w: scaled rotary positions are not supported", ErrModel)
	}
	for i := range p.headWidth / 2 {
		n.frequencies = append(n.frequencies, kernel.Exp(float64(kernel.Log(p.ropeBase)*float64(-2*i))/float64(p.headWidth)))
	}
	return n, l.err
}

// loader takes tensors from a file and remembers the first error.
type loader struct {
	file *gguf.File
	err  error
}

func (l *loader) matrix(name string, rows, cols int) *kernel.Matrix {
	t, err := l.file.Tensor(name)
	if err != nil {
		l.err = errors.Join(l.err, err)
		return nil
	}
	m, err := kernel.NewMatrix(t, rows, cols)
	if err != nil {
		l.err = errors.Join(l.err, fmt.Errorf("%w: %w", ErrModel, err))
	}
	return m
}

func (l *loader) vector(name string, size int) []float32 {
	t, err := l.file.Tensor(name)
	if err != nil {
		l.err = errors.Join(l.err, err)
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

// chunk is the most tokens that go through the network together. A token's values
// do not depend on who goes with it.
const chunk = 32

// state is one request's place in the text: the keys and values of all tokens so
// far, and room to compute in. It belongs to one goroutine.
type state struct {
	net          *network
	length       int
	keys, values [][]float32 // of each layer, kvWidth for each token

	x, normed, q, k, v, mixed, delta *kernel.Batch
	gate, up                         *kernel.Batch
	last, logits                     *kernel.Batch
	scores, sin, cos                 []float32
}

func (n *network) newState() *state {
	wide := func() *kernel.Batch { return kernel.NewBatch(chunk, n.width) }
	return &state{
		net: n, keys: make([][]float32, n.layers), values: make([][]float32, n.layers),
		x: wide(), normed: wide(), q: wide(), mixed: wide(), delta: wide(),
		k: kernel.NewBatch(chunk, n.kvWidth()), v: kernel.NewBatch(chunk, n.kvWidth()),
		gate: kernel.NewBatch(chunk, n.hidden), up: kernel.NewBatch(chunk, n.hidden),
		last: kernel.NewBatch(1, n.width), logits: kernel.NewBatch(1, n.output.Rows),
		sin: make([]float32, chunk*n.headWidth/2), cos: make([]float32, chunk*n.headWidth/2),
	}
}

// advance reads tokens and returns the logits of what follows them, valid until the
// next call. It looks at ctx between chunks and returns its error.
func (s *state) advance(ctx context.Context, tokens []uint32) ([]float32, error) {
	for len(tokens) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(len(tokens), chunk)
		s.read(tokens[:n])
		tokens = tokens[n:]
		if len(tokens) == 0 {
			copy(s.last.F, s.x.Row(n-1))
		}
	}
	kernel.Norm(s.last.F, s.last.F, s.net.outputNorm, s.net.eps)
	s.multiply(s.logits, s.net.output, s.last, 1)
	return s.logits.F, nil
}

// multiply is y = m·x for count vectors.
func (s *state) multiply(y *kernel.Batch, m *kernel.Matrix, x *kernel.Batch, count int) {
	if m.Quantized() {
		x.Quantize(count)
	}
	m.Mul(y, x, count, s.net.threads)
}

// read runs a chunk through all blocks.
func (s *state) read(tokens []uint32) {
	n, count := s.net, len(tokens)
	for i, id := range tokens {
		n.embed.Row(s.x.Row(i), int(id))
		s.angles(i)
	}
	for l := range n.blocks {
		b := &n.blocks[l]
		for i := range count {
			kernel.Norm(s.normed.Row(i), s.x.Row(i), b.attnNorm, n.eps)
		}
		s.attend(l, count)
		s.multiply(s.delta, b.attnOutput, s.mixed, count)
		for i := range count {
			kernel.Add(s.x.Row(i), s.delta.Row(i))
			kernel.Norm(s.normed.Row(i), s.x.Row(i), b.ffnNorm, n.eps)
		}
		s.multiply(s.gate, b.gate, s.normed, count)
		s.multiply(s.up, b.up, s.normed, count)
		for i := range count {
			kernel.Gate(s.gate.Row(i), s.up.Row(i))
		}
		s.multiply(s.delta, b.down, s.gate, count)
		for i := range count {
			kernel.Add(s.x.Row(i), s.delta.Row(i))
		}
	}
	s.length += count
}

// angles sets the rotation of the chunk's token i.
func (s *state) angles(i int) {
	half := len(s.net.frequencies)
	for j, f := range s.net.frequencies {
		sin, cos := kernel.SinCos(float64(float64(s.length+i) * f))
		s.sin[i*half+j], s.cos[i*half+j] = float32(sin), float32(cos)
	}
}

// attend mixes the values of the tokens so far into s.mixed, for each of the
// chunk's tokens.
func (s *state) attend(layer, count int) {
	n, b := s.net, &s.net.blocks[layer]
	s.multiply(s.q, b.q, s.normed, count)
	s.multiply(s.k, b.k, s.normed, count)
	s.multiply(s.v, b.v, s.normed, count)
	half := n.headWidth / 2
	for i := range count {
		sin, cos := s.sin[i*half:(i+1)*half], s.cos[i*half:(i+1)*half]
		for h := range n.heads {
			kernel.Rotate(s.q.Row(i)[h*n.headWidth:(h+1)*n.headWidth], sin, cos)
		}
		for h := range n.kvHeads {
			kernel.Rotate(s.k.Row(i)[h*n.headWidth:(h+1)*n.headWidth], sin, cos)
		}
		s.keys[layer] = append(s.keys[layer], s.k.Row(i)...)
		s.values[layer] = append(s.values[layer], s.v.Row(i)...)
	}
	scale := 1 / float32(math.Sqrt(float64(n.headWidth)))
	for i := range count {
		for h := range n.heads {
			s.mix(layer, h, s.length+i+1, scale, s.q.Row(i), s.mixed.Row(i))
		}
	}
}

// mix is the attention of one head of one token over the first seen tokens.
func (s *state) mix(layer, head, seen int, scale float32, q, out []float32) {
	n := s.net
	own := head * n.headWidth
	shared := head / (n.heads / n.kvHeads) * n.headWidth
	q, out = q[own:own+n.headWidth], out[own:own+n.headWidth]
	if cap(s.scores) < seen {
		s.scores = make([]float32, seen, 2*seen)
	}
	scores := s.scores[:seen]
	keys, values, step := s.keys[layer], s.values[layer], n.kvWidth()
	for t := range scores {
		at := t*step + shared
		scores[t] = float32(kernel.Dot(q, keys[at:at+n.headWidth]) * scale)
	}
	kernel.Softmax(scores)
	clear(out)
	for t, weight := range scores {
		at := t*step + shared
		kernel.AddWeighted(out, []float32{weight}, values[at:at+n.headWidth])
	}
}
