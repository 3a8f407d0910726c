// Package figure keeps what benchmarks measure: samples of each quantity, one a
// round, their median and spread, and the goal that they are held against.
package figure

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// Section is what one benchmark measured. Its methods belong to one goroutine.
type Section struct {
	Title   string
	Method  string // how it was measured, in one or two sentences
	figures []*quantity
}

type quantity struct {
	name, unit string
	samples    []float64
	goal       *goal
}

type goal struct {
	most  bool
	limit float64
}

// New returns an empty section.
func New(title, method string) *Section { return &Section{Title: title, Method: method} }

// Sample adds one round's value of a quantity.
func (s *Section) Sample(name, unit string, value float64) {
	q := s.find(name)
	if q == nil {
		q = &quantity{name: name, unit: unit}
		s.figures = append(s.figures, q)
	}
	q.samples = append(q.samples, value)
}

// AtMost sets the goal that the median of a quantity is limit or less.
func (s *Section) AtMost(name string, limit float64) { s.aim(name, goal{true, limit}) }

// AtLeast sets the goal that the median of a quantity is limit or more.
func (s *Section) AtLeast(name string, limit float64) { s.aim(name, goal{false, limit}) }

func (s *Section) aim(name string, g goal) {
	if q := s.find(name); q != nil {
		q.goal = &g
	}
}

func (s *Section) find(name string) *quantity {
	if i := slices.IndexFunc(s.figures, func(q *quantity) bool { return q.name == name }); i >= 0 {
		return s.figures[i]
	}
	return nil
}

// Median returns the median of a quantity's samples, 0 if there are none.
func (s *Section) Median(name string) float64 {
	if q := s.find(name); q != nil {
		return Quantile(q.samples, 0.5)
	}
	return 0
}

func (q *quantity) met() bool {
	m := Quantile(q.samples, 0.5)
	if q.goal.most {
		return m <= q.goal.limit
	}
	return m >= q.goal.limit
}

func (g goal) String() string {
	if g.most {
		return "≤ " + number(g.limit)
	}
	return "≥ " + number(g.limit)
}

// Write prints the section as a table for people.
func (s *Section) Write(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "\n%s\n%s\n", s.Title, s.Method); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "quantity\tmedian\tunit\tleast\tmost\tgoal\t")
	for _, q := range s.figures {
		aim := ""
		if q.goal != nil {
			aim = q.goal.String() + ", missed"
			if q.met() {
				aim = q.goal.String() + ", met"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t\n", q.name, number(Quantile(q.samples, 0.5)), q.unit, number(slices.Min(q.samples)), number(slices.Max(q.samples)), aim)
	}
	return t.Flush()
}

// MarshalJSON writes the section with all samples.
func (s *Section) MarshalJSON() ([]byte, error) {
	type figure struct {
		Name    string    `json:"name"`
		Unit    string    `json:"unit"`
		Median  float64   `json:"median"`
		Samples []float64 `json:"samples"`
		Goal    string    `json:"goal,omitempty"`
		Met     *bool     `json:"met,omitempty"`
	}
	out := struct {
		Title   string   `json:"title"`
		Method  string   `json:"method"`
		Figures []figure `json:"figures"`
	}{s.Title, s.Method, []figure{}}
	for _, q := range s.figures {
		f := figure{Name: q.name, Unit: q.unit, Median: Quantile(q.samples, 0.5), Samples: q.samples}
		if q.goal != nil {
			met := q.met()
			f.Goal, f.Met = q.goal.String(), &met
		}
		out.Figures = append(out.Figures, f)
	}
	return json.Marshal(out)
}

// number writes about four digits.
func number(x float64) string {
	switch {
	case x >= 1000 || x <= -1000:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 100 || x <= -100:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
}

// Quantile returns the q-quantile of values, 0 if there are none. Values need no
// order and keep theirs.
func Quantile[T float64 | time.Duration](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + T((at-float64(low))*float64(sorted[high]-sorted[low]))
}

// Within counts the values that are at most so long.
func Within(values []time.Duration, most time.Duration) (n int) {
	for _, v := range values {
		if v <= most {
			n++
		}
	}
	return n
}

// Micros returns d in microseconds.
func Micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Millis returns d in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
