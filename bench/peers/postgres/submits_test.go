package postgres_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitbc/aitbc/bench/submits"
	"github.com/aitbc/aitbc/internal/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/aitbc/aitbc/bench/peers/play"
)

func TestMain(m *testing.M) { os.Exit(play.Main(m)) }

// args is a job of about the size of ours.
type args struct {
	Model     string `json:"model"`
	Prompt    string `json:"prompt"`
	MaxTokens int    `json:"max_tokens"`
}

// Kind implements [river.JobArgs].
func (args) Kind() string { return "completion" }

// rate is how many inserts a second River acknowledges, one a transaction.
func rate(b *testing.B, c *river.Client[pgx.Tx], clients int, long time.Duration) float64 {
	b.Helper()
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for time.Since(began) < long {
				if _, err := c.Insert(b.Context(), args{"fixed", "Count to fifteen, please.", 64}, nil); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

func BenchmarkSubmitsBesideRiver(b *testing.B) {
	cfg, err := pgxpool.ParseConfig(pgtest.Start(b).URL())
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = 32
	cfg.ConnConfig.RuntimeParams["search_path"] = "public"
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	driver := riverpgxv5.New(pool)
	migrate, err := rivermigrate.New(driver, nil)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := migrate.Migrate(context.WithoutCancel(b.Context()), rivermigrate.DirectionUp, nil); err != nil {
		b.Fatal(err)
	}
	c, err := river.NewClient(driver, &river.Config{})
	if err != nil {
		b.Fatal(err)
	}
	const long = 2 * time.Second
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			var ours, theirs float64
			for b.Loop() {
				theirs += rate(b, c, clients, long)
				r, err := submits.Rate(b.Context(), b.TempDir(), clients, long)
				if err != nil {
					b.Fatal(err)
				}
				ours += r
			}
			b.ReportMetric(ours/float64(b.N), "ours/s")
			b.ReportMetric(theirs/float64(b.N), "river/s")
			b.ReportMetric(ours/theirs, "ours/river")
		})
	}
}
