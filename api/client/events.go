package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
)

// maxEvent bounds one line of an event stream.
const maxEvent = 1 << 20

// Patience of [Client.Follow] with a broken stream.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	maxBroken  = 20 // breaks in a row without an event between
)

// Follow calls f with each event of a job, in order and once, until the job has
// ended. A stream that breaks is taken up again where it broke. It returns f's
// error if there is one, and gives up after many breaks in a row.
func (c *Client) Follow(ctx context.Context, id common.Hash, f func(api.Event) error) error {
	s := stream{client: c, path: "/v1/jobs/" + id.Hex() + "/events", call: f}
	delay := firstRetry
	for broken := 0; ; {
		progress, err := s.read(ctx)
		if err == nil || ctx.Err() != nil || s.fatal(err) {
			return err
		}
		if progress {
			broken, delay = 0, firstRetry
		}
		if broken++; broken > maxBroken {
			return fmt.Errorf("follow job: %w", err)
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		delay = min(2*delay, lastRetry)
	}
}

type stream struct {
	client *Client
	path   string
	call   func(api.Event) error
	last   string // id of the last event that was delivered
	asked  error  // what call returned
}

var errCut = errors.New("the stream ended before the job did")

func (s *stream) fatal(err error) bool {
	if s.asked != nil {
		return true
	}
	e, refused := errors.AsType[*apierr.Error](err)
	return refused && e.Code != apierr.Unavailable && e.Code != apierr.RateLimited && e.Code != apierr.Internal
}

// read follows one connection. It returns nil after the event "done".
func (s *stream) read(ctx context.Context) (progress bool, err error) {
	r := httpx.Request{Method: http.MethodGet, Path: s.path, Header: http.Header{"Accept": {"text/event-stream"}}}
	if s.last != "" {
		r.Header.Set("Last-Event-ID", s.last)
	}
	resp, err := s.client.http.Open(ctx, r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() //nolint:errcheck // a stream that was read
	var id, name, data string
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			data += value
		case "":
			if lines.Text() != "" || data == "" { // a comment, or nothing gathered
				continue
			}
			var e api.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				return progress, fmt.Errorf("follow job: event: %w", err)
			}
			if name != "" {
				e.Type = name // what "done" holds is the job itself
			}
			if e.Type == "error" {
				return progress, fmt.Errorf("follow job: %w", errCut)
			}
			if s.asked = s.call(e); s.asked != nil {
				return progress, s.asked
			}
			progress, name, data = true, "", ""
			if id != "" {
				s.last = id
			}
			if e.Type == "done" {
				return true, nil
			}
		}
	}
	if err := lines.Err(); err != nil {
		return progress, fmt.Errorf("follow job: %w", err)
	}
	return progress, fmt.Errorf("follow job: %w: %w", errCut, io.ErrUnexpectedEOF)
}
