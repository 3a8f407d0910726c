package exact_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
)

func TestLogprobsAreThoseOfTheLogits(t *testing.T) {
	t.Parallel()
	m := embedded(t, 1)
	req := user("What is AITBC?")
	req.MaxTokens, req.Logprobs, req.TopLogprobs = 12, true, 5
	var ids []uint32
	_, err := m.Generate(t.Context(), req, func(token engine.Token) error {
		l := token.Logprob
		if l == nil || l.Value > 0 || len(l.Top) != 5 {
			t.Fatalf("token %d: %+v", token.Index, l)
		}
		if !slices.IsSortedFunc(l.Top, func(a, b engine.Candidate) int { return -compare(a.Value, b.Value) }) {
			t.Errorf("token %d: the likeliest are not in order: %+v", token.Index, l.Top)
		}
		if l.Top[0].ID != token.ID || l.Top[0].Value != l.Value {
			t.Errorf("token %d: a greedy answer takes %d, of %+v", token.Index, token.ID, l.Top)
		}
		sum := 0.0
		for _, c := range l.Top {
			sum += math.Exp(c.Value)
		}
		if sum > 1+1e-9 {
			t.Errorf("token %d: five of all have a probability of %v", token.Index, sum)
		}
		ids = append(ids, token.ID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	req.Logprobs, req.TopLogprobs = false, 0
	if plain := generate(t, m, req); !slices.Equal(plain.ids, ids) {
		t.Errorf("asked for logprobs the answer is %v, else %v", ids, plain.ids)
	}
}

func TestScoresAreWhatTheAnswerSaid(t *testing.T) {
	t.Parallel()
	m := embedded(t, 1)
	req := user("Tell me a story about a fox.")
	req.MaxTokens, req.Logprobs, req.TopLogprobs, req.TemperatureMilli, req.Seed = 70, true, 3, 800, 5
	tokens, err := m.Prompt(req)
	if err != nil {
		t.Fatal(err)
	}
	from := len(tokens)
	var want []engine.Logprob
	if _, err := m.Generate(t.Context(), req, func(token engine.Token) error {
		tokens, want = append(tokens, token.ID), append(want, *token.Logprob)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got, err := m.Score(t.Context(), tokens, 3)
	if err != nil || len(got) != len(tokens)-1 || len(want) < 33 {
		t.Fatalf("%d scores of %d tokens, %v", len(got), len(tokens), err)
	}
	if !reflect.DeepEqual(got[from-1:], want) {
		t.Errorf("got %v, want %v", got[from-1:], want)
	}
	for name, call := range map[string]func() error{
		"no tokens":       func() error { _, err := m.Score(t.Context(), nil, 0); return err },
		"no token of it":  func() error { _, err := m.Score(t.Context(), []uint32{1 << 30}, 0); return err },
		"too many wanted": func() error { _, err := m.Score(t.Context(), tokens, 1000); return err },
	} {
		if err := call(); !errors.Is(err, engine.ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestEmbeddingsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	texts := []string{"A receipt proves what ran.", "Miners earn coins.", strings.Repeat("The chain holds the money. ", 12)}
	want, tokens, err := embedded(t, 1).Embed(t.Context(), texts)
	if err != nil || len(want) != 3 || tokens < 20 {
		t.Fatalf("%d vectors, %d tokens, %v", len(want), tokens, err)
	}
	for i, v := range want {
		square := 0.0
		for _, x := range v {
			square += float64(x) * float64(x)
		}
		if math.Abs(square-1) > 1e-5 || len(v) != len(want[0]) {
			t.Errorf("vector %d has %d numbers and length² %v", i, len(v), square)
		}
	}
	if bits(want[0]) == bits(want[1]) {
		t.Error("different texts have one vector")
	}
	got, _, err := embedded(t, 2).Embed(t.Context(), []string{texts[2], texts[1], texts[0]})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if bits(got[2-i]) != bits(want[i]) {
			t.Errorf("vector %d differs with two threads and in other company", i)
		}
	}
	if _, _, err := embedded(t, 1).Embed(t.Context(), nil); !errors.Is(err, engine.ErrBadRequest) {
		t.Errorf("no texts: %v", err)
	}
	if _, _, err := embedded(t, 1).Embed(t.Context(), []string{strings.Repeat("long ", 100_000)}); !errors.Is(err, engine.ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
}
