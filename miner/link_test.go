package miner_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/wire"
	"github.com/aitbc/aitbc/apierr"
)

// switchboard is the link of the small coordinator: each frame is put to the route
// of the same name.
type switchboard struct {
	mux http.Handler

	mu     sync.Mutex // guards the fields below
	absent bool       // there is no such route
	conns  []net.Conn
	made   int // connections, of which some are cut
	heard  []heard
}

// heard is a frame of a miner.
type heard struct {
	link int // the how manieth connection it came over, from 1
	kind wire.Kind
	job  common.Hash // of a result
}

func newSwitchboard(mux http.Handler) *switchboard {
	return &switchboard{mux: mux}
}

func (b *switchboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	absent := b.absent
	b.mu.Unlock()
	if r.URL.Path != wire.Path || absent {
		b.mux.ServeHTTP(w, r)
		return
	}
	conn, rest, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close() //nolint:errcheck // a test's
	b.mu.Lock()
	b.conns = append(b.conns, conn)
	b.made++
	link := b.made
	b.mu.Unlock()
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+wire.Protocol+"\r\n\r\n"); err != nil {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	r = r.WithContext(ctx)
	var turn sync.Mutex
	claims := map[uint32]context.CancelFunc{}
	for {
		f, err := wire.Read(rest.Reader)
		if err != nil {
			return
		}
		b.hear(link, f)
		if f.Kind == wire.Pieces {
			// Each frame is a stream of its own, which goes on where the last ended.
			job, lease, lines, err := wire.CutJob(f.Body)
			if err != nil {
				return
			}
			var got api.StreamResponse
			e := b.ask(r, "POST", "/v1/miners/jobs/"+job.Hex()+"/stream?lease="+lease, lines, &got)
			if e != nil || got.Canceled || len(lines) == 0 {
				turn.Lock()
				reply(conn, f.Number, got, e)
				turn.Unlock()
			}
			continue
		}
		r := r
		if f.Kind == wire.Claim {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			claims[f.Number], r = cancel, r.WithContext(ctx)
		}
		if f.Kind == wire.Withdraw {
			claims[f.Number]()
			continue
		}
		wg.Go(func() {
			out, e := b.do(r, f)
			turn.Lock()
			defer turn.Unlock()
			reply(conn, f.Number, out, e)
		})
	}
}

// links is how many connections there have been.
func (b *switchboard) links() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.made
}

func (b *switchboard) do(r *http.Request, f wire.Frame) (any, *apierr.Error) {
	var out json.RawMessage
	switch f.Kind {
	case wire.Claim:
		e := b.ask(r, "GET", fmt.Sprintf("/v1/miners/jobs?wait=%d", binary.BigEndian.Uint16(f.Body)), nil, &out)
		if out == nil {
			return nil, e
		}
		return out, e
	case wire.Heartbeat:
		e := b.ask(r, "POST", "/v1/miners/heartbeat", f.Body, &out)
		return out, e
	case wire.Drain:
		e := b.ask(r, "POST", "/v1/miners/drain", nil, &out)
		return out, e
	case wire.Result, wire.Failure:
		job, _, body, err := wire.CutJob(f.Body)
		if err != nil {
			return nil, apierr.New(apierr.Invalid, "%v", err)
		}
		what := map[wire.Kind]string{wire.Result: "result", wire.Failure: "failure"}[f.Kind]
		e := b.ask(r, "POST", "/v1/miners/jobs/"+job.Hex()+"/"+what, body, &out)
		return out, e
	default:
		return nil, apierr.New(apierr.Invalid, "kind %d", f.Kind)
	}
}

// ask puts a request to a route, with the key of the connection. Where the route
// would break its connection, all are broken.
func (b *switchboard) ask(r *http.Request, method, path string, body []byte, out any) (refused *apierr.Error) {
	defer func() {
		if recover() != nil {
			b.cut()
			refused = apierr.New(apierr.Unavailable, "nobody hears this")
		}
	}()
	q := httptest.NewRequestWithContext(r.Context(), method, path, bytes.NewReader(body))
	q.Header.Set("X-Api-Key", r.Header.Get("X-Api-Key"))
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, q)
	if w.Code == http.StatusOK {
		_ = json.Unmarshal(w.Body.Bytes(), out)
		return nil
	}
	var e struct{ Error wire.RefusalBody }
	_ = json.Unmarshal(w.Body.Bytes(), &e)
	return &apierr.Error{Code: e.Error.Code, Message: e.Error.Message, Details: e.Error.Details}
}

func reply(conn io.Writer, number uint32, out any, e *apierr.Error) {
	kind := wire.Answer
	if e != nil {
		kind, out = wire.Refusal, wire.RefusalBody{Code: e.Code, Message: e.Message, Details: e.Details}
	}
	var body []byte
	if out != nil {
		var err error
		if body, err = json.Marshal(out); err != nil {
			panic(err)
		}
	}
	_, _ = conn.Write(wire.Append(nil, kind, number, body))
}

func (b *switchboard) hear(link int, f wire.Frame) {
	h := heard{link: link, kind: f.Kind}
	if f.Kind == wire.Result {
		h.job, _, _, _ = wire.CutJob(f.Body)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, h)
}

// count is how many frames of a kind came over a connection, or over any if link is 0.
func (b *switchboard) count(link int, k wire.Kind) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.heard {
		if h.kind == k && (link == 0 || h.link == link) {
			n++
		}
	}
	return n
}

// has reports whether the result of a job came over a connection.
func (b *switchboard) has(link int, job common.Hash) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.heard, heard{link, wire.Result, job})
}

// cut breaks every connection.
func (b *switchboard) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.Close()
	}
	b.conns = nil
}

// What a miner does for a job goes over its one connection, and a connection that
// breaks is made again.
func TestJobsGoOverOneConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(t)
	jobs := uint64(0)
	eventually(t, "a claim over the link", func() bool { // the first may have gone to the route
		jobs++
		r.give(order(t, jobs, nil))
		r.wait("result")
		return r.board.count(0, wire.Claim) > 0
	})
	made := r.board.links()
	r.board.cut()
	eventually(t, "another connection", func() bool { return r.board.links() > made })
	link := r.board.links()
	eventually(t, "a heartbeat over it", func() bool { return r.board.count(link, wire.Heartbeat) > 0 })
	last := order(t, jobs+1, nil)
	r.give(last)
	// The job before may be told again after the cut, so it is not the next result that counts.
	eventually(t, "its result", func() bool { return r.resultOf(last).FinishReason != "" })
	if !r.board.has(link, last.JobID) || r.board.count(link, wire.Pieces) == 0 {
		t.Error("the result did not come over the link")
	}
}

func TestACoordinatorWithoutTheLinkIsServedByItsRoutes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.board.absent = true
	r.start(t)
	r.give(order(t, 1, nil))
	r.wait("result")
	r.wait("heartbeat")
	if n := r.board.count(0, wire.Result); n != 0 {
		t.Errorf("%d results over a link that is not there", n)
	}
}
