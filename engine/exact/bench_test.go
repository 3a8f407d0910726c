package exact_test

import (
	"slices"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
)

// BenchmarkDecode measures answers of the embedded model on one thread.
func BenchmarkDecode(b *testing.B) {
	m := embedded(b, 1)
	req := engine.Request{Prompt: "Once upon a time", TemperatureMilli: 800, MaxTokens: 100}
	tokens := uint64(0)
	for b.Loop() {
		req.Seed++
		tokens += generate(b, m, req).CompletionTokens
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}

// BenchmarkPrefill measures how fast a long prompt is read on one thread.
func BenchmarkPrefill(b *testing.B) {
	m := embedded(b, 1)
	prompt := slices.Repeat([]uint32{1, 300, 400, 500}, 100)
	for b.Loop() {
		if _, err := m.Replay().Read(b.Context(), prompt); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(prompt))/b.Elapsed().Seconds(), "tokens/s")
}

// BenchmarkLoad measures how long a fresh miner waits for its model.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := exact.Embedded(exact.Config{}); err != nil {
			b.Fatal(err)
		}
	}
}
