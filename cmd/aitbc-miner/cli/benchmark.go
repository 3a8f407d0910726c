package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/miner"
)

// resident returns what this process has in memory, which is mostly the models that run in it; 0 where the system does
// not say.
func resident() uint64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(raw), &size, &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize()) //nolint:gosec // not negative
}

// benchmarkWithin bounds the standard job of one model: a miner starts all the
// same where it takes longer.
const benchmarkWithin = 60 * time.Second

// benchmark measures the models that are on offer, one after another, so that
// offers say how quick they are.
func benchmark(ctx context.Context, offerings []miner.Offering, log *slog.Logger) {
	for i := range offerings {
		m := offerings[i].Model
		if m.Info().Container {
			continue
		}
		within, cancel := context.WithTimeout(ctx, benchmarkWithin)
		b, err := miner.Benchmark(within, m, time.Now())
		cancel()
		if err != nil {
			log.WarnContext(ctx, "a model is offered unmeasured", "model", m.Info().Name, "err", err)
			continue
		}
		if _, own := m.(*exact.Model); own && b.MemoryMB == 0 {
			b.MemoryMB = resident() / 1e6
		}
		offerings[i].Benchmark = b
		log.InfoContext(ctx, "model measured", "model", m.Info().Name, "first_token_ms", b.FirstTokenMS, "tokens_per_second", int(b.TokensPerSecond), "memory_mb", b.MemoryMB)
	}
}
