//go:build amd64 && !purego

package kernel

import (
	"sync"

	"golang.org/x/sys/cpu"

	"github.com/aitbc/aitbc/engine/gguf"
)

// fast says that the CPU has what the assembly uses. It computes the same bits as
// the functions in Go; the build tag purego leaves it out.
var fast = cpu.X86.HasAVX2 && cpuid(1)&(1<<29) != 0 // F16C

// vnni says that the CPU can add products of words to a sum at once.
var vnni = cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VNNI

func cpuid(leaf uint32) (c uint32)

//go:noescape
func rowsQ80(y *float32, w *byte, x *int16, xs, sums *float32, blocks, rows int)

//go:noescape
func rowsQ40(y *float32, w *byte, x *int16, xs, sums *float32, blocks, rows int)

//go:noescape
func rowsQ40Pairs(y *float32, w *byte, x *int8, eights *int16, xs *float32, pairs, rows int)

//go:noescape
func rowsQ40VNNI(y *float32, w *byte, x *int8, eights *int32, xs *float32, groups, rows int)

//go:noescape
func lanesQ40(x *int8, eights *int32, pairs int)

//go:noescape
func unpackQ40VNNI(w *byte, scales *float32, src *byte, blocks int)

//go:noescape
func tileQ40VNNI(out *[8]float32, w *byte, ws *float32, x *int8, eights *int32, xs *float32, groups int)

//go:noescape
func rowsQ4K(y *float32, w *byte, x *int8, xs, sums *float32, supers, rows int)

//go:noescape
func rowsQ6K(y *float32, w *byte, x *int8, pairs *int16, xs *float32, supers, rows int)

//go:noescape
func unpackQ80(w *int16, scales *float32, src *byte, blocks int)

//go:noescape
func unpackQ40(w *int16, scales *float32, src *byte, blocks int)

//go:noescape
func unpackQ4K(w *int16, scales, minima *float32, src *byte, supers int)

//go:noescape
func unpackQ6K(w *int16, scales *float32, src *byte, supers int)

//go:noescape
func tileSupers(out *[8]float32, w *int16, ws *float32, x *int16, xs *float32, supers int)

//go:noescape
func tileSupersVNNI(out *[8]float32, w *int16, ws *float32, x *int16, xs *float32, supers int)

//go:noescape
func tileWords(out *[8]float32, w *int16, ws *float32, x *int16, xs *float32, groups int)

//go:noescape
func tileFloats(out *[8]float32, w, x *float32, wstep, xstep, eights int)

//go:noescape
func widenF32(out *float32, in *byte, eights int)

//go:noescape
func widenF16(out *float32, in *byte, eights int)

//go:noescape
func widenBF16(out *float32, in *byte, eights int)

//go:noescape
func fourF32(out *float32, w *byte, x *float32, wstep, eights int)

//go:noescape
func fourF16(out *float32, w *byte, x *float32, wstep, eights int)

//go:noescape
func fourBF16(out *float32, w *byte, x *float32, wstep, eights int)

//go:noescape
func scoreKeys(scores, q, keys *float32, scale float32, eights, count int)

//go:noescape
func addWeighted(out, weights, values *float32, eights, count int)

//go:noescape
func expMinus(x *float32, top float32, inverse *[32]float64, sixteens int) int

//go:noescape
func expDoubles(x *float64, inverse *[32]float64, sixteens int) int

//go:noescape
func gateSixteens(gate, up *float32, inverse *[32]float64, sixteens int) int

//go:noescape
func quantizeBlocks(bytes *int8, words, eights *int16, scales, sums, x *float32, blocks int)

//go:noescape
func quantizeSupers(bytes *int8, words, pairs *int16, scales, sums, x *float32, supers int)

// tile is room for four rows.
type tile struct {
	words          []int16
	bytes          []byte
	scales, minima []float32
	floats         []float32
}

var tiles = sync.Pool{New: func() any { return new(tile) }}

// few is the number of vectors up to which it does not pay to take rows apart.
func (m *Matrix) few() int {
	switch m.kind {
	case gguf.Q4K:
		return 8
	case gguf.Q8_0, gguf.Q4_0, gguf.Q6K:
		return 6
	default:
		return 2
	}
}

