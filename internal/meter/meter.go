// Package meter counts and times, and writes what it has in Prometheus' text format.
package meter

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Set is the metrics of a program, in the order in which they were made. It is safe for concurrent use.
type Set struct {
	mu       sync.Mutex // guards families
	families []family
}

type family interface{ write(b *strings.Builder) }

func (s *Set) add(f family) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.families = append(s.families, f)
}

// WriteTo writes all metrics.
func (s *Set) WriteTo(w io.Writer) (int64, error) {
	s.mu.Lock()
	families := slices.Clone(s.families)
	s.mu.Unlock()
	var b strings.Builder
	for _, f := range families {
		f.write(&b)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func head(b *strings.Builder, name, kind, help string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// Counter counts by the values of its labels, which come from small closed sets.
type Counter struct {
	name, help string
	labels     []string

	mu     sync.Mutex // guards values
	values map[string]uint64
}

// Counter makes a counter.
func (s *Set) Counter(name, help string, labels ...string) *Counter {
	c := &Counter{name: name, help: help, labels: labels, values: map[string]uint64{}}
	if len(labels) == 0 {
		c.values[""] = 0
	}
	s.add(c)
	return c
}

// Add counts n more of some values of the labels.
func (c *Counter) Add(n uint64, values ...string) {
	var b strings.Builder
	for i, l := range c.labels {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l + "=" + strconv.Quote(values[i]))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[b.String()] += n
}

func (c *Counter) write(b *strings.Builder) {
	head(b, c.name, "counter", c.help)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(c.values)) {
		labels := ""
		if k != "" {
			labels = "{" + k + "}"
		}
		fmt.Fprintf(b, "%s%s %d\n", c.name, labels, c.values[k])
	}
}

// Gauge is asked for its value when it is written.
func (s *Set) Gauge(name, help string, value func() string) { s.add(gauge{name, help, value}) }

type gauge struct {
	name, help string
	value      func() string
}

func (g gauge) write(b *strings.Builder) {
	head(b, g.name, "gauge", g.help)
	fmt.Fprintf(b, "%s %s\n", g.name, g.value())
}

// Histogram counts values by size.
type Histogram struct {
	name, help string
	bounds     []float64

	mu     sync.Mutex // guards what follows
	counts []uint64
	n      uint64
	sum    float64
}

// Bounds of histograms: of times in seconds, short ones, and of rates.
var (
	Seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900}
	Short   = []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5}
	Rates   = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}
)

// Histogram makes a histogram with upper bounds, which rise.
func (s *Set) Histogram(name, help string, bounds []float64) *Histogram {
	h := &Histogram{name: name, help: help, bounds: bounds, counts: make([]uint64, len(bounds))}
	s.add(h)
	return h
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i, _ := slices.BinarySearch(h.bounds, v); i < len(h.counts) {
		h.counts[i]++
	}
	h.n++
	h.sum += v
}

func (h *Histogram) write(b *strings.Builder) {
	head(b, h.name, "histogram", h.help)
	h.mu.Lock()
	defer h.mu.Unlock()
	var below uint64
	for i, bound := range h.bounds {
		below += h.counts[i]
		fmt.Fprintf(b, "%s_bucket{le=\"%g\"} %d\n", h.name, bound, below)
	}
	fmt.Fprintf(b, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %g\n%s_count %d\n", h.name, h.n, h.name, h.sum, h.name, h.n)
}
