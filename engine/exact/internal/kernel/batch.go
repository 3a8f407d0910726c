package kernel

import "math"

// Block is the number of values that share one scale in fine grain, and one minimum in
// coarse; super that of those that share one scale in coarse grain. Quantised vectors
// are padded to super with zeros, which change no sum.
const (
	Block = 32
	super = 256
)

// A Batch is a number of vectors of one width.
type Batch struct {
	Width int
	// F holds the vectors one after another.
	F []float32

	padded       int // values of a quantised vector
	pairs        int // vectors, and one more if that is odd
	fine, coarse int // vectors that are quantised
	fines        quantised
	coarses      quantised
	bytes        []int8  // of coarse grain
	doubles      []int16 // 32 times the sums of two neighbours, of coarse grain
}

// quantised is vectors as words of a byte's range, in the order in which the kernels
// want them, with scales and, for each 32 values, their sum times the scale.
type quantised struct {
	words        []int16
	scales, sums []float32
}

// vector is one quantised vector.
type vector struct {
	values       []int16
	scales, sums []float32
}

// NewBatch returns count zero vectors.
func NewBatch(count, width int) *Batch {
	return &Batch{
		Width: width, F: make([]float32, count*width),
		padded: (width + super - 1) / super * super, pairs: (count + 1) / 2 * 2,
	}
}

// Row returns vector i.
func (b *Batch) Row(i int) []float32 { return b.F[i*b.Width : (i+1)*b.Width] }

// of returns what is quantised in a grain, and how many values share a scale.
func (b *Batch) of(g Grain) (q *quantised, block int) {
	if g == Coarse {
		return &b.coarses, super
	}
	return &b.fines, Block
}

// vector returns vector i as it is quantised, with its padding.
func (b *Batch) vector(g Grain, i int) vector {
	q, block := b.of(g)
	per, sums := b.padded/block, b.padded/Block
	return vector{q.words[i*b.padded : (i+1)*b.padded], q.scales[i*per : (i+1)*per], q.sums[i*sums : (i+1)*sums]}
}

// quantize quantises the first count vectors in a grain, unless they are. Each block is
// scaled so that its largest magnitude becomes 127; halves round to even. A block with
// values that are not finite becomes zero, as converting those to integers differs
// between CPUs.
func (b *Batch) quantize(g Grain, count int) {
	done := &b.fine
	switch g {
	case Coarse:
		done = &b.coarse
	case Whole:
		return
	case Fine:
	}
	if *done >= count {
		return
	}
	*done = count
	q, block := b.of(g)
	if q.words == nil {
		q.words = make([]int16, b.pairs*b.padded)
		q.scales, q.sums = make([]float32, b.pairs*b.padded/block), make([]float32, b.pairs*b.padded/Block)
		if g == Coarse {
			b.bytes, b.doubles = make([]int8, b.pairs*b.padded), make([]int16, b.pairs*b.padded/2)
		}
	}
	for i := range count {
		v, x := b.vector(g, i), b.Row(i)[:b.Width/block*block]
		switch {
		case !fast:
			quantizePlain(v, x, block)
		case g == Coarse:
			b.quantizeCoarseFast(v, x, i)
		default:
			quantizeFast(v, x)
		}
	}
}

func quantizePlain(v vector, x []float32, size int) {
	for k := range len(x) / size {
		block, out := x[k*size:(k+1)*size], v.values[k*size:(k+1)*size]
		sums := v.sums[k*size/Block : (k+1)*size/Block]
		largest := uint32(0) // magnitudes are ordered as their bits are, and what is not finite comes last
		for _, v := range block {
			largest = max(largest, math.Float32bits(v)&^(1<<31))
		}
		top := math.Float32frombits(largest)
		factor := 127 / top
		if top == 0 || !finite(top) || !finite(factor) { // the last: a subnormal block
			clear(out)
			clear(sums)
			v.scales[k] = 0
			continue
		}
		const magic = 3 << 22 // adding it rounds |v| < 2^22 to an integer
		v.scales[k] = top / 127
		for j := range sums {
			sum := int32(0)
			for i := j * Block; i < (j+1)*Block; i++ {
				q := int32(float32(float32(block[i]*factor)+magic) - magic)
				out[i] = int16(q) //nolint:gosec // the magnitude is at most 127
				sum += q
			}
			sums[j] = float32(v.scales[k] * float32(sum))
		}
	}
}
