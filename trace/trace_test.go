package trace_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aitbc/aitbc/trace"
)

func TestTraceparent(t *testing.T) {
	t.Parallel()
	// The first is W3C's own example.
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if c := trace.Parse(good); c.String() != good || !c.Sampled || c.IsZero() {
		t.Fatalf("%+v", c)
	}
	if c := trace.Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"); c.Sampled || c.IsZero() {
		t.Fatalf("%+v", c)
	}
	if c := trace.Parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-what-the-future-will-be-like"); c.String() != good {
		t.Fatalf("a later version: %s", c)
	}
	for _, bad := range []string{
		"", "00", good + "-x", good + "x", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
	} {
		if c := trace.Parse(bad); !c.IsZero() || c.String() != "" {
			t.Errorf("%q is %+v", bad, c)
		}
	}
	if c := trace.From(trace.With(t.Context(), trace.Parse(good))); c.String() != good {
		t.Errorf("%+v", c)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Fuzz(func(t *testing.T, s string) {
		if c := trace.Parse(s); !c.IsZero() && trace.Parse(c.String()) != c {
			t.Fatalf("%q is %+v", s, c)
		}
	})
}

// A nil tracer keeps nothing, and passes on what it was given.
func TestNoTracer(t *testing.T) {
	t.Parallel()
	var none *trace.Tracer
	parent := trace.Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ctx, span := none.Start(trace.With(t.Context(), parent), trace.Server, "x")
	span.Set(trace.String("a", "b"))
	span.Event("e")
	span.Fail("f")
	span.Name("n")
	span.End()
	none.Put(trace.Record{Context: parent})
	if trace.From(ctx) != parent || none.Child(parent) != parent || none.Dropped() != 0 {
		t.Fatal("it is changed")
	}
}

// collector takes spans.
type collector struct {
	*httptest.Server

	mu     sync.Mutex // guards what follows
	bodies []string
	fails  int
	header http.Header
}

func newCollector(t *testing.T, fails int) *collector {
	c := &collector{fails: fails}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.fails > 0 {
			c.fails--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		raw, _ := io.ReadAll(r.Body)
		c.bodies, c.header = append(c.bodies, r.URL.Path+" "+string(raw)), r.Header
	}))
	t.Cleanup(c.Close)
	return c
}

// run runs a tracer until the function is called, which waits for its end.
func run(t *testing.T, tr *trace.Tracer, told func(error)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := tr.Run(ctx, told); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return func() { cancel(); wg.Wait() }
}

func TestSpansReachTheCollector(t *testing.T) {
	t.Parallel()
	c := newCollector(t, 2) // it takes them at the third try
	env := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL + "/", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=se%20cret", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
		"OTEL_BSP_SCHEDULE_DELAY": "1",
	}
	tr, err := trace.FromEnv(func(k string) string { return env[k] }, "tester", "v1")
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, tr, func(err error) { t.Error(err) })
	ctx, outer := tr.Start(t.Context(), trace.Server, "outer", trace.Int("n", 7))
	_, inner := tr.Start(ctx, trace.Internal, "inner")
	inner.Set(trace.Float("f", 0.5), trace.Attribute{Key: "b", Value: true})
	inner.Event("first")
	inner.Fail("broken")
	inner.End()
	outer.Name("renamed")
	outer.End()
	stop()
	type spanJSON struct {
		TraceID, SpanID, ParentSpanID, Name string
		Kind                                int
		StartTimeUnixNano                   string
		Attributes                          []struct {
			Key   string
			Value map[string]any
		}
		Events []struct{ Name string }
		Status *struct {
			Code    int
			Message string
		}
	}
	spans := map[string]spanJSON{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.bodies {
		var doc struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Key   string
						Value struct{ StringValue string }
					}
				}
				ScopeSpans []struct{ Spans []spanJSON }
			}
		}
		if err := json.Unmarshal([]byte(b[len("/v1/traces "):]), &doc); err != nil || b[:len("/v1/traces ")] != "/v1/traces " {
			t.Fatalf("%s: %v", b, err)
		}
		if a := doc.ResourceSpans[0].Resource.Attributes; len(a) != 3 || a[0].Value.StringValue != "tester" || a[2].Value.StringValue != "test" {
			t.Fatalf("%+v", a)
		}
		for _, s := range doc.ResourceSpans[0].ScopeSpans[0].Spans {
			spans[s.Name] = s
		}
	}
	in, out := spans["inner"], spans["renamed"]
	if len(spans) != 2 || in.TraceID != out.TraceID || len(in.TraceID) != 32 || in.ParentSpanID != out.SpanID || out.ParentSpanID != "" || out.Kind != trace.Server ||
		out.Attributes[0].Value["intValue"] != "7" || in.Attributes[0].Value["doubleValue"] != 0.5 || in.Attributes[1].Value["boolValue"] != true ||
		in.Events[0].Name != "first" || in.Status.Code != 2 || in.Status.Message != "broken" || out.Status != nil || c.header.Get("X-Key") != "se cret" {
		t.Fatalf("%+v", spans)
	}
}

