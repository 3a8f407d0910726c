package stream_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/stream"
)

var bob = common.HexToAddress("0xb0b")

// serve runs a hub behind a test server until the test ends.
func serve(t testing.TB) (*stream.Hub, string, func()) {
	t.Helper()
	hub := stream.New(types.LatestSignerForChainID(chaintest.ChainID), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	srv := httptest.NewServer(hub)
	stop := func() {
		cancel()
		require.NoError(t, <-done)
		done <- nil
	}
	t.Cleanup(func() { stop(); srv.Close() })
	return hub, "ws" + strings.TrimPrefix(srv.URL, "http"), stop
}

func dial(t testing.TB, url string) *websocket.Conn {
	t.Helper()
	c, res, err := websocket.DefaultDialer.Dial(url, nil)
	require.NoError(t, err)
	_ = res.Body.Close() // an upgraded connection has none
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	return c
}

// next reads a message.
func next(t *testing.T, c *websocket.Conn, into any) {
	t.Helper()
	_, raw, err := c.ReadMessage()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, into))
}

func block(t testing.TB) *exec.Result {
	t.Helper()
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	return n.Block(n.Send(0, &bob, 7, nil), n.Send(1, &chaintest.Vault, 0, nil))
}

func TestClientsSeeBlocksAndTransactionsInOrder(t *testing.T) {
	hub, url, stop := serve(t)
	res := block(t)
	all, onlyTx, onlyBlock := dial(t, url), dial(t, url+"?topics=tx"), dial(t, url+"?topics=block")
	joined(t, hub, 3)
	hub.Publish(res)
	hub.Publish(res)

	var b stream.Block
	next(t, all, &b)
	require.Equal(t, stream.Blocks, b.Type)
	require.Equal(t, res.Block.Hash(), b.Hash)
	require.Equal(t, uint64(1), b.Height)
	require.Equal(t, 2, b.TxCount)
	require.Len(t, b.System, 1, "logs of system calls are nowhere else")
	require.Equal(t, chaintest.Ender, b.System[0].Address)
	var tx stream.Transaction
	next(t, all, &tx)
	require.Equal(t, stream.Transactions, tx.Type)
	require.Equal(t, chaintest.Address(0), tx.From)
	require.Equal(t, bob, *tx.To)
	require.Equal(t, "7", tx.Value)
	require.True(t, tx.OK)
	next(t, all, &tx)
	require.Equal(t, 1, tx.Index)

	next(t, onlyTx, &tx)
	require.Equal(t, stream.Transactions, tx.Type)
	for range 2 {
		next(t, onlyBlock, &b)
		require.Equal(t, stream.Blocks, b.Type)
	}
	stop()
	for {
		if _, _, err := all.ReadMessage(); err != nil {
			require.True(t, websocket.IsCloseError(err, websocket.ClosePolicyViolation), "%v", err)
			break
		}
	}
}

// joined waits until the hub has n clients.
func joined(t *testing.T, hub *stream.Hub, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return hub.Clients() == n }, 2*time.Minute, time.Millisecond)
}

func TestAClientThatDoesNotReadIsDroppedAndTheOthersStay(t *testing.T) {
	hub, url, _ := serve(t)
	res := block(t)
	dial(t, url) // never read
	good := dial(t, url)
	joined(t, hub, 2)
	for i := 0; hub.Clients() == 2; i++ {
		require.Less(t, i, 100_000, "the slow client is still there")
		hub.Publish(res)
		var m struct{ Type stream.Topic }
		for range 3 {
			next(t, good, &m)
		}
	}
	hub.Publish(res)
	var b stream.Block
	next(t, good, &b)
	require.Equal(t, res.Block.Hash(), b.Hash)
	require.Equal(t, 1, hub.Clients())
}

func TestUnknownTopicsAreRefused(t *testing.T) {
	_, url, _ := serve(t)
	_, res, err := websocket.DefaultDialer.Dial(url+"?topics=blocks", nil)
	require.Error(t, err)
	defer res.Body.Close() //nolint:errcheck // read only
	require.Equal(t, 400, res.StatusCode)
}
