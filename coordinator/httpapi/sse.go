package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// keepAlive is how often a silent stream sends a comment, for proxies that cut
// idle connections.
const keepAlive = 15 * time.Second

// sse writes server-sent events.
type sse struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	flush *http.ResponseController
	idle  *time.Timer
	// more says that the next event comes at once: both go out together.
	more bool
}

func newSSE(w http.ResponseWriter) *sse {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s := &sse{w: w, flush: http.NewResponseController(w)}
	s.idle = time.AfterFunc(keepAlive, s.comment)
	return s
}

func (s *sse) comment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle == nil {
		return
	}
	if _, err := fmt.Fprint(s.w, ": keep-alive\n\n"); err == nil && s.flush.Flush() == nil {
		s.idle.Reset(keepAlive)
	}
}

// begin shows the reader that it is answered, before there is an event.
func (s *sse) begin() { _ = s.flush.Flush() } // the reader may be gone: the first event tells

// close ends the keep-alive. It must be called before the handler returns.
func (s *sse) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle.Stop()
	s.idle = nil
}

// send writes one event; name and id may be empty.
func (s *sse) send(name, id string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return s.raw(name, id, b)
}

func (s *sse) raw(name, id string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	buf := make([]byte, 0, len(data)+64)
	if name != "" {
		buf = fmt.Appendf(buf, "event: %s\n", name)
	}
	if id != "" {
		buf = fmt.Appendf(buf, "id: %s\n", id)
	}
	buf = append(append(append(buf, "data: "...), data...), "\n\n"...)
	if _, err := s.w.Write(buf); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	s.idle.Reset(keepAlive)
	return s.bring()
}

// bring brings out what was written, unless more comes at once.
func (s *sse) bring() error {
	if s.more {
		return nil
	}
	return s.flush.Flush()
}
