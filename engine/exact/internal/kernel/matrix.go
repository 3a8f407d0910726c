package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/aitbc/aitbc/engine/gguf"
)

// A Matrix holds weights row by row, either as bytes with a scale for each block
// or as float32.
type Matrix struct {
	Rows, Cols int

	bytes  []int8
	scales []float32
	floats []float32
}

// NewMatrix takes the weights of a tensor that must be rows × cols. Q8_0 stays
// bytes; F16 and BF16 become float32, exactly. Weights that are not finite are
// refused.
func NewMatrix(t gguf.Tensor, rows, cols int) (*Matrix, error) {
	if len(t.Dims) != 2 || t.Dims[0] != uint64(cols) || t.Dims[1] != uint64(rows) { //nolint:gosec // sizes are positive
		return nil, fmt.Errorf("tensor %q has extents %v, not [%d %d]", t.Name, t.Dims, cols, rows)
	}
	m := &Matrix{Rows: rows, Cols: cols}
	if t.Type != gguf.Q8_0 {
		var err error
		m.floats, err = Floats(t)
		return m, err
	}
	blocks := len(t.Data) / gguf.QBlockBytes
	m.bytes, m.scales = make([]int8, blocks*Block), make([]float32, blocks)
	for k := range blocks {
		raw := t.Data[k*gguf.QBlockBytes : (k+1)*gguf.QBlockBytes]
		m.scales[k] = half(binary.LittleEndian.Uint16(raw))
		if !finite(m.scales[k]) {
			return nil, fmt.Errorf("tensor %q: the scale of block %d is not finite", t.Name, k)
		}
		for i, v := range raw[2:] {
			m.bytes[k*Block+i] = int8(v) //nolint:gosec // the byte is a signed number
		}
	}
	return m, nil
}

// Floats returns the elements of an F32, F16 or BF16 tensor. Weights that are not
// finite are refused.
func Floats(t gguf.Tensor) ([]float32, error) {
	out := make([]float32, t.Elements())
	for i := range out {
		switch t.Type {
		case gguf.F32:
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		case gguf.F16:
			out[i] = half(binary.LittleEndian.Uint16(t.Data[2*i:]))
		case gguf.BF16:
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16)
		default:
			return nil, fmt.Errorf("tensor %q is %s, not f32, f16 or bf16", t.Name, t.Type)
		}
		if !finite(out[i]) {
			return nil, fmt.Errorf("tensor %q: element %d is not finite", t.Name, i)
		}
	}
	return out, nil
}

func finite(v float32) bool { return v-v == 0 }

// half converts IEEE 754 binary16.
func half(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(frac)/(1<<24)))
	case 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// Row writes row i as float32 to out.
func (m *Matrix) Row(out []float32, i int) {
	if m.floats != nil {
		copy(out, m.floats[i*m.Cols:(i+1)*m.Cols])
		return
	}
	for c := range out {
		k := i*m.Cols + c
		out[c] = float32(float32(m.bytes[k]) * m.scales[k/Block])
	}
}

// minWork is the number of products below which a second thread costs more than it
// saves.
const minWork = 1 << 17

// Mul writes the products of the matrix with the first count vectors of x to those
// of y, on up to threads threads. A matrix of bytes needs x quantised.
func (m *Matrix) Mul(y, x *Batch, count, threads int) {
	threads = min(threads, m.Rows, max(1, m.Rows*m.Cols*count/minWork))
	if threads == 1 {
		m.mulRows(y, x, count, 0, m.Rows)
		return
	}
	// Threads split the rows of the result; no sum is ever split.
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() { m.mulRows(y, x, count, m.Rows*i/threads, m.Rows*(i+1)/threads) })
	}
	wg.Wait()
}

func (m *Matrix) mulRows(y, x *Batch, count, from, to int) {
	if m.floats != nil {
		for r := from; r < to; r++ {
			row := m.floats[r*m.Cols : (r+1)*m.Cols]
			for i := range count {
				y.F[i*y.Width+r] = Dot(row, x.Row(i))
			}
		}
		return
	}
	blocks := m.Cols / Block
	for r := from; r < to; r++ {
		bytes := m.bytes[r*m.Cols : (r+1)*m.Cols]
		scales := m.scales[r*blocks : (r+1)*blocks]
		for i := range count {
			y.F[i*y.Width+r] = dotBytes(bytes, scales, x.bytes[i*x.Width:(i+1)*x.Width], x.scales[i*blocks:(i+1)*blocks])
		}
	}
}

// Quantized says whether the weights are bytes, so that Mul needs a quantised batch.
func (m *Matrix) Quantized() bool { return m.floats == nil }
