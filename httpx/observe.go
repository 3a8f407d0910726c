package httpx

import (
	"context"
	"net/http"
	"strconv"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/trace"
)

// Watch says what is to be known of requests. All fields may be nil.
type Watch struct {
	// Tracer gets a span of each request, within the caller's by the traceparent header.
	Tracer *trace.Tracer
	// Quiet requests begin no trace: they have a span only within one of the caller's.
	Quiet func(*http.Request) bool
	// Answered hears of each request's route, as the mux names it, status, and code of the error if there was one.
	Answered func(route string, status int, code apierr.Code)
}

// Observe returns h, watched.
func (o Watch) Observe(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parent := trace.Parse(r.Header.Get("Traceparent"))
		var span *trace.Span
		if !parent.IsZero() || o.Quiet == nil || !o.Quiet(r) {
			var ctx context.Context
			ctx, span = o.Tracer.Start(trace.With(r.Context(), parent), trace.Server, r.Method)
			r = r.WithContext(ctx)
		}
		rec := &observed{recorder: recorder{ResponseWriter: w}}
		defer func() {
			route := r.Pattern
			if route == "" || route == "/" {
				route = "none"
			}
			if rec.status == 0 { // the connection was taken over
				rec.status = http.StatusSwitchingProtocols
			}
			if span != nil {
				span.Name(route)
				span.Set(trace.String("http.request.method", r.Method), trace.String("http.route", route), trace.Int("http.response.status_code", int64(rec.status)))
				if rec.status >= http.StatusInternalServerError {
					span.Fail(strconv.Itoa(rec.status))
				}
				span.End()
			}
			if o.Answered != nil {
				o.Answered(route, rec.status, rec.code)
			}
		}()
		h.ServeHTTP(rec, r)
	})
}

// observed records the status and the code of an error.
type observed struct {
	recorder

	code apierr.Code
}

func (o *observed) failed(c apierr.Code) { o.code = c }
