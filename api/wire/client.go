package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
)

// ErrClosed reports that the connection ended before an answer came: whether the
// request was heard is not known.
var ErrClosed = errors.New("the link to the coordinator broke")

// lines bounds how much of a token stream goes into one frame, and some is what a
// stream has room for at first: most answers come in small parts.
const (
	lines = 32 << 10
	some  = 2 << 10
)

// Client is a miner's end of the link. Its methods may be called concurrently
// while [Client.Run] runs.
type Client struct {
	conn io.ReadWriteCloser
	turn chan struct{} // holds a token while somebody writes

	mu      sync.Mutex // guards the fields below
	number  uint32
	waiting map[uint32]chan Frame
	ended   bool
}

// NewClient returns the miner's end of a connection that was upgraded.
func NewClient(conn io.ReadWriteCloser) *Client {
	return &Client{conn: conn, turn: make(chan struct{}, 1), waiting: map[uint32]chan Frame{}}
}

// Run hands out answers until the connection ends or ctx is done; then it closes
// the connection, and calls that wait return [ErrClosed].
func (c *Client) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	r := bufio.NewReader(c.conn)
	var err error
	for err == nil {
		var f Frame
		if f, err = Read(r); err == nil {
			c.mu.Lock()
			to := c.waiting[f.Number]
			delete(c.waiting, f.Number)
			c.mu.Unlock()
			if to != nil { // else nobody waits any more
				to <- f // it holds one, and gets one
			}
		}
	}
	c.mu.Lock()
	c.ended = true
	for n, to := range c.waiting {
		delete(c.waiting, n)
		close(to)
	}
	c.mu.Unlock()
	err = errors.Join(err, c.conn.Close())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Close has [Client.Run] end.
func (c *Client) Close() error { return c.conn.Close() }

// open numbers a request.
func (c *Client) open() (uint32, chan Frame, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return 0, nil, ErrClosed
	}
	c.number++
	to := make(chan Frame, 1)
	c.waiting[c.number] = to
	return c.number, to, nil
}

func (c *Client) forget(n uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, n)
}

func (c *Client) write(ctx context.Context, frame []byte) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.turn }()
	if _, err := c.conn.Write(frame); err != nil {
		_ = c.conn.Close() // half a frame may be out
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return nil
}

// read takes what a frame says: an answer's body, or its refusal as an
// *[apierr.Error].
func read(f Frame, ok bool) ([]byte, error) {
	switch {
	case !ok:
		return nil, ErrClosed
	case f.Kind == Answer:
		return f.Body, nil
	case f.Kind == Refusal:
		var e RefusalBody
		if err := json.Unmarshal(f.Body, &e); err != nil {
			return nil, fmt.Errorf("decode refusal: %w", err)
		}
		return nil, &apierr.Error{Code: e.Code, Message: e.Message, Details: e.Details}
	}
	return nil, fmt.Errorf("the coordinator sent a frame of kind %d", f.Kind)
}

