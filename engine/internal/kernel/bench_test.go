package kernel_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/internal/kernel"
)

// BenchmarkProducts measures one thread: a vector at a time is how answers are
// written, many are how prompts are read.
func BenchmarkProducts(b *testing.B) {
	const rows, cols = 4096, 4096
	for _, kind := range []gguf.Type{gguf.Q8_0, gguf.Q4_0, gguf.Q4K, gguf.Q6K, gguf.F16, gguf.BF16, gguf.F32} {
		m, err := kernel.NewMatrix(tensor(rand.New(rand.NewPCG(13, 14)), kind, rows, cols), rows, cols)
		if err != nil {
			b.Fatal(err)
		}
		for _, count := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", kind, count), func(b *testing.B) {
				x, y := batch(rand.New(rand.NewPCG(15, 16)), count, cols), kernel.NewBatch(count, rows)
				for b.Loop() {
					m.Mul(y, x, count, 1)
				}
				b.ReportMetric(rows*cols*float64(count)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gmac/s")
				b.ReportMetric(float64(m.Bytes())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		}
	}
}
