package kernel

import "math"

// Block is the number of values that share one scale when quantised.
const Block = 32

// A Batch is a number of vectors of one width, as float32 and as bytes with a scale
// for each block.
type Batch struct {
	Width int
	// F holds the vectors one after another.
	F []float32

	bytes  []int8
	scales []float32
}

// NewBatch returns count zero vectors. Widths that are no multiple of [Block] are
// for float32 matrices only.
func NewBatch(count, width int) *Batch {
	return &Batch{
		Width: width, F: make([]float32, count*width),
		bytes: make([]int8, count*width), scales: make([]float32, count*(width/Block)),
	}
}

// Row returns vector i.
func (b *Batch) Row(i int) []float32 { return b.F[i*b.Width : (i+1)*b.Width] }

// Quantize fills in the bytes of the first count vectors: each block is scaled so
// that its largest magnitude becomes 127; halves round to even. A block with
// values that are not finite becomes zero, as converting those to integers
// differs between CPUs.
func (b *Batch) Quantize(count int) {
	for k := range count * b.Width / Block {
		block := b.F[k*Block : (k+1)*Block]
		out := b.bytes[k*Block : (k+1)*Block]
		var top float32
		for _, v := range block {
			if v < 0 {
				v = -v
			}
			if !(v <= top) { // also true for NaN, which then stays
				top = v
			}
		}
		if !(top > 0 && top <= math.MaxFloat32) {
			clear(out)
			b.scales[k] = 0
			continue
		}
		b.scales[k] = top / 127
		factor := 127 / top
		if factor > math.MaxFloat32 { // a subnormal block
			clear(out)
			b.scales[k] = 0
			continue
		}
		const magic = 3 << 22 // adding it rounds |v| < 2^22 to an integer
		for i, v := range block {
			out[i] = int8(int32(float32(float32(v*factor)+magic) - magic)) //nolint:gosec // the magnitude is at most 127
		}
	}
}
