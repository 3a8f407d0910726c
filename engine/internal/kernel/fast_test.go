//go:build amd64 && !purego

package kernel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/aitbc/aitbc/engine/gguf"
)

// plainly runs f without SIMD.
func plainly(t *testing.T, f func()) {
	t.Helper()
	if !fast {
		t.Skip("this CPU has no AVX2")
	}
	fast = false
	defer func() { fast = true }()
	f()
}

// strange are numbers at the edges of what floats can be.
var strange = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, math.SmallestNonzeroFloat32, -3e-39, 1.1754944e-38, math.MaxFloat32, -math.MaxFloat32,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 699.9, 700.1, -699.9, -700.1, 709.5, -745, 88.7, 103.9, -103.9, 127, 63.5,
}

func floats(r *rand.Rand, n int, spread float64, odd bool) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64() * spread)
		if odd && r.IntN(6) == 0 {
			out[i] = strange[r.IntN(len(strange))]
		}
	}
	return out
}

// same compares bits; of what is no number, only that it is none, as no result of
// the engine shows which one.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s: value %d is %v (%#x) by SIMD, %v (%#x) without", what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

var kinds = []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0, gguf.Q4_0, gguf.Q4K, gguf.Q6K}

// randomTensor has any bits that a file may have: only scales and floats that are
// not finite are avoided.
func randomTensor(r *rand.Rand, kind gguf.Type, rows, cols int) gguf.Tensor {
	t := gguf.Tensor{Name: "w", Type: kind, Dims: []uint64{uint64(cols), uint64(rows)}}
	n := rows * cols
	random := func(n int) {
		for range n {
			t.Data = append(t.Data, byte(r.Uint32()))
		}
	}
	half := func() {
		h := uint16(r.Uint32())
		if h&0x7c00 == 0x7c00 {
			h &= 0x83ff
		}
		t.Data = binary.LittleEndian.AppendUint16(t.Data, h)
	}
	switch kind {
	case gguf.F16:
		for range n {
			half()
		}
	case gguf.BF16:
		for range n {
			t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(math.Float32bits(float32(r.NormFloat64()))>>16))
		}
	case gguf.Q8_0:
		for range n / 32 {
			half()
			random(32)
		}
	case gguf.Q4_0:
		for range n / 32 {
			half()
			random(16)
		}
	case gguf.Q4K:
		for range n / 256 {
			half()
			half()
			random(140)
		}
	case gguf.Q6K:
		for range n / 256 {
			random(208)
			half()
		}
	default:
		for range n {
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(r.NormFloat64())))
		}
	}
	return t
}

func TestProductsBySIMDAreTheSameBits(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, kind := range kinds {
		widths := []int{256, 512, 1280}
		switch kind {
		case gguf.Q8_0, gguf.Q4_0:
			widths = append(widths, 32, 96, 288)
		case gguf.F32, gguf.F16, gguf.BF16:
			widths = append(widths, 8, 40, 7, 33)
		default: // whole superblocks
		}
		for _, cols := range widths {
			for _, rows := range []int{1, 3, 4, 29} {
				m, err := NewMatrix(randomTensor(r, kind, rows, cols), rows, cols)
				if err != nil {
					t.Fatal(err)
				}
				for _, count := range []int{1, 2, 3, 6, 9} {
					x := NewBatch(count, cols)
					copy(x.F, floats(r, count*cols, 1, r.IntN(3) == 0))
					got, want := NewBatch(count, rows), NewBatch(count, rows)
					m.Mul(got, x, count, 1+r.IntN(3))
					plainly(t, func() {
						m.Mul(want, x, count, 1)
					})
					same(t, kind.String(), got.F, want.F)
				}
			}
		}
	}
}

func TestProductsWithoutVNNIAreTheSameBits(t *testing.T) {
	if !vnni {
		t.Skip("this CPU has no VNNI: the other test has shown it")
	}
	vnni = false
	defer func() { vnni = true }()
	TestProductsBySIMDAreTheSameBits(t)
}

func TestFunctionsBySIMDAreTheSameBits(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	both := func(what string, x []float32, f func(x []float32)) {
		t.Helper()
		got, want := append([]float32(nil), x...), append([]float32(nil), x...)
		f(got)
		plainly(t, func() { f(want) })
		same(t, what, got, want)
	}
	for round := range 400 {
		n := 1 + r.IntN(130)
		odd := round%2 == 1
		spread := math.Pow(10, r.Float64()*6-3)
		x, other := floats(r, n, spread, odd), floats(r, n, spread, odd)
		both("exponentials", x, func(x []float32) { exponentials(x, other[0]) })
		doubles := make([]float64, n)
		both("Exps", x, func(x []float32) {
			for i, v := range x {
				doubles[i] = float64(v) * 1.000001
			}
			Exps(doubles)
			for i, v := range doubles { // all bits of both halves
				x[i] = math.Float32frombits(uint32(math.Float64bits(v)>>32) ^ uint32(math.Float64bits(v))>>9)
			}
		})
		both("Softmax", x, Softmax)
		both("Gate", x, func(x []float32) { Gate(x, other) })
		both("Dot", x, func(x []float32) { x[0] = Dot(x, other) })
		width := []int{8, 16, 64, 72, 128, 136, 80, 12}[r.IntN(8)]
		many := floats(r, n*width, spread, odd)
		q := floats(r, width, spread, odd)
		both("Scores", x, func(x []float32) { Scores(x, q, many, 0.125) })
		both("AddWeighted", q, func(out []float32) { AddWeighted(out, x, many) })
		for _, g := range []Grain{Fine, Coarse} {
			b := NewBatch(1, (n+super-1)/super*super)
			copy(b.F, x)
			both("quantize", make([]float32, 3*b.Width), func(out []float32) {
				b.of(g).count = 0
				b.quantize(g, 1)
				v := b.vector(g, 0)
				if g == Coarse && fast { // the words are in another order
					for i, q := range v.bytes[:b.Width] {
						out[i] = float32(q)
					}
				} else {
					for i, q := range v.values {
						out[i] = float32(q)
					}
				}
				copy(out[b.Width:], v.scales)
				copy(out[2*b.Width:], v.sums)
			})
		}
	}
}
