package figure_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/bench/figure"
)

func TestQuantileInterpolates(t *testing.T) {
	t.Parallel()
	values := []float64{5, 1, 3, 2, 4}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.75: 4, 0.875: 4.5, 1: 5} {
		if got := figure.Quantile(values, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if values[0] != 5 {
		t.Error("the values were sorted in place")
	}
	if got := figure.Quantile([]time.Duration{}, 0.5); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}

func TestGoalsAreJudgedByTheMedian(t *testing.T) {
	t.Parallel()
	s := figure.New("title", "method")
	for _, x := range []float64{1, 2, 90} {
		s.Sample("a", "ms", x)
		s.Sample("b", "1/s", x)
	}
	s.AtMost("a", 2)
	s.AtLeast("b", 3)
	s.AtMost("unknown", 1)
	var text strings.Builder
	if err := s.Write(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "≤ 2, met") || !strings.Contains(text.String(), "≥ 3, missed") {
		t.Error(text.String())
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Figures []struct {
			Name    string
			Median  float64
			Samples []float64
			Met     *bool
		}
	}
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if f := back.Figures; len(f) != 2 || f[0].Median != 2 || len(f[0].Samples) != 3 || !*f[0].Met || *f[1].Met {
		t.Errorf("%s", raw)
	}
}
