package stream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/gorilla/websocket"

	"github.com/aitbc/aitbc/chain/exec"
)

// The bounds. A client may be this many messages behind; there may be this many clients.
const (
	MaxBehind  = 4096
	MaxClients = 1024

	queueBlocks  = 256
	writeTimeout = 5 * time.Second
	pingEvery    = 20 * time.Second
	pongTimeout  = 45 * time.Second
	maxIncoming  = 512
)

// Hub takes blocks from the application and hands them to clients. Run must run for anything to be delivered.
type Hub struct {
	signer types.Signer
	log    *slog.Logger
	blocks chan *exec.Result
	wg     sync.WaitGroup

	dropped atomic.Uint64

	// mu guards clients and closed.
	mu      sync.Mutex
	clients map[*client]struct{}
	closed  bool
}

// New makes a hub for a chain whose transactions are signed as the signer says.
func New(signer types.Signer, log *slog.Logger) *Hub {
	return &Hub{signer: signer, log: log, blocks: make(chan *exec.Result, queueBlocks), clients: map[*client]struct{}{}}
}

// Publish queues a final block. It never blocks: if the queue is full, all clients are dropped, since each would miss
// the block.
func (h *Hub) Publish(res *exec.Result) {
	select {
	case h.blocks <- res:
	default:
		h.dropped.Add(uint64(h.Clients())) //nolint:gosec // a number of connections
		h.log.Warn("block stream cannot keep up; its clients are dropped", "height", res.Block.NumberU64())
		h.dropAll()
	}
}

// Run delivers blocks until ctx ends, then closes every connection and waits for them.
func (h *Hub) Run(ctx context.Context) error {
	defer func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.dropAll()
		h.wg.Wait()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case res := <-h.blocks:
			if h.Clients() == 0 {
				continue
			}
			msgs, err := encode(res, h.signer)
			if err != nil {
				return err
			}
			h.deliver(msgs)
		}
	}
}

// Dropped counts the clients that were too slow.
func (h *Hub) Dropped() uint64 { return h.dropped.Load() }

// Clients is the number of clients that are connected.
func (h *Hub) Clients() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

func (h *Hub) deliver(msgs []message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		for _, m := range msgs {
			if !c.wants(m.topic) {
				continue
			}
			if !c.push(m.raw) {
				delete(h.clients, c)
				close(c.queue)
				h.dropped.Add(1)
				h.log.Info("slow stream client dropped", "client", c.conn.RemoteAddr().String())
				break
			}
		}
	}
}

func (h *Hub) dropAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		delete(h.clients, c)
		close(c.queue)
	}
}

// errFull refuses one client too many.
var errFull = errors.New("too many clients")

func (h *Hub) join(c *client) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.clients) >= MaxClients {
		return errFull
	}
	h.clients[c] = struct{}{}
	h.wg.Go(c.write)
	return nil
}

func (h *Hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.clients[c]; ok {
		delete(h.clients, c)
		close(c.queue)
	}
}

// ServeHTTP accepts a WebSocket client. "?topics=block" or "?topics=tx" asks for one kind only. What is sent is
// public, so pages of any origin may listen.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	topics, err := parseTopics(r.URL.Query().Get("topics"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	c := &client{conn: conn, queue: make(chan []byte, MaxBehind), topics: topics}
	if err := h.join(c); err != nil {
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseTryAgainLater, err.Error()), deadline(writeTimeout))
		_ = conn.Close()
		return
	}
	c.read()
	h.leave(c)
}
