package stream

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// client is one connection. The hub fills and closes its queue, write empties it, read only watches for the end.
type client struct {
	conn   *websocket.Conn
	queue  chan []byte
	topics []Topic
}

func parseTopics(s string) ([]Topic, error) {
	var out []Topic
	for name := range strings.SplitSeq(s, ",") {
		switch t := Topic(strings.TrimSpace(name)); t {
		case "":
		case Blocks, Transactions:
			out = append(out, t)
		default:
			return nil, fmt.Errorf("topic %q is none of block, tx", string(t))
		}
	}
	return out, nil
}

func (c *client) wants(t Topic) bool { return len(c.topics) == 0 || slices.Contains(c.topics, t) }

// push queues a message; false means that the client is too far behind.
func (c *client) push(raw []byte) bool {
	select {
	case c.queue <- raw:
		return true
	default:
		return false
	}
}

// write sends what is queued until the queue is closed or the connection fails; it closes the connection.
func (c *client) write() {
	defer c.conn.Close() //nolint:errcheck // nothing is left to say to it
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case raw, ok := <-c.queue:
			if !ok {
				_ = c.conn.WriteControl(websocket.CloseMessage,
					websocket.FormatCloseMessage(websocket.ClosePolicyViolation, "too slow, or the node is stopping"), deadline(writeTimeout))
				return
			}
			if c.conn.SetWriteDeadline(deadline(writeTimeout)) != nil || c.conn.WriteMessage(websocket.TextMessage, raw) != nil {
				return
			}
		case <-ping.C:
			if c.conn.WriteControl(websocket.PingMessage, nil, deadline(writeTimeout)) != nil {
				return
			}
		}
	}
}

// read answers pings and notices the end of the connection; what clients say is ignored.
func (c *client) read() {
	c.conn.SetReadLimit(maxIncoming)
	alive := func(string) error { return c.conn.SetReadDeadline(deadline(pongTimeout)) }
	c.conn.SetPongHandler(alive)
	if alive("") != nil {
		return
	}
	for {
		if _, _, err := c.conn.ReadMessage(); err != nil {
			return
		}
	}
}

func deadline(in time.Duration) time.Time {
	return time.Now().Add(in) //nolint:forbidigo // a network deadline, outside block execution
}
