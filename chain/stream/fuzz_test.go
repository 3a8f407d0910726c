package stream_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// FuzzClient lets a client say anything: as messages, and as bytes that are no frames. The hub goes on to serve the
// others, and lets go of this one.
func FuzzClient(f *testing.F) {
	hub, url, _ := serve(f)
	res := block(f)
	f.Add(byte(websocket.TextMessage), []byte(`{"topics":["tx"]}`), []byte{}, "block")
	f.Add(byte(websocket.BinaryMessage), make([]byte, 1<<16), []byte{0x88, 0x80}, "tx,block")
	f.Add(byte(websocket.PingMessage), []byte("ping"), []byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "")
	f.Add(byte(0), []byte{}, []byte{0xc1, 0x00}, "none")
	f.Fuzz(func(t *testing.T, kind byte, message, raw []byte, topics string) {
		clients := func(n int) { // a handshake is over before the client is one of them
			require.Eventually(t, func() bool { return hub.Clients() == n }, 2*time.Minute, time.Millisecond)
		}
		good := dial(t, url+"?topics=block")
		clients(1)
		req, err := http.NewRequest(http.MethodGet, url, nil)
		require.NoError(t, err)
		q := req.URL.Query()
		q.Set("topics", topics)
		req.URL.RawQuery = q.Encode()
		if bad, answer, err := websocket.DefaultDialer.Dial(req.URL.String(), nil); err == nil {
			_ = answer.Body.Close()
			clients(2)
			_ = bad.SetWriteDeadline(time.Now().Add(5 * time.Second)) // the hub may have cut it off
			_ = bad.WriteMessage(int(kind), message)
			_, _ = bad.NetConn().Write(raw)
			_ = bad.Close()
		}
		clients(1)
		hub.Publish(res)
		_, got, err := good.ReadMessage()
		require.NoError(t, err)
		require.NotEmpty(t, got)
		require.NoError(t, good.Close())
		clients(0)
	})
}
