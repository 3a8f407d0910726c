package kernel_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/internal/kernel"
)

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))
}

func TestFunctionsAgreeWithTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		x := r.Float64()*80 - 40
		if got, want := kernel.Exp(x), math.Exp(x); math.Abs(got-want) > 1e-14*want {
			t.Fatalf("Exp(%v) = %v, want %v", x, got, want)
		}
		x = r.Float64()*2e6 + 1e-6
		if got, want := kernel.Log(x), math.Log(x); !near(got, want, 1e-14) {
			t.Fatalf("Log(%v) = %v, want %v", x, got, want)
		}
		x = r.Float64()*2e6 - 1e6
		sin, cos := kernel.SinCos(x)
		if !near(sin, math.Sin(x), 1e-13) || !near(cos, math.Cos(x), 1e-13) {
			t.Fatalf("SinCos(%v) = %v, %v, want %v, %v", x, sin, cos, math.Sin(x), math.Cos(x))
		}
	}
	for _, c := range []struct{ x, want float64 }{{0, 1}, {-1e9, 0}, {1e9, math.Inf(1)}, {math.Inf(-1), 0}} {
		if got := kernel.Exp(c.x); got != c.want {
			t.Errorf("Exp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
	if kernel.Log(1) != 0 {
		t.Error("Log(1) is not 0")
	}
}

// tensor makes a random tensor of rows × cols.
func tensor(r *rand.Rand, kind gguf.Type, rows, cols int) gguf.Tensor {
	t := gguf.Tensor{Name: "w", Type: kind, Dims: []uint64{uint64(cols), uint64(rows)}}
	// Scales between 2^-8 and 2^-7 as binary16.
	scale := func() { t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(7<<10|r.IntN(1024))) }
	random := func(n int) {
		for range n {
			t.Data = append(t.Data, byte(r.IntN(256)))
		}
	}
	switch kind {
	case gguf.Q8_0:
		for range rows * cols / gguf.QBlock {
			scale()
			for range gguf.QBlock {
				t.Data = append(t.Data, byte(r.IntN(255)-127))
			}
		}
	case gguf.Q4_0:
		for range rows * cols / 32 {
			scale()
			random(16)
		}
	case gguf.Q4K:
		for range rows * cols / 256 {
			scale()
			scale()
			random(140)
		}
	case gguf.Q6K:
		for range rows * cols / 256 {
			random(208)
			scale()
		}
	case gguf.F16:
		for range rows * cols {
			t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(r.IntN(2)<<15|(8+r.IntN(8))<<10|r.IntN(1024)))
		}
	case gguf.BF16:
		for range rows * cols {
			t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(math.Float32bits(float32(r.NormFloat64()))>>16))
		}
	default:
		for range rows * cols {
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(r.NormFloat64())))
		}
	}
	return t
}

func batch(r *rand.Rand, count, width int) *kernel.Batch {
	b := kernel.NewBatch(count, width)
	for i := range b.F {
		b.F[i] = float32(r.NormFloat64())
	}
	return b
}

func TestProductsDoNotDependOnThreadsOrBatch(t *testing.T) {
	for _, kind := range kinds {
		r := rand.New(rand.NewPCG(3, uint64(kind)))
		const rows, cols, count = 301, 512, 7
		m, err := kernel.NewMatrix(tensor(r, kind, rows, cols), rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		x := batch(r, count, cols)
		one, three := kernel.NewBatch(count, rows), kernel.NewBatch(count, rows)
		m.Mul(one, x, count, 1)
		m.Mul(three, x, count, 3)
		for i := range count {
			single, alone := kernel.NewBatch(1, cols), kernel.NewBatch(1, rows)
			copy(single.F, x.Row(i))
			m.Mul(alone, single, 1, 1)
			for c, v := range alone.F {
				if v != one.Row(i)[c] || v != three.Row(i)[c] {
					t.Fatalf("%s: vector %d, row %d: %v alone, %v in a batch, %v with threads", kind, i, c, v, one.Row(i)[c], three.Row(i)[c])
				}
			}
		}
	}
}

var kinds = []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0, gguf.Q4_0, gguf.Q4K, gguf.Q6K}

