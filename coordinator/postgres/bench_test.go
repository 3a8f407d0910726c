package postgres_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/postgres"
	"github.com/aitbc/aitbc/internal/pgtest"
	"github.com/aitbc/aitbc/market"
)

// BenchmarkReserve compares one connection that commits in groups with many
// connections that commit one by one, for clients of one session and of many.
func BenchmarkReserve(b *testing.B) {
	const clients = 64
	server := pgtest.Start(b)
	for _, connections := range []int{1, 2, 16, clients} {
		for _, sessions := range []int{1, clients} {
			b.Run(fmt.Sprintf("connections=%d/sessions=%d", connections, sessions), func(b *testing.B) {
				url := server.URL()
				stores := make([]*postgres.Store, connections)
				for i := range stores {
					stores[i] = open(b, url)
					defer func() { _ = stores[i].Close() }()
				}
				for n := range sessions {
					x := ledger.Session{ID: uint64(n + 1), Client: common.Address{1}, Account: market.SessionAccount{Deposit: market.MaxAmount()}, State: ledger.SessionOpen}
					if err := stores[0].PutSession(b.Context(), x); err != nil {
						b.Fatal(err)
					}
				}
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for c := range clients {
					wg.Go(func() {
						for next.Add(1) <= int64(b.N) {
							j := &ledger.Job{Session: uint64(c%sessions + 1), Client: common.Address{1}, Model: "m", MaxPrice: market.Units(1), Request: make([]byte, 300)}
							if _, err := stores[c%connections].InsertJob(b.Context(), j, func(j *ledger.Job) error {
								binary.BigEndian.PutUint64(j.ID[:], j.Session)
								binary.BigEndian.PutUint64(j.ID[8:], j.Number)
								return nil
							}, nil); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			})
		}
	}
}
