package trace

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Config of a tracer. [FromEnv] reads it as OpenTelemetry has it.
type Config struct {
	Endpoint string // URL that spans are posted to, such as http://localhost:4318/v1/traces
	Header   http.Header
	Resource []Attribute // what this program is
	// Ratio of traces that begin here which are kept; those that begin elsewhere are as they say, unless Own.
	Ratio   float64
	Own     bool
	Every   time.Duration // default 1 s
	Timeout time.Duration // default 10 s
}

// Tracer keeps spans and sends them. A nil Tracer keeps nothing. It is safe for concurrent use.
type Tracer struct {
	cfg     Config
	http    *http.Client
	queue   chan Record
	dropped atomic.Uint64
	told    func(error) // of what is not delivered; nil for nobody
}

// Bounds of what waits to be sent: beyond them spans are dropped and counted.
const (
	queueMax = 4096
	batchMax = 512
	tries    = 4
)

// New returns a tracer. It sends nothing before [Tracer.Run].
func New(cfg Config) *Tracer {
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	return &Tracer{cfg: cfg, http: &http.Client{Timeout: cfg.Timeout}, queue: make(chan Record, queueMax)}
}

// samples decides whether a span is kept.
func (t *Tracer) samples(c, parent Context) bool {
	if !parent.IsZero() && !t.cfg.Own {
		return parent.Sampled
	}
	// By the trace's id, so that all programs with the same ratio decide alike.
	return float64(binary.BigEndian.Uint64(c.Trace[8:])>>11)/(1<<53) < t.cfg.Ratio
}

// Put has a span sent, if it is sampled.
func (t *Tracer) Put(r Record) {
	if t == nil || !r.Sampled {
		return
	}
	select {
	case t.queue <- r:
	default:
		t.dropped.Add(1)
	}
}

// Dropped is how many spans were not sent, as too many waited or the collector did not take them.
func (t *Tracer) Dropped() uint64 {
	if t == nil {
		return 0
	}
	return t.dropped.Load()
}

// Run sends spans until ctx is done, and then those that wait. told, unless nil, hears of each batch that was not
// delivered. It always returns nil or ctx's error.
func (t *Tracer) Run(ctx context.Context, told func(error)) error {
	if t == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	t.told = told
	tick := time.NewTicker(t.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.flush(ctx)
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.Timeout)
			defer cancel()
			t.flush(late)
			return ctx.Err()
		}
	}
}

// flush sends what waits.
func (t *Tracer) flush(ctx context.Context) {
	for {
		var batch []Record
		for len(batch) < batchMax {
			select {
			case r := <-t.queue:
				batch = append(batch, r)
				continue
			default:
			}
			break
		}
		if len(batch) == 0 {
			return
		}
		if err := t.send(ctx, batch); err != nil {
			t.dropped.Add(uint64(len(batch)))
			if t.told != nil {
				t.told(err)
			}
		}
	}
}

// send posts a batch, again for a while if the collector cannot take it now.
func (t *Tracer) send(ctx context.Context, batch []Record) error {
	body, err := json.Marshal(t.document(batch))
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	for n := 1; ; n++ {
		again, err := t.post(ctx, body)
		if err == nil || !again || n == tries {
			return err
		}
		wait := time.NewTimer(time.Duration(n)*200*time.Millisecond + rand.N(200*time.Millisecond)) //nolint:gosec // spreads load
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return err
		}
	}
}

func (t *Tracer) post(ctx context.Context, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.cfg.Endpoint, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("send spans: %w", err)
	}
	maps.Copy(req.Header, t.cfg.Header)
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.http.Do(req)
	if err != nil {
		return true, fmt.Errorf("send spans: %w", err)
	}
	defer resp.Body.Close()                                           //nolint:errcheck // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, batchMax*8)) // so that the connection is used again
	if resp.StatusCode/100 == 2 {
		return false, nil
	}
	again = resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode/100 == 5 && resp.StatusCode != http.StatusInternalServerError
	return again, fmt.Errorf("send spans: the collector answers %d", resp.StatusCode)
}

// What follows is OTLP's JSON, opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.

type document struct {
	ResourceSpans []resourceSpans `json:"resourceSpans"`
}

type resourceSpans struct {
	Resource   resource     `json:"resource"`
	ScopeSpans []scopeSpans `json:"scopeSpans"`
}

type resource struct {
	Attributes []attribute `json:"attributes"`
}

type scopeSpans struct {
	Scope struct {
		Name string `json:"name"`
	} `json:"scope"`
	Spans []span `json:"spans"`
}

type span struct {
	TraceID    string      `json:"traceId"`
	SpanID     string      `json:"spanId"`
	Parent     string      `json:"parentSpanId,omitempty"`
	Name       string      `json:"name"`
	Kind       int         `json:"kind"`
	Start      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes []attribute `json:"attributes,omitempty"`
	Events     []event     `json:"events,omitempty"`
	Status     *status     `json:"status,omitempty"`
}

type event struct {
	Time string `json:"timeUnixNano"`
	Name string `json:"name"`
}

type status struct {
	Code    int    `json:"code"` // 2: an error
	Message string `json:"message,omitempty"`
}

type attribute struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

func attributes(list []Attribute) []attribute {
	out := make([]attribute, 0, len(list))
	for _, a := range list {
		var v map[string]any
		switch x := a.Value.(type) {
		case bool:
			v = map[string]any{"boolValue": x}
		case int64:
			v = map[string]any{"intValue": strconv.FormatInt(x, 10)}
		case float64:
			v = map[string]any{"doubleValue": x}
		default:
			v = map[string]any{"stringValue": fmt.Sprint(x)}
		}
		out = append(out, attribute{a.Key, v})
	}
	return out
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func (t *Tracer) document(batch []Record) document {
	var s scopeSpans
	s.Scope.Name = "github.com/aitbc/aitbc/trace"
	for _, r := range batch {
		x := span{
			TraceID: hex.EncodeToString(r.Trace[:]), SpanID: hex.EncodeToString(r.Span[:]), Name: r.Name, Kind: r.Kind,
			Start: nanos(r.Start), End: nanos(r.End), Attributes: attributes(r.Attributes),
		}
		if r.Parent != [8]byte{} {
			x.Parent = hex.EncodeToString(r.Parent[:])
		}
		for _, e := range r.Events {
			x.Events = append(x.Events, event{nanos(e.At), e.Name})
		}
		if r.Error != "" {
			x.Status = &status{2, r.Error}
		}
		s.Spans = append(s.Spans, x)
	}
	return document{[]resourceSpans{{resource{attributes(t.cfg.Resource)}, []scopeSpans{s}}}}
}
