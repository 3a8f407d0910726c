package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/wire"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
)

const (
	// linkBuffer is what a connection keeps for reading: miners are many.
	linkBuffer = 4 << 10
	// linkCalls bounds the requests of a miner that are answered at a time, beside
	// its tokens. One more ends the connection.
	linkCalls = 4096
	// linkWrite bounds how long a miner may take to read an answer.
	linkWrite = 10 * time.Second
	// linkSilence is how long a miner may say nothing, not even a heartbeat: to a
	// quarter, which spares most frames a new deadline.
	linkSilence = 2 * time.Minute
)

// link is a miner's connection.
type link struct {
	s    *Server
	key  string // the miner's, looked at again with each heartbeat
	who  coordinator.Caller
	conn net.Conn
	turn chan struct{} // holds a token while somebody writes
	// stopped are streams whose miner was told to stop; the reader's.
	stopped map[uint32]bool

	mu     sync.Mutex // guards claims
	claims map[uint32]context.CancelFunc
}

// link serves a miner over one connection until either side ends it. What it asks
// for is what the routes answer, by the same methods.
func (s *Server) link(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	if !strings.EqualFold(r.Header.Get("Upgrade"), wire.Protocol) {
		w.Header().Set("Upgrade", wire.Protocol)
		return apierr.New(apierr.Invalid, "this route is a connection: send Upgrade: %s", wire.Protocol)
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over the connection: %w", err)
	}
	ctx, cancel := s.waiting(r)
	defer cancel()
	l := &link{s: s, key: apiKey(r), who: c, conn: conn, turn: make(chan struct{}, 1), stopped: map[uint32]bool{}, claims: map[uint32]context.CancelFunc{}}
	if err := l.serve(ctx, buffered.Reader); err != nil && ctx.Err() == nil {
		slog.DebugContext(ctx, "miner's link ended", "miner", c.Account, "err", err)
	}
	return nil
}

// serve answers frames. When ctx ends it takes no more, and finishes those that
// it took.
func (l *link) serve(ctx context.Context, rest *bufio.Reader) error {
	defer l.conn.Close() //nolint:errcheck // it has ended
	if err := l.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + wire.Protocol + "\r\n\r\n"
	if err := l.write([]byte(head)); err != nil {
		return err
	}
	early, err := rest.Peek(rest.Buffered())
	if err != nil {
		return err
	}
	frames := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(early)), l.conn), linkBuffer)
	// Claims wait for as long as the connection lives, and everything else to its end.
	claims, hangUp := context.WithCancel(ctx)
	defer hangUp()
	calls, done := context.WithCancel(context.WithoutCancel(ctx))
	defer done()
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetReadDeadline(time.Now()) })
	defer stop()
	answers := newCrew()
	room := make(chan struct{}, linkCalls)
	var heard time.Time
	for {
		if now := time.Now(); now.Sub(heard) > linkSilence/4 {
			if heard, err = now, l.conn.SetReadDeadline(now.Add(linkSilence)); err != nil {
				break
			}
		}
		if ctx.Err() != nil {
			break
		}
		var f wire.Frame
		if f, err = wire.Read(frames); err != nil {
			break
		}
		var answer func()
		switch f.Kind {
		case wire.Pieces: // in their order
			err = l.pieces(calls, f)
		case wire.Withdraw:
			l.withdraw(f.Number)
		case wire.Claim:
			ctx, cancel := context.WithCancel(claims)
			l.mu.Lock()
			l.claims[f.Number] = cancel
			l.mu.Unlock()
			answer = func() {
				defer l.withdraw(f.Number)
				l.answer(ctx, f)
			}
		default:
			answer = func() { l.answer(calls, f) }
		}
		if answer != nil {
			select {
			case room <- struct{}{}:
				answers.run(func() {
					answer()
					<-room
				})
			default:
				err = errors.New("too many requests at a time")
			}
		}
		if err != nil {
			break
		}
	}
	hangUp()
	answers.end()
	return err
}

// answer does what a frame asks for and says what came of it.
func (l *link) answer(ctx context.Context, f wire.Frame) {
	out, err := l.do(ctx, f)
	sent := l.reply(f.Number, out, err) // a miner that is gone asks again elsewhere
	if a, ok := out.(*api.Assignment); ok && sent != nil {
		// Nobody has heard of this lease: let another have the job at once.
		if err := l.s.svc.GiveBack(context.WithoutCancel(ctx), l.who, a.JobID, a.Lease); err != nil {
			slog.WarnContext(ctx, "a lease was not given back", "job", a.JobID, "err", err)
		}
	}
}

