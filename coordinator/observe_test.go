package coordinator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/trace"
)

// What docs/OBSERVABILITY.md lists is on the running service, and nothing else is; what happens is counted.
func TestMetricsAreAsDocumented(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("planted prompt")
	m.finish(m.claim(), "a", "b", "c")
	h.until(id, "settled", func(j api.Job) bool { return j.Payment == market.Settled })
	h.submit("another")
	h.refused(401, "unauthorized", "", "GET", "/v1/jobs", nil)
	doc, err := os.ReadFile("../docs/OBSERVABILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, served []string
	for _, name := range regexp.MustCompile("`(aitbc_coordinator_\\w+)`").FindAllStringSubmatch(string(doc), -1) {
		documented = append(documented, name[1])
	}
	var text string
	h.eventually("what was settled", func() bool {
		_, raw := h.call("", "GET", "/metrics", nil)
		text = string(raw)
		return strings.Contains(text, "\naitbc_coordinator_settlements_total 1\n")
	})
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(text, -1) {
		served = append(served, name[1])
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented\n%v, served\n%v", documented, served)
	}
	for _, line := range []string{
		"aitbc_coordinator_queued_jobs 1", "aitbc_coordinator_online_miners 1", "aitbc_coordinator_queue_wait_seconds_count 1", "aitbc_coordinator_first_token_seconds_count 1",
		"aitbc_coordinator_job_tokens_per_second_count 1", `aitbc_coordinator_jobs_total{state="completed"} 1`, `aitbc_coordinator_jobs_total{state="failed"} 0`,
		`aitbc_coordinator_tokens_total{kind="completion"} 3`, `aitbc_coordinator_requests_total{route="POST /v1/jobs",status="202"} 2`,
		`aitbc_coordinator_errors_total{code="unauthorized"} 1`, "aitbc_coordinator_ledger_sync_seconds_count 3", "aitbc_coordinator_settlement_seconds_count 1",
		"aitbc_coordinator_unsettled_units ", "aitbc_coordinator_reconciliation_difference 0",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("there is no %q", line)
		}
	}
	if strings.Contains(text, "planted") || strings.Contains(text, id.Hex()) {
		t.Error("metrics show content, or a job")
	}
	l := h.job(id).Timeline
	if l == nil || l.SettledMS == 0 || l.TokensPerSecond < 0 {
		t.Errorf("timeline %+v", l)
	}
}

// spans is a collector of OpenTelemetry's.
type spans struct {
	*httptest.Server

	mu  sync.Mutex // guards what follows
	got []otlpSpan
	raw strings.Builder
}

type otlpSpan struct {
	TraceID, SpanID, ParentSpanID, Name string
	Events                              []struct{ Name string }
	Status                              *struct{ Message string }
}

func collectSpans(t *testing.T) *spans {
	c := &spans{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var doc struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []otlpSpan }
			}
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Errorf("%v in %s", err, raw)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(raw)
		for _, x := range doc.ResourceSpans {
			c.got = append(c.got, x.ScopeSpans[0].Spans...)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// spanTrace is the trace of the test's request.
const spanTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

// named returns the spans of a name in that trace.
func (c *spans) named(name string) (out []otlpSpan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.got {
		if s.TraceID == spanTrace && s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

func TestSpansOfAJob(t *testing.T) {
	t.Parallel()
	c := collectSpans(t)
	h := newHouse(t)
	h.stop()
	h.tracer = trace.New(trace.Config{Endpoint: c.URL, Ratio: 1, Every: 5 * time.Millisecond})
	h.start()
	m, other := h.miner(1), h.miner(2)
	const traceID, parent = spanTrace, "00f067aa0ba902b7"
	raw, err := json.Marshal(h.order(func(r *api.SubmitRequest) { r.Prompt = "planted prompt" }))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.srv.URL+"/v1/jobs", strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", h.key)
	req.Header.Set("Traceparent", "00-"+traceID+"-"+parent+"-01")
	resp, err := h.srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	first := m.claim()
	must[map[string]string](h, 200, m.api, "POST", m.path(first, "failure"), api.FailureRequest{Lease: first.Lease, Code: "engine_error", Message: "planted words", Retryable: true})
	a := other.claim()
	if at := trace.Parse(a.Trace); a.JobID != first.JobID || !strings.HasPrefix(a.Trace, "00-"+traceID) || at.IsZero() || a.Trace == first.Trace {
		t.Fatalf("the miner is told %q, and before %q", a.Trace, first.Trace)
	}
	other.finish(a, "planted", " answer")
	h.eventually("a settlement's span", func() bool { return len(c.named("settle")) == 1 })
	server := c.named("POST /v1/jobs")
	if len(server) != 1 || server[0].ParentSpanID != parent {
		t.Fatalf("%+v", server)
	}
	queue, run, settle := c.named("queue"), c.named("run"), c.named("settle")
	if len(queue) != 2 || len(run) != 2 || run[0].Status == nil || run[0].Status.Message != "engine_error" || run[1].Status != nil || len(run[1].Events) != 1 || run[1].Events[0].Name != "first token" {
		t.Fatalf("queue %+v, run %+v", queue, run)
	}
	for _, s := range slices.Concat(queue, run, settle) {
		if s.ParentSpanID != server[0].SpanID {
			t.Fatalf("%+v is not within %+v", s, server[0])
		}
	}
	if trace.Parse(a.Trace).String()[36:52] != run[1].SpanID {
		t.Fatalf("the miner's parent is %s, the run %s", a.Trace, run[1].SpanID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{"planted", h.key, m.api} {
		if strings.Contains(c.raw.String(), secret) {
			t.Errorf("spans show %q", secret)
		}
	}
}
