package sampler_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/aitbc/aitbc/engine/internal/sampler"
)

var nan = float32(math.NaN())

func TestGreedyTakesTheFirstOfTheLargest(t *testing.T) {
	s := sampler.New(sampler.Settings{})
	for _, c := range []struct {
		logits []float32
		want   uint32
	}{{[]float32{1, 3, 2}, 1}, {[]float32{5, 5, 5}, 0}, {[]float32{nan, -2, nan, -1}, 3}} {
		if got, ok := s.Next(c.logits, nil); got != c.want || !ok {
			t.Errorf("%v: got %d, %v, want %d", c.logits, got, ok, c.want)
		}
	}
	if _, ok := s.Next([]float32{nan, nan}, nil); ok {
		t.Error("a token was chosen where no logit is a number")
	}
}

func TestForbiddenTokensAreNotChosen(t *testing.T) {
	logits := []float32{1, 9, 8, 7}
	for _, temperature := range []uint32{0, 1000} {
		s := sampler.New(sampler.Settings{TemperatureMilli: temperature})
		got, ok := s.Next(logits, func(id uint32) bool { return id != 1 && id != 2 })
		if !ok || got == 1 || got == 2 {
			t.Errorf("temperature %d: got %d, %v", temperature, got, ok)
		}
		if got, ok := s.Next([]float32{0, 100, 90}, func(id uint32) bool { return id == 0 }); got != 0 || !ok {
			t.Errorf("temperature %d: the only allowed token is not chosen: %d, %v", temperature, got, ok)
		}
		if _, ok := s.Next(logits, func(uint32) bool { return false }); ok {
			t.Errorf("temperature %d: a token was chosen though all are forbidden", temperature)
		}
	}
}

func draw(n int, set sampler.Settings, logits []float32) []uint32 {
	s := sampler.New(set)
	out := make([]uint32, n)
	for i := range out {
		out[i], _ = s.Next(logits, nil)
	}
	return out
}

func TestSeedMakesSamplingRepeatable(t *testing.T) {
	logits := []float32{0, 0.5, 1, 0.2, 0.9}
	a := draw(50, sampler.Settings{TemperatureMilli: 800, Seed: 1}, logits)
	if b := draw(50, sampler.Settings{TemperatureMilli: 800, Seed: 1}, logits); !slices.Equal(a, b) {
		t.Error("the same seed gave other tokens")
	}
	if b := draw(50, sampler.Settings{TemperatureMilli: 800, Seed: 2}, logits); slices.Equal(a, b) {
		t.Error("another seed gave the same tokens")
	}
	// The algorithm is part of the protocol: a verifier must draw the same.
	want := []uint32{4, 4, 1, 4, 4, 2, 4, 3}
	if !slices.Equal(a[:8], want) {
		t.Errorf("seed 1 gave %v, want %v", a[:8], want)
	}
}

func TestFrequenciesFollowTheWeights(t *testing.T) {
	logits := []float32{float32(math.Log(1)), float32(math.Log(3)), float32(math.Log(6))}
	count := make([]int, 3)
	for _, id := range draw(20_000, sampler.Settings{TemperatureMilli: 1000, Seed: 5}, logits) {
		count[id]++
	}
	for i, want := range []float64{0.1, 0.3, 0.6} {
		if got := float64(count[i]) / 20_000; math.Abs(got-want) > 0.015 {
			t.Errorf("token %d came with frequency %.3f, want %.3f", i, got, want)
		}
	}
}

func TestTopKAndTopPCutTheTail(t *testing.T) {
	logits := []float32{4, 3, 2, 1, 0}
	tests := map[string]struct {
		set  sampler.Settings
		most uint32
	}{
		"top-k 2":        {sampler.Settings{TemperatureMilli: 5000, TopK: 2}, 1},
		"top-k 1":        {sampler.Settings{TemperatureMilli: 5000, TopK: 1}, 0},
		"top-p 0.5":      {sampler.Settings{TemperatureMilli: 1000, TopPMilli: 500}, 0},
		"top-p 0.8":      {sampler.Settings{TemperatureMilli: 1000, TopPMilli: 800}, 1},
		"top-k over all": {sampler.Settings{TemperatureMilli: 5000, TopK: 99}, 4},
	}
	for name, c := range tests {
		got := draw(2000, c.set, logits)
		if most := slices.Max(got); most != c.most {
			t.Errorf("%s: the last token drawn is %d, want %d", name, most, c.most)
		}
	}
}

// Many candidates are sorted in another way than few; what is drawn is the same.
func TestManyCandidatesAreInTheSameOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 20 {
		logits := make([]float32, 2000)
		for i := range logits {
			logits[i] = float32(r.IntN(400)-200) / 32 // many are equal, and both zeros come
			if logits[i] == 0 && i%2 == 0 {
				logits[i] = float32(math.Copysign(0, -1))
			}
		}
		ids := make([]uint32, len(logits))
		for i := range ids {
			ids[i] = uint32(i)
		}
		slices.SortStableFunc(ids, func(a, b uint32) int { return cmp.Compare(logits[b], logits[a]) })
		var asked []uint32
		sampler.New(sampler.Settings{TemperatureMilli: 1000}).Next(logits, func(id uint32) bool {
			asked = append(asked, id)
			return true
		})
		if !slices.Equal(asked, ids) {
			t.Fatalf("%v, want %v", asked[:20], ids[:20])
		}
	}
}

func BenchmarkManyCandidates(b *testing.B) {
	r := rand.New(rand.NewPCG(11, 12))
	logits := make([]float32, 150_000)
	for i := range logits {
		logits[i] = float32(r.NormFloat64() * 3)
	}
	s := sampler.New(sampler.Settings{TemperatureMilli: 1000})
	for b.Loop() {
		s.Next(logits, nil)
	}
}