// withdraw ends the wait of a claim.
func (l *link) withdraw(number uint32) {
	l.mu.Lock()
	cancel := l.claims[number]
	delete(l.claims, number)
	l.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// reply sends an answer or, if err is not nil, a refusal.
func (l *link) reply(number uint32, out any, err error) error {
	kind := wire.Answer
	if err != nil {
		public := apierr.Public(err)
		if public.Code.Status() >= http.StatusInternalServerError {
			slog.Error("miner's request failed", "miner", l.who.Account, "err", err)
		}
		l.s.svc.Observe("GET "+wire.Path, public.Code.Status(), public.Code)
		kind, out = wire.Refusal, wire.RefusalBody{Code: public.Code, Message: public.Message, Details: public.Details}
	}
	var body []byte
	if out != nil {
		if body, err = json.Marshal(out); err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
	}
	return l.write(wire.Append(nil, kind, number, body))
}

func (l *link) write(b []byte) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	err := l.conn.SetWriteDeadline(time.Now().Add(linkWrite))
	if err == nil {
		_, err = l.conn.Write(b)
	}
	if err != nil {
		_ = l.conn.Close() // half a frame may be out
	}
	return err
}

// do asks the service.
func (l *link) do(ctx context.Context, f wire.Frame) (any, error) {
	switch f.Kind {
	case wire.Claim:
		if len(f.Body) != 2 {
			return nil, apierr.New(apierr.Invalid, "a claim has two bytes: the seconds to wait")
		}
		a, err := l.s.svc.Claim(ctx, l.who, time.Duration(binary.BigEndian.Uint16(f.Body))*time.Second)
		if a == nil {
			return nil, err
		}
		return a, err
	case wire.Heartbeat:
		if _, err := l.s.svc.Authenticate(ctx, l.key, ledger.ScopeMiner); err != nil {
			return nil, err
		}
		var in api.HeartbeatRequest
		if err := decode(f.Body, &in); err != nil {
			return nil, err
		}
		return value(l.s.svc.Heartbeat(ctx, l.who, in))
	case wire.Result, wire.Failure:
		job, _, body, err := wire.CutJob(f.Body)
		if err != nil {
			return nil, apierr.New(apierr.Invalid, "%v", err)
		}
		if f.Kind == wire.Result {
			var in api.ResultRequest
			if err := decode(body, &in); err != nil {
				return nil, err
			}
			return value(l.s.svc.Complete(ctx, l.who, job, in))
		}
		var in api.FailureRequest
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return nil, l.s.svc.Fail(ctx, l.who, job, in)
	case wire.Drain:
		l.s.svc.Drain(l.who)
		return nil, nil
	case wire.Pieces, wire.Withdraw, wire.Answer, wire.Refusal:
	}
	return nil, apierr.New(apierr.Invalid, "there is no request of kind %d", f.Kind)
}

func value[T any](v T, err error) (any, error) { return v, err }

// pieces takes tokens. The miner hears of them only if it should stop, if they
// cannot be taken, or if there are none: then it asks. Tokens that come after it was told to stop count as well.
func (l *link) pieces(ctx context.Context, f wire.Frame) error {
	job, lease, lines, err := wire.CutJob(f.Body)
	if err != nil {
		return err
	}
	var all []api.Piece
	for d := api.NewDecoder(bytes.NewReader(lines)); len(lines) > 0 && d.More(); {
		var p api.Piece
		if err := d.Decode(&p); err != nil {
			return l.reply(f.Number, nil, apierr.New(apierr.Invalid, "tokens: %v", err))
		}
		all = append(all, p)
	}
	stop, err := l.s.svc.Piece(ctx, l.who, job, lease, all...)
	if err != nil {
		return l.reply(f.Number, nil, err)
	}
	if len(all) > 0 && (!stop || l.stopped[f.Number]) {
		return nil
	}
	if len(l.stopped) > linkCalls {
		clear(l.stopped) // streams that are long over
	}
	l.stopped[f.Number] = stop
	n, canceled, err := l.s.svc.Delivered(ctx, l.who, job, lease)
	return l.reply(f.Number, api.StreamResponse{Delivered: n, Canceled: canceled}, err)
}
