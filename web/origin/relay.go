package origin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
)

// Bounds of what is passed on.
const (
	answerMost   = 16 << 20
	answerWithin = 30 * time.Second
)

// Relay passes requests on to another service, with the client's key and nothing
// else of the browser's. What may be asked is for the routes to say.
type Relay struct {
	To     *httpx.Client
	Name   string                            // as in "the coordinator does not answer"
	OnStop func(func()) (forget func() bool) // what ends streams, which have no end of their own; nil: nothing does
}

// Forward asks for a path, with the request's query. Events are passed on as they come.
func (f Relay) Forward(w http.ResponseWriter, r *http.Request, path string) error {
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	req := httpx.Request{Method: r.Method, Path: path, Header: http.Header{}}
	for _, name := range []string{"X-Api-Key", "Accept", "Last-Event-Id", "Idempotency-Key"} {
		if v := r.Header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	if r.Method == http.MethodPost {
		body, err := httpx.ReadBody(w, r, httpx.MaxBody)
		if err != nil {
			return err
		}
		req.Body, req.Type = bytes.NewReader(body), "application/json"
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	late := time.AfterFunc(answerWithin, cancel)
	defer late.Stop()
	resp, err := f.To.Open(ctx, req)
	if err != nil {
		if _, refused := errors.AsType[*apierr.Error](err); refused {
			return err
		}
		return apierr.Wrap(err, apierr.Unavailable, "the "+f.Name+" does not answer: try again")
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end, or given up
	w.Header().Set("Cache-Control", "no-store")
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && kind == "text/event-stream" {
		late.Stop()
		if f.OnStop != nil {
			defer f.OnStop(cancel)()
		}
		stream(w, resp)
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerMost+1))
	if err != nil || len(body) > answerMost {
		return apierr.Wrap(err, apierr.Unavailable, "the "+f.Name+"'s answer broke off or is too large")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(body) // the client is gone: nobody to tell
	return nil
}

// stream passes events on as they come, until they end or one of both sides is
// gone: who follows takes them up again.
func stream(w http.ResponseWriter, resp *http.Response) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(resp.StatusCode)
	conn := http.NewResponseController(w)
	if conn.Flush() != nil {
		return
	}
	piece := make([]byte, 16<<10)
	for {
		n, err := resp.Body.Read(piece)
		if n > 0 {
			if _, err := w.Write(piece[:n]); err != nil || conn.Flush() != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
