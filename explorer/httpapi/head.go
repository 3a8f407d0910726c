package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/httpx"
)

// watchersMost is how many may watch the head at a time.
const watchersMost = 512

// hub wakes everybody who watches the head.
type hub struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and made anew with each new head
	watchers int
}

func newHub() *hub { return &hub{changed: make(chan struct{})} }

func (h *hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.changed)
	h.changed = make(chan struct{})
}

// wait returns what is closed at the next head.
func (h *hub) wait() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

func (h *hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == watchersMost {
		return false
	}
	h.watchers++
	return true
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers--
}

func (s *Server) state(ctx context.Context) (Status, error) {
	t, err := s.Index.Totals(ctx)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Next == t.First {
		return Status{Version: s.Version, ChainID: t.ChainID, Genesis: t.Genesis, First: t.First}, nil
	}
	if err != nil {
		return Status{}, err
	}
	last, err := s.Index.Block(ctx, t.Next-1)
	if err != nil {
		return Status{}, err
	}
	out := Status{
		ChainID: t.ChainID, Genesis: t.Genesis, Head: last.Height, First: t.First, Time: last.Time, Txs: t.Txs, Failed: t.Failed,
		Events: t.Events, GasUsed: t.Gas, Burned: t.Burned, Version: s.Version,
	}
	if back := max(t.First, last.Height-min(last.Height, 100)); back < last.Height {
		b, err := s.Index.Block(ctx, back)
		if err != nil {
			return Status{}, err
		}
		out.BlockTime = last.Time.Sub(b.Time).Seconds() / float64(last.Height-back)
	}
	return out, nil
}

// nodeWithin is how long the node may take to tell its height.
const nodeWithin = 2 * time.Second

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	out, err := s.state(r.Context())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), nodeWithin)
	defer cancel()
	if n, err := s.Eth.BlockNumber(ctx); err == nil {
		out.NodeHead = n
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

// beat is how often a watcher hears something even if no block comes.
const beat = 15 * time.Second

// head sends the newest block and each one after it; of blocks that come faster
// than a client reads, the newest.
func (s *Server) head(w http.ResponseWriter, r *http.Request) error {
	if !s.hub.enter() {
		return apierr.New(apierr.Unavailable, "too many watch the head: ask for /api/status instead")
	}
	defer s.hub.leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	timer := time.NewTicker(beat)
	defer timer.Stop()
	sent := uint64(0)
	for {
		changed := s.hub.wait()
		state, err := s.state(r.Context())
		if err != nil {
			return err
		}
		_ = out.SetWriteDeadline(time.Now().Add(beat)) // whoever reads nothing gives its place up
		if state.Head > sent {
			b, err := s.Index.Block(r.Context(), state.Head)
			if err != nil {
				return err
			}
			raw, err := json.Marshal(Tick{showBlock(b), state})
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "id: %d\nevent: block\ndata: %s\n\n", state.Head, raw); err != nil {
				return nil //nolint:nilerr // the client has gone
			}
			sent = state.Head
		} else if _, err := fmt.Fprint(w, ": nothing new\n\n"); err != nil {
			return nil //nolint:nilerr // the client has gone
		}
		if err := out.Flush(); err != nil {
			return nil //nolint:nilerr // the client has gone
		}
		select {
		case <-changed:
		case <-timer.C:
		case <-r.Context().Done():
			return nil
		case <-s.stopping:
			return nil
		}
	}
}