// near is the number of bytes that stay close to the processor while several vectors
// meet them.
const near = 16 << 10

func (m *Matrix) mulRowsFast(y, x *Batch, count, from, to int) {
	t := tiles.Get().(*tile)
	defer tiles.Put(t)
	size := 4
	if count <= m.few() {
		size = max(4, near/m.step/4*4)
	}
	for ; from < to; from += size {
		rows := min(size, to-from)
		switch {
		case count > m.few() && m.kind == gguf.Q4_0 && inLanes(m.Cols):
			m.tileLanes(t, y, x, count, from, rows)
		case count > m.few() && m.Grain() != Whole:
			m.tileWords(t, y, x, count, from, rows)
		case count > m.few():
			m.tileFloats(t, y, x, count, from, rows)
		case m.Grain() != Whole:
			for i := range count {
				m.mulVector(&y.F[i*y.Width+from], x, i, from, rows)
			}
		default:
			m.mulFloats(y, x, count, from, from+rows)
		}
	}
}

// mulVector multiplies rows with vector i.
func (m *Matrix) mulVector(y *float32, x *Batch, i, from, rows int) {
	v, w := x.vector(m.Grain(), i), &m.row(from)[0]
	switch m.kind {
	case gguf.Q8_0:
		rowsQ80(y, w, &v.values[0], &v.scales[0], &v.sums[0], m.Cols/Block, rows)
	case gguf.Q4_0:
		if inLanes(m.Cols) {
			rowsQ40VNNI(y, w, &v.bytes[0], &v.eights[0], &v.scales[0], m.Cols/super, rows)
			return
		}
		if m.Cols%(2*Block) == 0 {
			rowsQ40Pairs(y, w, &v.bytes[0], &v.doubles[0], &v.scales[0], m.Cols/(2*Block), rows)
			return
		}
		rowsQ40(y, w, &v.values[0], &v.scales[0], &v.sums[0], m.Cols/Block, rows)
	case gguf.Q4K:
		rowsQ4K(y, w, &v.bytes[0], &v.scales[0], &v.sums[0], m.Cols/super, rows)
	default:
		rowsQ6K(y, w, &v.bytes[0], &v.doubles[0], &v.scales[0], m.Cols/super, rows)
	}
}

// tileWords multiplies up to four rows with all vectors.
func (m *Matrix) tileWords(t *tile, y, x *Batch, count, from, rows int) {
	per := x.padded / Block
	if len(t.words) != 4*x.padded {
		// What lies beyond the columns meets zeros.
		t.words, t.scales, t.minima = make([]int16, 4*x.padded), make([]float32, 4*per), make([]float32, 4*per)
	}
	supers := x.padded / super
	product := tileWords
	if m.Grain() == Coarse {
		product = tileSupers
		if vnni {
			product = tileSupersVNNI
		}
	}
	for r := range rows {
		w, src := &t.words[r*x.padded], &m.row(from + r)[0]
		switch m.kind {
		case gguf.Q8_0:
			unpackQ80(w, &t.scales[r*per], src, m.Cols/Block)
		case gguf.Q4_0:
			unpackQ40(w, &t.scales[r*per], src, m.Cols/Block)
		case gguf.Q4K:
			unpackQ4K(w, &t.scales[r*supers], &t.minima[r*per], src, supers)
		default:
			unpackQ6K(w, &t.scales[r*supers], src, supers)
		}
	}
	var out [8]float32
	for i := 0; i < count; i += 2 {
		v := x.vector(m.Grain(), i)
		product(&out, &t.words[0], &t.scales[0], &v.values[0], &v.scales[0], supers)
		for j := range min(2, count-i) {
			sums := x.vector(m.Grain(), i+j).sums
			for r := range rows {
				value := out[2*r+j]
				if m.kind == gguf.Q4K {
					value -= Dot(t.minima[r*per:(r+1)*per], sums)
				}
				y.F[(i+j)*y.Width+from+r] = value
			}
		}
	}
}

// inLanes reports whether bytes of vectors of that width lie in the order of lanes.
func inLanes(width int) bool { return vnni && width%super == 0 }