// RefusalBody is the body of a [Refusal].
type RefusalBody struct {
	Code    apierr.Code    `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
}

// call sends a request and waits for its answer.
func (c *Client) call(ctx context.Context, k Kind, body ...[]byte) ([]byte, error) {
	n, to, err := c.open()
	if err != nil {
		return nil, err
	}
	defer c.forget(n)
	if err := c.write(ctx, Append(nil, k, n, body...)); err != nil {
		return nil, err
	}
	select {
	case f, ok := <-to:
		return read(f, ok)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// callJSON is call with JSON both ways; out may be nil.
func (c *Client) callJSON(ctx context.Context, k Kind, prefix []byte, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	answer, err := c.call(ctx, k, prefix, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// withdrawn is how long a claim that was given up waits for its last word.
const withdrawn = 2 * time.Second

// Claim waits for a job, nil if there was none. When ctx ends it withdraws the
// claim, and returns a job that was on its way all the same.
func (c *Client) Claim(ctx context.Context, wait time.Duration) (*api.Assignment, error) {
	n, to, err := c.open()
	if err != nil {
		return nil, err
	}
	defer c.forget(n)
	if err := c.write(ctx, Append(nil, Claim, n, binary.BigEndian.AppendUint16(nil, uint16(min(wait.Seconds(), 3600))))); err != nil {
		return nil, err
	}
	var f Frame
	var ok bool
	select {
	case f, ok = <-to:
	case <-ctx.Done():
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawn)
		defer cancel()
		if err := c.write(late, Append(nil, Withdraw, n)); err != nil {
			return nil, err
		}
		select {
		case f, ok = <-to:
		case <-late.Done():
			return nil, ctx.Err()
		}
	}
	answer, err := read(f, ok)
	if err != nil || len(answer) == 0 {
		return nil, err
	}
	var a api.Assignment
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("decode assignment: %w", err)
	}
	return &a, nil
}

// Heartbeat says what runs.
func (c *Client) Heartbeat(ctx context.Context, r api.HeartbeatRequest) (out api.HeartbeatResponse, err error) {
	return out, c.callJSON(ctx, Heartbeat, nil, r, &out)
}

// Result hands in a receipt.
func (c *Client) Result(ctx context.Context, job common.Hash, r api.ResultRequest) (out api.ResultResponse, err error) {
	return out, c.callJSON(ctx, Result, JobPrefix(job, r.Lease), r, &out)
}

// Failure says that a job will not be done.
func (c *Client) Failure(ctx context.Context, job common.Hash, r api.FailureRequest) error {
	return c.callJSON(ctx, Failure, JobPrefix(job, r.Lease), r, nil)
}

// Drain says that no more jobs are wanted.
func (c *Client) Drain(ctx context.Context) error {
	_, err := c.call(ctx, Drain)
	return err
}

// Stream sends the lines that body gives as they come. It returns when they are
// sent, or when the coordinator wants no more: what was sent until then counts
// all the same. That they arrived and were taken is what the result's answer says;
// if sure, Stream itself waits until the coordinator has said how much it has, or
// what it refused.
func (c *Client) Stream(ctx context.Context, job common.Hash, lease string, body io.Reader, sure bool) (api.StreamResponse, error) {
	var sent api.StreamResponse
	n, to, err := c.open()
	if err != nil {
		return sent, err
	}
	defer c.forget(n)
	prefix := JobPrefix(job, lease)
	buf, kept := make([]byte, some), 0
	for {
		m, err := body.Read(buf[kept:])
		if err != nil && !errors.Is(err, io.EOF) {
			return sent, err
		}
		whole := bytes.LastIndexByte(buf[:kept+m], '\n') + 1
		if whole > 0 {
			if err := c.write(ctx, Append(nil, Pieces, n, prefix, buf[:whole])); err != nil {
				return sent, err
			}
			sent.Delivered += uint64(bytes.Count(buf[:whole], []byte{'\n'})) //nolint:gosec // a count
		}
		full := kept+m == len(buf)
		kept = copy(buf, buf[whole:kept+m])
		if err != nil && kept > 0 {
			return sent, io.ErrUnexpectedEOF // half a line
		}
		if full && len(buf) < lines || kept == len(buf) { // more comes at a time, or one line is longer: make room
			buf = slices.Concat(buf, make([]byte, len(buf)))
		}
		select {
		case f, ok := <-to:
			return streamed(sent, f, ok)
		default:
		}
		switch {
		case err == nil:
			continue
		case !sure:
			return sent, nil
		}
		// Frames are taken in their order: a refusal of the lines comes before this answer.
		if err := c.write(ctx, Append(nil, Pieces, n, prefix)); err != nil {
			return sent, err
		}
		select {
		case f, ok := <-to:
			return streamed(sent, f, ok)
		case <-ctx.Done():
			return sent, ctx.Err()
		}
	}
}

// streamed is what an answer says of a stream of which so much was sent.
func streamed(sent api.StreamResponse, f Frame, ok bool) (api.StreamResponse, error) {
	answer, err := read(f, ok)
	if err == nil {
		err = json.Unmarshal(answer, &sent)
	}
	return sent, err
}

// Upgrade is what a request for the link carries, beside the miner's key.
func Upgrade() http.Header { return http.Header{"Connection": {"Upgrade"}, "Upgrade": {Protocol}} }