func TestProductsAreCloseToTheTruth(t *testing.T) {
	for _, kind := range kinds {
		r := rand.New(rand.NewPCG(5, 6))
		const rows, cols = 64, 256
		m, err := kernel.NewMatrix(tensor(r, kind, rows, cols), rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		x, y := batch(r, 1, cols), kernel.NewBatch(1, rows)
		m.Mul(y, x, 1, 1)
		row := make([]float32, cols)
		for i := range rows {
			m.Row(row, i)
			var want, size float64
			for c := range row {
				want += float64(row[c]) * float64(x.F[c])
				size += math.Abs(float64(row[c]) * float64(x.F[c]))
			}
			if math.Abs(float64(y.F[i])-want) > size/100 || size == 0 {
				t.Errorf("%s, row %d: %v, want about %v", kind, i, y.F[i], want)
			}
		}
	}
}

// goldenProducts is the hash of results that every CPU must give. It was seen with
// amd64 and 386.
const goldenProducts = "a3be1bade255005a71c7bc698b30e41bdae6cefc6a91312bab1fc19c2b0c5030"

func TestResultsAreTheGoldenBits(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	h := sha256.New()
	write := func(x []float32) {
		for _, v := range x {
			_ = binary.Write(h, binary.LittleEndian, math.Float32bits(v))
		}
	}
	for _, kind := range []gguf.Type{gguf.Q8_0, gguf.F16, gguf.F32} {
		m, err := kernel.NewMatrix(tensor(r, kind, 96, 192), 96, 192)
		if err != nil {
			t.Fatal(err)
		}
		y := kernel.NewBatch(5, 96)
		m.Mul(y, batch(r, 5, 192), 5, 1)
		write(y.F)
		kernel.Softmax(y.Row(0))
		kernel.Norm(y.Row(1), y.Row(2), y.Row(3), 1e-5)
		kernel.Gate(y.Row(4), y.Row(3))
		write(y.F)
		sin, cos := make([]float32, 48), make([]float32, 48)
		for i := range sin {
			s, c := kernel.SinCos(1000 * kernel.Exp(kernel.Log(10000)*float64(-i)/48))
			sin[i], cos[i] = float32(s), float32(c)
		}
		kernel.Rotate(y.Row(2), sin, cos)
		write(y.Row(2))
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != goldenProducts {
		t.Errorf("results hash to %s, want %s", got, goldenProducts)
	}
}

func TestBlocksThatCannotBeQuantisedBecomeZero(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	m, err := kernel.NewMatrix(tensor(r, gguf.Q8_0, 4, 32), 4, 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), 1e-45} {
		x, y := kernel.NewBatch(1, 32), kernel.NewBatch(1, 4)
		for i := range x.F {
			x.F[i] = bad
			if bad > 1 || bad != bad {
				x.F[i] = 1
			}
		}
		x.F[9] = bad
		m.Mul(y, x, 1, 1)
		for i, v := range y.F {
			if v != 0 {
				t.Errorf("%v: row %d is %v, want 0", bad, i, v)
			}
		}
	}
}

func TestBadTensorsAreRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	if _, err := kernel.NewMatrix(tensor(r, gguf.F32, 4, 32), 5, 32); err == nil {
		t.Error("a matrix of other extents was taken")
	}
	infinite := tensor(r, gguf.F32, 4, 32)
	binary.LittleEndian.PutUint32(infinite.Data[40:], math.Float32bits(float32(math.Inf(1))))
	scale := tensor(r, gguf.Q8_0, 4, 32)
	binary.LittleEndian.PutUint16(scale.Data[34:], 0x7c00)
	for _, bad := range []gguf.Tensor{infinite, scale} {
		if _, err := kernel.NewMatrix(bad, 4, 32); err == nil {
			t.Errorf("infinite weights of %s were taken", bad.Type)
		}
	}
	q5 := gguf.Tensor{Name: "w", Type: 13, Dims: []uint64{256, 4}, Data: make([]byte, 4*176)}
	if _, err := kernel.NewMatrix(q5, 4, 256); err == nil {
		t.Error("a matrix of q5_k was taken")
	}
	if _, err := kernel.Floats(q5); err == nil {
		t.Error("a vector of q5_k was taken")
	}
}