// tileLanes is tileWords for Q4_0 as bytes.
func (m *Matrix) tileLanes(t *tile, y, x *Batch, count, from, rows int) {
	per := m.Cols / Block
	if len(t.bytes) != 4*m.Cols {
		t.bytes = make([]byte, 4*m.Cols)
	}
	if len(t.scales) != 4*per {
		t.scales = make([]float32, 4*per)
	}
	for r := range rows {
		unpackQ40VNNI(&t.bytes[r*m.Cols], &t.scales[r*per], &m.row(from + r)[0], per)
	}
	var out [8]float32
	for i := 0; i < count; i += 2 {
		v := x.vector(Fine, i)
		tileQ40VNNI(&out, &t.bytes[0], &t.scales[0], &v.bytes[0], &v.eights[0], &v.scales[0], m.Cols/super)
		for j := range min(2, count-i) {
			for r := range rows {
				y.F[(i+j)*y.Width+from+r] = out[2*r+j]
			}
		}
	}
}

// mulFloats multiplies rows with one vector after another.
func (m *Matrix) mulFloats(y, x *Batch, count, from, to int) {
	four := fourF32
	switch m.kind {
	case gguf.F16:
		four = fourF16
	case gguf.BF16:
		four = fourBF16
	default: // F32
	}
	whole := from + (to-from)/4*4
	for i := range count {
		for r := from; r < whole; r += 4 {
			four(&y.F[i*y.Width+r], &m.row(r)[0], &x.F[i*x.Width], m.step, m.Cols/lanes)
		}
	}
	if whole < to {
		m.mulRowsPlain(y, x, count, whole, to)
	}
}

func (m *Matrix) tileFloats(t *tile, y, x *Batch, count, from, rows int) {
	if len(t.floats) != 4*m.Cols {
		t.floats = make([]float32, 4*m.Cols)
	}
	for r := range rows {
		out, src := t.floats[r*m.Cols:(r+1)*m.Cols], m.row(from+r)
		switch m.kind {
		case gguf.F16:
			widenF16(&out[0], &src[0], m.Cols/lanes)
		case gguf.BF16:
			widenBF16(&out[0], &src[0], m.Cols/lanes)
		default:
			widenF32(&out[0], &src[0], m.Cols/lanes)
		}
	}
	var out [8]float32
	for i := 0; i < count; i += 2 {
		pair := min(2, count-i)
		tileFloats(&out, &t.floats[0], &x.F[i*x.Width], 4*m.Cols, (pair-1)*4*x.Width, m.Cols/lanes)
		for j := range pair {
			for r := range rows {
				y.F[(i+j)*y.Width+from+r] = out[2*r+j]
			}
		}
	}
}

func quantizeFast(v vector, x []float32, g Grain) {
	switch {
	case len(x) == 0:
	case g == Coarse:
		quantizeSupers(&v.bytes[0], &v.values[0], &v.doubles[0], &v.scales[0], &v.sums[0], &x[0], len(x)/super)
	default:
		quantizeBlocks(&v.bytes[0], &v.values[0], &v.doubles[0], &v.scales[0], &v.sums[0], &x[0], len(x)/Block)
		if inLanes(len(x)) {
			lanesQ40(&v.bytes[0], &v.eights[0], len(x)/(2*Block))
		}
	}
}

// expFast replaces each x by e^(x-top), sixteen at a time; what it leaves to others
// is from the returned place on.
func expFast(x []float32, top float32) int {
	if len(x) < 16 {
		return 0
	}
	return 16 * expMinus(&x[0], top, &inverse, len(x)/16)
}

func expDoublesFast(x []float64) int {
	if len(x) < 16 {
		return 0
	}
	return 16 * expDoubles(&x[0], &inverse, len(x)/16)
}

func gateFast(gate, up []float32) int {
	if len(gate) < 16 {
		return 0
	}
	return 16 * gateSixteens(&gate[0], &up[0], &inverse, len(gate)/16)
}

func scoresFast(scores, q, keys []float32, scale float32) {
	scoreKeys(&scores[0], &q[0], &keys[0], scale, len(q)/lanes, len(scores))
}

func weightedFast(out, weights, values []float32) {
	addWeighted(&out[0], &weights[0], &values[0], len(out)/lanes, len(weights))
}
