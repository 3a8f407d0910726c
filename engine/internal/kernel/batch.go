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
	fine, coarse quantised
}

// quantised is vectors with scales and, for each 32 values, their sum times the scale.
type quantised struct {
	vector

	count int // vectors that are as F has them
}

// vector is one quantised vector, or several. SIMD has its words and bytes in the
// orders in which the kernels want them, and sums of neighbours beside.
type vector struct {
	values       []int16 // of a byte's range
	scales, sums []float32
	bytes        []int8
	doubles      []int16
	eights       []int32 // of each four values of fine grain, eight times their sum, taken away
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

// block is how many values share a scale.
func (g Grain) block() int {
	if g == Coarse {
		return super
	}
	return Block
}

func (b *Batch) of(g Grain) *quantised {
	if g == Coarse {
		return &b.coarse
	}
	return &b.fine
}

// vector returns vector i as it is quantised, with its padding.
func (b *Batch) vector(g Grain, i int) vector {
	q, n := b.of(g), b.padded
	v := vector{
		values: q.values[i*n : (i+1)*n], scales: q.scales[i*n/g.block() : (i+1)*n/g.block()],
		sums: q.sums[i*n/Block : (i+1)*n/Block],
	}
	if fast {
		v.bytes, v.doubles = q.bytes[i*n:(i+1)*n], q.doubles[i*n/2:(i+1)*n/2]
		v.eights = q.eights[i*n/4 : (i+1)*n/4]
	}
	return v
}

// quantize quantises the first count vectors in a grain, unless they are. Each block is
// scaled so that its largest magnitude becomes 127; halves round to even. A block with
// values that are not finite becomes zero, as converting those to integers differs
// between CPUs.
func (b *Batch) quantize(g Grain, count int) {
	q := b.of(g)
	if g == Whole || q.count >= count {
		return
	}
	q.count = count
	if n := b.pairs * b.padded; q.values == nil {
		q.values = make([]int16, n)
		q.scales, q.sums = make([]float32, n/g.block()), make([]float32, n/Block)
		if fast {
			q.bytes, q.doubles, q.eights = make([]int8, n), make([]int16, n/2), make([]int32, n/4)
		}
	}
	for i := range count {
		v, x := b.vector(g, i), b.Row(i)[:b.Width/g.block()*g.block()]
		if fast {
			quantizeFast(v, x, g)
		} else {
			quantizePlain(v, x, g)
		}
	}
}

func quantizePlain(v vector, x []float32, g Grain) {
	size := g.block()
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
