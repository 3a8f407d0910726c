package kernel

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/aitbc/aitbc/engine/gguf"
)

// A Matrix holds weights row by row, as they are in the file.
type Matrix struct {
	Rows, Cols int

	kind gguf.Type
	data []byte
	step int // bytes of a row
}

// NewMatrix takes the weights of a tensor that must be rows × cols. The matrix
// refers to the tensor's data. Weights that are not finite are refused.
func NewMatrix(t gguf.Tensor, rows, cols int) (*Matrix, error) {
	if len(t.Dims) != 2 || t.Dims[0] != uint64(cols) || t.Dims[1] != uint64(rows) { //nolint:gosec // sizes are positive
		return nil, fmt.Errorf("tensor %q has extents %v, not [%d %d]", t.Name, t.Dims, cols, rows)
	}
	if !computed(t.Type) {
		return nil, fmt.Errorf("tensor %q is %s: computed are f32, f16, bf16, q8_0, q4_0, q4_k and q6_k", t.Name, t.Type)
	}
	m := &Matrix{Rows: rows, Cols: cols, kind: t.Type, data: t.Data, step: len(t.Data) / rows}
	if m.Grain() != Whole {
		return m, checkScales(t)
	}
	widened := make([]float32, cols)
	for r := range rows {
		widen(m.kind, widened, m.row(r))
		for c, v := range widened {
			if !finite(v) {
				return nil, fmt.Errorf("tensor %q: element %d is not finite", t.Name, r*cols+c)
			}
		}
	}
	return m, nil
}

// Grain says how a batch has to be quantised for products.
func (m *Matrix) Grain() Grain { return grain(m.kind) }

// Bytes counts what the weights take.
func (m *Matrix) Bytes() int { return len(m.data) }

func (m *Matrix) row(r int) []byte { return m.data[r*m.step : (r+1)*m.step] }

// Row writes row r as float32 to out.
func (m *Matrix) Row(out []float32, r int) {
	if m.Grain() == Whole {
		widen(m.kind, out, m.row(r))
		return
	}
	w := newRow(m.Grain(), m.Cols)
	w.unpack(m.kind, m.row(r))
	for c := range out {
		out[c] = float32(float32(w.words[c]) * w.scales[c/w.grain.block()])
		if m.kind == gguf.Q4K {
			out[c] -= w.minima[c/Block]
		}
	}
}

// A Product is what [Multiply] computes: Y is M·x for each vector x.
type Product struct {
	Y *Batch
	M *Matrix
}

// minWork is the number of products below which a second thread costs more than it
// saves.
const minWork = 1 << 17

// Multiply computes products with the first count vectors of x, on up to threads
// threads. It quantises x as the matrices need it. Threads take rows of the results
// from each other; no sum is ever split, so the results are the same for any number.
func Multiply(x *Batch, count, threads int, products ...Product) {
	work, parts := 0, make([]int, len(products))
	for i, p := range products {
		x.quantize(p.M.Grain(), count)
		work += p.M.Rows * p.M.Cols * count
		parts[i] = max(1, p.M.Cols*count)
	}
	x.fine.count, x.coarse.count = 0, 0 // the values may change before the next call
	type task struct {
		p        Product
		from, to int
	}
	var tasks []task
	threads = min(threads, max(1, work/minWork))
	for i, p := range products {
		size := p.M.Rows
		if threads > 1 {
			size = max(4, min(p.M.Rows/threads, minWork*4/parts[i])/4*4)
		}
		for from := 0; from < p.M.Rows; from += size {
			tasks = append(tasks, task{p: p, from: from, to: min(from+size, p.M.Rows)})
		}
	}
	Parallel(threads, len(tasks), func(i int) { tasks[i].p.M.mulRows(tasks[i].p.Y, x, count, tasks[i].from, tasks[i].to) })
}

// Parallel calls f for 0 to n-1, on up to threads threads.
func Parallel(threads, n int, f func(i int)) {
	if threads = min(threads, n); threads <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			f(i)
		}
	}
	var wg sync.WaitGroup
	for range threads - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// Mul is [Multiply] for one matrix.
func (m *Matrix) Mul(y, x *Batch, count, threads int) {
	Multiply(x, count, threads, Product{Y: y, M: m})
}

// mulRows computes rows from to to, by SIMD where the CPU and the sizes allow it.
func (m *Matrix) mulRows(y, x *Batch, count, from, to int) {
	if fast && m.Cols%lanes == 0 {
		m.mulRowsFast(y, x, count, from, to)
		return
	}
	m.mulRowsPlain(y, x, count, from, to)
}

// mulRowsPlain says what the results are.
func (m *Matrix) mulRowsPlain(y, x *Batch, count, from, to int) {
	if m.Grain() == Whole {
		widened := make([]float32, m.Cols)
		for r := from; r < to; r++ {
			widen(m.kind, widened, m.row(r))
			for i := range count {
				y.F[i*y.Width+r] = dotPlain(widened, x.Row(i))
			}
		}
		return
	}
	w := newRow(m.Grain(), m.Cols)
	for r := from; r < to; r++ {
		w.unpack(m.kind, m.row(r))
		for i := range count {
			y.F[i*y.Width+r] = w.dot(m.kind == gguf.Q4K, x.vector(w.grain, i))
		}
	}
}
