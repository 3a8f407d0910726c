package meter_test

import (
	"strings"
	"testing"

	"github.com/aitbc/aitbc/internal/meter"
)

func TestTextFormat(t *testing.T) {
	t.Parallel()
	var s meter.Set
	c := s.Counter("c_total", "Things.", "kind", "of")
	c.Add(2, "b", `q"`)
	c.Add(1, "a", "x")
	c.Add(1, "a", "x")
	s.Counter("plain_total", "Plain things.")
	s.Gauge("g", "A value.", func() string { return "7" })
	h := s.Histogram("h_seconds", "Times.", []float64{0.5, 1})
	for _, v := range []float64{0.1, 0.5, 0.7, 3} {
		h.Observe(v)
	}
	var b strings.Builder
	if _, err := s.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	const want = `# HELP c_total Things.
# TYPE c_total counter
c_total{kind="a",of="x"} 2
c_total{kind="b",of="q\""} 2
# HELP plain_total Plain things.
# TYPE plain_total counter
plain_total 0
# HELP g A value.
# TYPE g gauge
g 7
# HELP h_seconds Times.
# TYPE h_seconds histogram
h_seconds_bucket{le="0.5"} 2
h_seconds_bucket{le="1"} 3
h_seconds_bucket{le="+Inf"} 4
h_seconds_sum 4.3
h_seconds_count 4
`
	if b.String() != want {
		t.Fatalf("got\n%s", b.String())
	}
}
