package exact

import (
	"math"
	"sync"

	"github.com/aitbc/aitbc/engine/internal/kernel"
)

// chunk is the most tokens that go through the network together. A token's values
// do not depend on who goes with it.
const chunk = 32

// A slot is one token of a step.
type slot struct {
	seq      *sequence
	token    uint32
	position int
}

// room is what a step computes in. One step runs at a time, so a model needs one.
type room struct {
	net *network

	x, normed, q, k, v, mixed, delta *kernel.Batch
	gate, up                         *kernel.Batch
	final, logits                    *kernel.Batch
	sin, cos                         []float32
}

func newRoom(n *network) *room {
	batch := func(width int) *kernel.Batch { return kernel.NewBatch(chunk, width) }
	return &room{
		net: n,
		x:   batch(n.width), normed: batch(n.width), delta: batch(n.width), final: batch(n.width),
		q: batch(n.queryWidth()), mixed: batch(n.queryWidth()), k: batch(n.kvWidth()), v: batch(n.kvWidth()),
		gate: batch(n.hidden), up: batch(n.hidden),
		sin: make([]float32, chunk*n.headWidth/2), cos: make([]float32, chunk*n.headWidth/2),
	}
}

// multiply computes products with the first count vectors of x.
func (r *room) multiply(x *kernel.Batch, count int, products ...kernel.Product) {
	kernel.Multiply(x, count, r.net.threads, products...)
}

// step runs tokens through all blocks. Those of one sequence must stand in order.
func (r *room) step(slots []slot) {
	n, count := r.net, len(slots)
	for i, s := range slots {
		n.embed.Row(r.x.Row(i), int(s.token))
		r.angles(i, s.position)
	}
	for l := range n.blocks {
		b := &n.blocks[l]
		for i := range count {
			kernel.Norm(r.normed.Row(i), r.x.Row(i), b.attnNorm, n.eps)
		}
		r.attend(l, slots)
		r.multiply(r.mixed, count, kernel.Product{Y: r.delta, M: b.attnOutput})
		for i := range count {
			kernel.Add(r.x.Row(i), r.delta.Row(i))
			kernel.Norm(r.normed.Row(i), r.x.Row(i), b.ffnNorm, n.eps)
		}
		r.multiply(r.normed, count, kernel.Product{Y: r.gate, M: b.gate}, kernel.Product{Y: r.up, M: b.up})
		for i := range count {
			kernel.Gate(r.gate.Row(i), r.up.Row(i))
		}
		r.multiply(r.gate, count, kernel.Product{Y: r.delta, M: b.down})
		for i := range count {
			kernel.Add(r.x.Row(i), r.delta.Row(i))
		}
	}
}

// normalise writes the final values of the step's token i to out.
func (r *room) normalise(out []float32, i int) {
	kernel.Norm(out, r.x.Row(i), r.net.outputNorm, r.net.eps)
}

// predict returns the logits of what follows each of the step's tokens that are
// named, valid until the next call.
func (r *room) predict(tokens []int) *kernel.Batch {
	if r.logits == nil || len(r.logits.F) < len(tokens)*r.logits.Width {
		r.logits = kernel.NewBatch(len(tokens), r.net.output.Rows)
	}
	for i, t := range tokens {
		r.normalise(r.final.Row(i), t)
	}
	r.multiply(r.final, len(tokens), kernel.Product{Y: r.logits, M: r.net.output})
	return r.logits
}

// angles sets the rotation of the step's token i.
func (r *room) angles(i, position int) {
	half := len(r.net.frequencies)
	for j, f := range r.net.frequencies {
		sin, cos := kernel.SinCos(float64(float64(position) * f))
		r.sin[i*half+j], r.cos[i*half+j] = float32(sin), float32(cos)
	}
}

// attend mixes the values that each token sees into r.mixed.
func (r *room) attend(layer int, slots []slot) {
	n, b := r.net, &r.net.blocks[layer]
	r.multiply(r.normed, len(slots), kernel.Product{Y: r.q, M: b.q}, kernel.Product{Y: r.k, M: b.k}, kernel.Product{Y: r.v, M: b.v})
	for i, s := range slots {
		q, k, v := r.q.Row(i), r.k.Row(i), r.v.Row(i)
		if b.qBias != nil {
			kernel.Add(q, b.qBias)
			kernel.Add(k, b.kBias)
			kernel.Add(v, b.vBias)
		}
		r.turn(q, b.qNorm, i)
		r.turn(k, b.kNorm, i)
		page, at := s.seq.pages[s.position/pageSize], s.position%pageSize
		for h := range n.kvHeads {
			keys, values := page.head(n, layer, h)
			copy(keys[at*n.headWidth:], k[h*n.headWidth:(h+1)*n.headWidth])
			copy(values[at*n.headWidth:], v[h*n.headWidth:(h+1)*n.headWidth])
		}
	}
	threads, seen := n.threads, 0
	for _, s := range slots {
		seen += s.position + 1
	}
	if seen*n.queryWidth() < 1<<16 { // too little for a second thread
		threads = 1
	}
	kernel.Parallel(threads, len(slots)*n.kvHeads, func(i int) {
		r.mix(layer, slots[i/n.kvHeads], i%n.kvHeads, r.q.Row(i/n.kvHeads), r.mixed.Row(i/n.kvHeads))
	})
}

// turn normalises the heads in x, where the architecture does, and rotates them by
// the position of the step's token i.
func (r *room) turn(x, norm []float32, i int) {
	width := r.net.headWidth
	sin, cos := r.sin[i*width/2:(i+1)*width/2], r.cos[i*width/2:(i+1)*width/2]
	for ; len(x) > 0; x = x[width:] {
		head := x[:width]
		if norm != nil {
			kernel.Norm(head, head, norm, r.net.eps)
		}
		if r.net.halves {
			kernel.RotateHalves(head, sin, cos)
		} else {
			kernel.Rotate(head, sin, cos)
		}
	}
}

var scratch = sync.Pool{New: func() any { return new([]float32) }}

// mix is the attention of the heads of one token that share a head of keys, over the
// token and all before it.
func (r *room) mix(layer int, s slot, shared int, q, out []float32) {
	n, seen := r.net, s.position+1
	scale := 1 / float32(math.Sqrt(float64(n.headWidth)))
	kept := scratch.Get().(*[]float32)
	if cap(*kept) < seen {
		*kept = make([]float32, seen, 2*seen)
	}
	scores := (*kept)[:seen]
	group := n.heads / n.kvHeads
	for head := shared * group; head < (shared+1)*group; head++ {
		q, out := q[head*n.headWidth:(head+1)*n.headWidth], out[head*n.headWidth:(head+1)*n.headWidth]
		for i := 0; i < seen; i += pageSize {
			keys, _ := s.seq.pages[i/pageSize].head(n, layer, shared)
			kernel.Scores(scores[i:min(i+pageSize, seen)], q, keys, scale)
		}
		kernel.Softmax(scores)
		clear(out)
		for i := 0; i < seen; i += pageSize {
			_, values := s.seq.pages[i/pageSize].head(n, layer, shared)
			kernel.AddWeighted(out, scores[i:min(i+pageSize, seen)], values)
		}
	}
	scratch.Put(kept)
}
