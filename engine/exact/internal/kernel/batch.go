package kernel

import "math"

// Block is the number of values that share one scale when quantised.
const Block = 32

// group is the number of values that SIMD takes at once: quantised vectors are
// padded to it with zeros, which change no sum.
const group = 8 * Block

// A Batch is a number of vectors of one width, as float32 and as words of a byte's
// range with a scale for each block.
type Batch struct {
	Width int
	// F holds the vectors one after another.
	F []float32

	padded int // words of a vector
	words  []int16
	scales []float32
	sums   []float32 // of each block's words, times its scale
}

// NewBatch returns count zero vectors. Widths that are no multiple of [Block] are
// for float32 matrices only.
func NewBatch(count, width int) *Batch {
	padded := (width + group - 1) / group * group
	pairs := (count + 1) / 2 * 2
	return &Batch{
		Width: width, F: make([]float32, count*width), padded: padded,
		words: make([]int16, pairs*padded), scales: make([]float32, pairs*padded/Block), sums: make([]float32, pairs*padded/Block),
	}
}

// Row returns vector i.
func (b *Batch) Row(i int) []float32 { return b.F[i*b.Width : (i+1)*b.Width] }

// quantised returns vector i as words, scales and sums, with their padding.
func (b *Batch) quantised(i int) (words []int16, scales, sums []float32) {
	per := b.padded / Block
	return b.words[i*b.padded : (i+1)*b.padded], b.scales[i*per : (i+1)*per], b.sums[i*per : (i+1)*per]
}

// Quantize fills in the words of the first count vectors: each block is scaled so
// that its largest magnitude becomes 127; halves round to even. A block with
// values that are not finite becomes zero, as converting those to integers
// differs between CPUs.
func (b *Batch) Quantize(count int) {
	for i := range count {
		words, scales, sums := b.quantised(i)
		if fast {
			quantizeFast(words, scales, sums, b.Row(i)[:b.Width/Block*Block])
		} else {
			quantizePlain(words, scales, sums, b.Row(i)[:b.Width/Block*Block])
		}
	}
}

func quantizePlain(words []int16, scales, sums, x []float32) {
	for k := range len(x) / Block {
		block, out := x[k*Block:(k+1)*Block], words[k*Block:(k+1)*Block]
		largest := uint32(0) // magnitudes are ordered as their bits are, and what is not finite comes last
		for _, v := range block {
			largest = max(largest, math.Float32bits(v)&^(1<<31))
		}
		top := math.Float32frombits(largest)
		factor := 127 / top
		if top == 0 || !finite(top) || !finite(factor) { // the last: a subnormal block
			clear(out)
			scales[k], sums[k] = 0, 0
			continue
		}
		const magic = 3 << 22 // adding it rounds |v| < 2^22 to an integer
		sum := int32(0)
		for i, v := range block {
			q := int32(float32(float32(v*factor)+magic) - magic)
			out[i] = int16(q) //nolint:gosec // the magnitude is at most 127
			sum += q
		}
		scales[k] = top / 127
		sums[k] = float32(scales[k] * float32(sum))
	}
}