func TestWhatIsNotDeliveredIsTold(t *testing.T) {
	t.Parallel()
	c := newCollector(t, 1<<20)
	tr := trace.New(trace.Config{Endpoint: c.URL, Ratio: 1, Every: time.Millisecond})
	heard := make(chan error, 16)
	stop := run(t, tr, func(err error) { heard <- err })
	_, s := tr.Start(t.Context(), trace.Internal, "x")
	s.End()
	if err := <-heard; err == nil || tr.Dropped() != 1 {
		t.Fatalf("%v, %d dropped", err, tr.Dropped())
	}
	stop()
	full := trace.New(trace.Config{Endpoint: c.URL, Ratio: 1})
	for range 5000 { // more than may wait
		full.Put(trace.Record{Context: full.Child(trace.Context{})})
	}
	if full.Dropped() == 0 {
		t.Fatal("the queue has no end")
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	sampled, not := trace.Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), trace.Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
	for name, want := range map[string][3]bool{ // of a new trace, within one that is kept, and within one that is not
		"": {true, true, false}, "always_on": {true, true, true}, "always_off": {false, false, false}, "parentbased_always_on": {true, true, false}, "parentbased_always_off": {false, true, false},
	} {
		env := map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:1", "OTEL_TRACES_SAMPLER": name}
		tr, err := trace.FromEnv(func(k string) string { return env[k] }, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]bool{tr.Child(trace.Context{}).Sampled, tr.Child(sampled).Sampled, tr.Child(not).Sampled}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	tr := trace.New(trace.Config{Ratio: 0.25, Own: true})
	kept := 0
	for range 4000 {
		if tr.Child(trace.Context{}).Sampled {
			kept++
		}
	}
	if kept < 800 || kept > 1200 {
		t.Errorf("%d of 4000 at a ratio of a quarter", kept)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, none := range []map[string]string{{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}} {
		if tr, err := trace.FromEnv(func(k string) string { return none[k] }, "", ""); tr != nil || err != nil {
			t.Errorf("%v: %v, %v", none, tr, err)
		}
	}
	for k, v := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "x:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_HEADERS": "a", "OTEL_EXPORTER_OTLP_TIMEOUT": "1s",
		"OTEL_RESOURCE_ATTRIBUTES": "=", "OTEL_TRACES_SAMPLER": "sometimes", "OTEL_TRACES_EXPORTER": "zipkin", "OTEL_BSP_SCHEDULE_DELAY": "-1",
	} {
		env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}
		env[k] = v
		if tr, err := trace.FromEnv(func(k string) string { return env[k] }, "", ""); err == nil {
			t.Errorf("%s=%s: %v", k, v, tr)
		}
	}
}
