package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/e2e/network"
)

// seenSpan is a span as a collector is sent it, with the program that sent it.
type seenSpan struct {
	TraceID, SpanID, ParentSpanID, Name string
	Attributes                          []struct {
		Key   string
		Value struct{ StringValue, IntValue string }
	}
	Events  []struct{ Name string }
	service string
}

// collector takes spans by OTLP over HTTP.
type collector struct {
	*httptest.Server

	mu   sync.Mutex // guards what follows
	got  []seenSpan
	text strings.Builder
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var doc struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct{ Value struct{ StringValue string } }
				}
				ScopeSpans []struct{ Spans []seenSpan }
			}
		}
		if err != nil || r.URL.Path != "/v1/traces" || json.Unmarshal(raw, &doc) != nil {
			t.Errorf("%s %s: %v", r.URL.Path, raw, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.text.Write(raw)
		for _, x := range doc.ResourceSpans {
			for _, s := range x.ScopeSpans[0].Spans {
				s.service = x.Resource.Attributes[0].Value.StringValue
				c.got = append(c.got, s)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// One trace leads from the command line through coordinator and miner to the block that pays, in programs that are told
// nothing but where the collector is.
func TestOneTraceFromClientToSettlement(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	n := network.Start(t, network.Options{Env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}})
	var job submitted
	n.JSON(&job, "submit", "a planted question", "--model", model(t, n), "--max-tokens", "8")
	settled(t, n, job.JobID)
	by := map[string]seenSpan{}
	n.Wait("all spans of the job", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		root := ""
		for _, s := range c.got {
			if s.service == "aitbc" && s.Name == "submit" {
				root = s.TraceID
			}
		}
		for _, s := range c.got {
			if s.TraceID == root {
				by[s.service+" "+s.Name] = s
			}
		}
		return by["aitbc-coordinator transaction"].SpanID != "" && by["aitbc-miner work"].SpanID != ""
	})
	for child, parent := range map[string]string{
		"aitbc-coordinator POST /v1/jobs": "aitbc submit", "aitbc-coordinator queue": "aitbc-coordinator POST /v1/jobs", "aitbc-coordinator run": "aitbc-coordinator POST /v1/jobs",
		"aitbc-miner work": "aitbc-coordinator run", "aitbc-coordinator settle": "aitbc-coordinator POST /v1/jobs",
		"aitbc-coordinator transaction": "aitbc-coordinator settle",
	} {
		if x := by[child]; x.SpanID == "" || x.ParentSpanID != by[parent].SpanID {
			t.Errorf("%s %+v is not within %s %+v", child, x, parent, by[parent])
		}
	}
	var names []string
	for _, e := range by["aitbc-miner work"].Events {
		names = append(names, e.Name)
	}
	if strings.Join(names, " ") != "first token" {
		t.Errorf("events of the miner: %v", names)
	}
	var tx string
	for _, a := range by["aitbc-coordinator transaction"].Attributes {
		if a.Key == "aitbc.tx" {
			tx = a.Value.StringValue
		}
	}
	if got := settled(t, n, job.JobID); got.Tx == nil || got.Tx.Hex() != tx {
		t.Errorf("the span names transaction %s, the job %v", tx, got.Tx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{"planted", n.APIKey().Reveal(), job.Output} {
		if strings.Contains(c.text.String(), secret) {
			t.Errorf("spans show %q", secret)
		}
	}
	for _, log := range []string{"coordinator", "miner"} {
		raw, err := os.ReadFile(n.Home.Path("logs", log+".log"))
		if err == nil && strings.Contains(string(raw), "spans were not taken") {
			t.Errorf("%s: %s", log, raw)
		}
	}
}
