// Package httpx holds the HTTP edge shared by all services: handlers that
// return errors, strict JSON bodies with limits, graceful serving, and a client
// that gives back the server's typed errors.
package httpx

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
)

// bodyWithin bounds how long a client may take to send a body.
const bodyWithin = 30 * time.Second

// MaxBody is the size of a request body that [DecodeJSON] accepts.
const MaxBody = 1 << 20

// errorBody is the shape of every error, docs/PROTOCOL.md section 7.
type errorBody struct {
	Error errorFields `json:"error"`
}

type errorFields struct {
	Code    apierr.Code    `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
}

// Handler is an HTTP handler that may fail. Its error becomes the response, in
// our shape; what is no *[apierr.Error] becomes an internal error and is logged.
type Handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP implements [http.Handler].
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { serve(h, WriteError, w, r) }

// ErrorWriter writes an error as a response.
type ErrorWriter func(w http.ResponseWriter, e *apierr.Error)

// Handler returns h with errors written by f, for routes that owe another shape
// than ours.
func (f ErrorWriter) Handler(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(h, f, w, r) })
}

// retryAfter is how many seconds to wait after an error that says nothing of it.
const retryAfter = 2

// RetryAfter sets the header of that name for an error that a client should come again after: to what its details say
// as retry_after_seconds, or to some seconds.
func RetryAfter(w http.ResponseWriter, e *apierr.Error) {
	if e.Code != apierr.RateLimited && e.Code != apierr.Unavailable {
		return
	}
	seconds := retryAfter
	if n, ok := e.Details["retry_after_seconds"].(int); ok {
		seconds = max(1, n)
	}
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
}

// WriteError writes e in our shape with the status of its code.
func WriteError(w http.ResponseWriter, e *apierr.Error) {
	RetryAfter(w, e)
	WriteJSON(w, e.Code.Status(), errorBody{errorFields{e.Code, e.Message, e.Details}})
}

// WriteJSON writes v with a status. v must be encodable: that it is not is a bug.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("httpx: encode response: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client is gone: nobody to tell
}

// Answer writes v with 200, or returns err if there is one.
func Answer(w http.ResponseWriter, v any, err error) error {
	if err == nil {
		WriteJSON(w, http.StatusOK, v)
	}
	return err
}

// Limit reads the query's limit, which is from 1 to most; usual where there is none.
func Limit(r *http.Request, usual, most int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, apierr.New(apierr.Invalid, "limit must be from 1 to %d", most)
	}
	return n, nil
}

// recorder notes whether and how a response began.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements [http.Flusher].
func (w *recorder) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // no flusher below: nothing to do
}

// serve runs h, turns its error or panic into a response and logs.
func serve(h Handler, write ErrorWriter, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rec := &recorder{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			slog.ErrorContext(r.Context(), "handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			fail(rec, write, apierr.New(apierr.Internal, "internal error"))
		}
		slog.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", rec.status, "took", time.Since(start))
	}()
	err := h(rec, r)
	if err == nil {
		return
	}
	public := apierr.Public(err)
	if o, ok := w.(interface{ failed(c apierr.Code) }); ok {
		o.failed(public.Code)
	}
	if public.Code.Status() >= http.StatusInternalServerError && r.Context().Err() == nil {
		level := slog.LevelError
		if public.Code == apierr.Unavailable || public.Code == apierr.JobFailed { // for the moment, or a miner's: not this program's fault
			level = slog.LevelWarn
		}
		slog.Log(r.Context(), level, "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	fail(rec, write, public)
}

// fail writes e, or cuts the connection if a response has begun: a truncated
// answer must not look like a whole one.
func fail(rec *recorder, write ErrorWriter, e *apierr.Error) {
	if rec.status != 0 {
		panic(http.ErrAbortHandler)
	}
	write(rec, e)
}

// ReadBody returns the whole body of at most limit bytes. It returns an
// *[apierr.Error] with code too_large for more, and invalid_argument if the body breaks off.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	conn := http.NewResponseController(w)
	if conn.SetReadDeadline(time.Now().Add(bodyWithin)) == nil { // a test's recorder has none
		defer conn.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, apierr.New(apierr.TooLarge, "the request body is larger than %d bytes", limit)
	}
	if err != nil {
		return nil, apierr.Wrap(err, apierr.Invalid, "the request body could not be read")
	}
	return b, nil
}

// DecodeJSON reads exactly one JSON value of at most [MaxBody] bytes into v.
// Unknown fields are refused. The errors are those of [ReadBody], and
// invalid_argument for a body that is not the JSON expected.
func DecodeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := ReadBody(w, r, MaxBody)
	if err != nil {
		return err
	}
	if err := api.Decode(b, v); err != nil {
		return apierr.Wrap(err, apierr.Invalid, "the request body is not valid: "+explain(err))
	}
	return nil
}

// explain names what is wrong with a body without quoting values from it.
func explain(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "malformed JSON at byte " + strconv.FormatInt(e.Offset, 10)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "field \"" + e.Field + "\" wants " + e.Type.String() + ", not " + e.Value
	}
	if errors.Is(err, io.EOF) {
		return "it is empty"
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "the JSON breaks off"
	}
	return err.Error()
}
