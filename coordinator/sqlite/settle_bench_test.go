package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// What the database costs a job that was done: to be written, put into a batch, and settled.
func BenchmarkSettle(b *testing.B) {
	ctx := b.Context()
	s, err := Open(ctx, Options{Path: filepath.Join(b.TempDir(), "c.db")})
	must(b, err)
	defer s.Close() //nolint:errcheck // a benchmark ends here
	must(b, seed(ctx, s))
	const each = 500
	text := strings.Repeat("What is AITBC? ", 40)
	for b.Loop() {
		b.StopTimer()
		for range each {
			j := &ledger.Job{Session: 1, Client: common.Address{9}, Model: "m", State: market.Queued, MaxPrice: market.Units(100), Created: 5, Expires: 900, Request: []byte(`{"prompt":"` + text + `"}`)}
			_, err := s.InsertJob(ctx, j, sign, nil)
			must(b, err)
			_, err = s.Assign(ctx, j.ID, common.Address{1}, "l")
			must(b, err)
			done := result(j, common.Address{1}, "l", 40)
			done.Output = text
			_, err = s.Complete(ctx, done)
			must(b, err)
		}
		b.StartTimer()
		must(b, s.catchUp(ctx))
		batch, err := s.BuildBatch(ctx, ledger.Gathering{Max: 1000}, func(*ledger.Plan) common.Hash { return common.Hash{1} })
		must(b, err)
		if len(batch.Plan.Jobs) != each {
			b.Fatalf("%d jobs in the batch, want %d", len(batch.Plan.Jobs), each)
		}
		must(b, s.BatchMined(ctx, batch.ID, common.Hash{2}, 1, ledger.Paid{Sessions: []uint64{1}}, 6))
		must(b, s.BatchProved(ctx, batch.ID, "{}"))
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*each), "µs/job")
}
