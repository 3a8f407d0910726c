package node_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// BenchmarkFinality measures the time from broadcasting a transfer to hearing of the final block that holds it, on an
// idle network of one validator: one transfer at a time, with pauses longer than the least gap between blocks.
func BenchmarkFinality(b *testing.B) {
	n := create(b)
	n.conf.BlockTime = config.Duration(time.Second)
	n.start(b)
	ctx := context.Background()
	client, err := ethclient.Dial("ws://" + n.doors.EthWS)
	require.NoError(b, err)
	defer client.Close()
	heads := make(chan *types.Header, 1024)
	sub, err := client.SubscribeNewHead(ctx, heads)
	require.NoError(b, err)
	defer sub.Unsubscribe()
	pause := time.NewTicker(307 * time.Millisecond)
	defer pause.Stop()
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		tx := chaintest.Sign(b, i%chaintest.Accounts, uint64(i/chaintest.Accounts), &bob, 1, nil)
		<-pause.C
		begin := time.Now()
		require.NoError(b, client.SendTransaction(ctx, tx))
		for final := false; !final; {
			h := <-heads
			count, err := client.TransactionCount(ctx, h.Hash())
			require.NoError(b, err)
			final = count > 0
		}
		took = append(took, time.Since(begin))
	}
	b.StopTimer()
	slices.Sort(took)
	quantile := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
	b.ReportMetric(quantile(0.5), "p50-ms")
	b.ReportMetric(quantile(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}
