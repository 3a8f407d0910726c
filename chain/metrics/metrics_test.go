package metrics_test

import (
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/metrics"
)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	return w.Body.String()
}

func TestFiguresOfBlocksAndPartsAreShown(t *testing.T) {
	m := metrics.New("aitbc-9", "v1")
	coins := func(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(1e18)) }
	m.Committed(metrics.Block{Height: 1, Gas: 21_000, Txs: 1, Issued: coins(2), Burned: new(big.Int)})
	m.Committed(metrics.Block{Height: 2, Gas: 42_000, Txs: 2, Issued: coins(4), Burned: coins(1), Failed: []string{"Market.endBlock"}})
	m.Built(3 * time.Millisecond)
	m.Executed(time.Second)
	m.Refused("nonce")
	m.Refused("nonce")
	pending := 5
	m.Watch(metrics.Sources{
		Pool: func() (int, int) { return pending, 6 }, Peers: func() int { return 3 }, Supply: func() *big.Int { return coins(1003) },
		Clients: func() int { return 7 }, Dropped: func() uint64 { return 8 }, CatchUp: func() bool { return true },
		Flushed: func() uint64 { return 1 }, Validate: func() int64 { return 10 }, Free: func() (uint64, bool) { return 11, true },
	})
	pending = 9
	text := scrape(t, m)
	for _, line := range []string{
		`aitbc_node_height_blocks{chain="aitbc-9"} 2`,
		`aitbc_node_disk_free_bytes 11`,
		`aitbc_node_last_block_gas{chain="aitbc-9"} 42000`,
		`aitbc_node_committed_transactions_total{chain="aitbc-9"} 3`,
		`aitbc_node_issued_coins{chain="aitbc-9"} 4`,
		`aitbc_node_burned_coins{chain="aitbc-9"} 1`,
		`aitbc_node_system_call_failures_total{call="Market.endBlock",chain="aitbc-9"} 1`,
		`aitbc_node_pool_refusals_total{chain="aitbc-9",reason="nonce"} 2`,
		`aitbc_node_block_build_seconds_bucket{chain="aitbc-9",le="0.005"} 1`,
		`aitbc_node_block_execution_seconds_sum{chain="aitbc-9"} 1`,
		`aitbc_node_pool_transactions{state="pending"} 9`,
		`aitbc_node_pool_transactions{state="queued"} 6`,
		`aitbc_node_peers 3`, `aitbc_node_supply_coins 1003`, `aitbc_node_stream_clients 7`, `aitbc_node_stream_dropped_total 8`,
		`aitbc_node_catching_up 1`, `aitbc_node_validator_power 10`, `aitbc_node_build_info{chain="aitbc-9",version="v1"} 1`,
	} {
		require.Contains(t, text, "\n"+line+"\n")
	}
	require.Contains(t, text, "go_memstats_")
}

func TestTwoNodesOfOneProcessDoNotShareFigures(t *testing.T) {
	a, b := metrics.New("aitbc-1", "v1"), metrics.New("aitbc-1", "v1")
	a.Refused("nonce")
	require.NotContains(t, scrape(t, b), "pool_refusals_total{")
}
