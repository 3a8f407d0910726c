package node_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

func scrape(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(raw)
}

func TestMetricsShowTheNodeAndItsConsensus(t *testing.T) {
	n := create(t)
	n.conf.Listen.Metrics = "127.0.0.1:0"
	n.start(t)
	other := create(t) // figures of two nodes in one process do not meet
	other.conf.Listen.Metrics = "127.0.0.1:0"
	other.start(t)
	client, err := ethclient.Dial("http://" + n.doors.EthHTTP)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.SendTransaction(t.Context(), chaintest.Sign(t, 0, 0, &bob, 1, nil)))
	require.Eventually(t, func() bool {
		return strings.Contains(scrape(t, n.doors.Metrics), "_committed_transactions_total{chain=\""+n.made.CometID+"\"} 1\n")
	}, 2*time.Minute, 50*time.Millisecond)
	require.Error(t, client.SendTransaction(t.Context(), chaintest.Sign(t, 0, 0, &bob, 2, nil)), "the nonce is used")
	text := scrape(t, n.doors.Metrics)
	for _, word := range []string{
		"\naitbc_node_supply_coins ", "\naitbc_node_peers 0\n", "\naitbc_node_validator_power 1", "\naitbc_node_catching_up 0\n",
		`aitbc_node_pool_refusals_total{chain="` + n.made.CometID + `",reason="nonce"} 1`,
		"\naitbc_node_block_build_seconds_count", "\ncometbft_consensus_height{", "\nprocess_resident_memory_bytes ", "\naitbc_node_flushed_blocks ",
	} {
		require.Contains(t, text, word)
	}
	require.Contains(t, scrape(t, other.doors.Metrics), "_committed_transactions_total{chain=\""+other.made.CometID+"\"} 0\n")
}
