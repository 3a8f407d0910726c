package llama_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/llama"
)

type result struct {
	engine.Result
	ids  []uint32
	text string
	all  []engine.Token
}

func generate(t *testing.T, m engine.Model, req engine.Request) result {
	t.Helper()
	var r result
	var err error
	r.Result, err = m.Generate(t.Context(), req, func(token engine.Token) error {
		r.ids, r.text, r.all = append(r.ids, token.ID), r.text+token.Text, append(r.all, token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func user(text string) engine.Request {
	return engine.Request{Messages: []engine.Message{{Role: engine.RoleUser, Content: text}}, MaxTokens: 40}
}

// The same file has the same digest, prompts and likeliest tokens as in the exact engine.
func TestItSaysWhatTheExactEngineSays(t *testing.T) {
	t.Parallel()
	m := open(t, config(t, tiny))
	ours, err := exact.Open(tiny, exact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := m.Info(), ours.Info()
	if a.Digest != b.Digest || a.Parameters != b.Parameters || a.ContextLength != b.ContextLength || a.Name != "aitbc-tiny" {
		t.Errorf("llama.cpp has %+v, the exact engine %+v", a, b)
	}
	_, gpu := device()
	if want := "llama.cpp/v0.5.0;arch=llama;quant=q8_0;gpu=" + gpu + ";det=none"; a.Class != want {
		t.Errorf("class %q, want %q", a.Class, want)
	}
	same, total := 0, 0
	for _, req := range []engine.Request{
		user("Tell me a story about a fox."), user("What is the sum of 2 and 3? Größe: 5 €"),
		{Prompt: "Once upon a time", MaxTokens: 40},
		{Messages: []engine.Message{
			{Role: engine.RoleSystem, Content: "Be brief."},
			{Role: engine.RoleUser, Content: "Hello"},
			{Role: engine.RoleAssistant, Content: "Hello!"},
			{Role: engine.RoleUser, Content: "Who are you?"},
		}, MaxTokens: 40},
	} {
		x, y := generate(t, m, req), generate(t, ours, req)
		if x.PromptTokens != y.PromptTokens {
			t.Errorf("%+v: %d tokens of prompt, in the exact engine %d", req, x.PromptTokens, y.PromptTokens)
		}
		for i := range min(len(x.ids), len(y.ids)) {
			if total++; x.ids[i] == y.ids[i] {
				same++
			}
		}
		t.Logf("%q\n%q", x.text, y.text)
	}
	// Rounding differs, and after a token that does all others may.
	if total < 40 || same*2 < total {
		t.Errorf("%d of %d tokens are the exact engine's", same, total)
	}
}

func TestOptionsOfARequest(t *testing.T) {
	t.Parallel()
	m := open(t, config(t, tiny))
	plain := generate(t, m, user("Tell me a story about a fox."))

	warm := user("Tell me a story about a fox.")
	warm.TemperatureMilli, warm.TopPMilli, warm.Seed = 1500, 950, 1<<40+7
	if a, b := generate(t, m, warm), generate(t, m, warm); !slices.Equal(a.ids, b.ids) || slices.Equal(a.ids, plain.ids) {
		t.Error("the seed does not repeat an answer, or temperature changes nothing")
	}
	warm.TopK = 1
	if a := generate(t, m, warm); !slices.Equal(a.ids, plain.ids) {
		t.Error("top-k of 1 is not greedy")
	}

	stop := user("Tell me a story about a fox.")
	words := strings.Fields(plain.text)
	stop.Stop = []string{words[3]}
	if a := generate(t, m, stop); a.FinishReason != engine.Stopped || a.text != plain.text[:strings.Index(plain.text, words[3])] || a.PromptTokens == 0 {
		t.Errorf("stopped at %q: %q of %q, %+v", words[3], a.text, plain.text, a.Result)
	}

	likely := user("Tell me a story about a fox.")
	likely.Logprobs, likely.TopLogprobs = true, 3
	for i, token := range generate(t, m, likely).all {
		if p := token.Logprob; p == nil || p.Value > 0 || math.IsNaN(p.Value) || len(p.Top) != 3 || p.Top[0].ID != token.ID || p.Top[0].Value != p.Value {
			t.Fatalf("token %d: %+v", i, p)
		}
	}

	object := user("Give me an object.")
	object.ResponseFormat, object.MaxTokens = json.RawMessage(`{"type":"json_schema","json_schema":{"schema":{"type":"object","properties":{"n":{"enum":[1,2]}},"required":["n"]}}}`), 0
	a := generate(t, m, object)
	var got struct{ N int }
	if err := json.Unmarshal([]byte(a.text), &got); err != nil || got.N < 1 || got.N > 2 || a.FinishReason != engine.Stopped {
		t.Errorf("%q, %+v, %v", a.text, a.Result, err)
	}
}

func TestWhatCannotBeDoneIsRefused(t *testing.T) {
	t.Parallel()
	cfg := config(t, tiny)
	cfg.Length = 64
	m := open(t, cfg)
	if n := m.Info().ContextLength; n != 64 {
		t.Errorf("context of %d tokens", n)
	}
	form := user("Hello")
	form.ResponseFormat = json.RawMessage(`{"type":"poem"}`)
	for name, c := range map[string]struct {
		req  engine.Request
		want error
	}{
		"too long":       {user(strings.Repeat("many words ", 200)), engine.ErrTooLong},
		"far too long":   {engine.Request{Prompt: strings.Repeat("x", 9<<20)}, engine.ErrTooLong},
		"unknown format": {form, engine.ErrUnsupported},
	} {
		_, err := m.Generate(t.Context(), c.req, func(engine.Token) error { return nil })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What fits is answered up to the end of the context.
	all := user("Tell me a story.")
	all.MaxTokens = 0
	if r := generate(t, m, all); r.FinishReason == engine.Length && r.PromptTokens+r.CompletionTokens != 64 {
		t.Errorf("%+v", r.Result)
	}
}

// Requests at a time are answered together; one that is called off, or whose reader is
// slow, keeps no other waiting.
func TestSeveralAtATime(t *testing.T) {
	t.Parallel()
	cfg := config(t, tiny)
	cfg.Slots = 3
	m := open(t, cfg)
	want := generate(t, m, user("Tell me a story about a fox.")).text
	hold := make(chan struct{})
	var g sync.WaitGroup
	g.Go(func() {
		n := 0
		_, err := m.Generate(t.Context(), user("Tell me a story about a fox."), func(engine.Token) error {
			if n++; n == 2 {
				<-hold
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	for range 6 {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := m.Generate(ctx, user("Tell me a story about a hen."), func(engine.Token) error { cancel(); return nil })
		if cancel(); err != nil || r.FinishReason != engine.Canceled || r.CompletionTokens != 1 || r.PromptTokens == 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	for range 5 {
		g.Go(func() {
			text := ""
			_, err := m.Generate(t.Context(), user("Tell me a story about a fox."), func(token engine.Token) error { text += token.Text; return nil })
			if err != nil || len(text) < len(want)/3 {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	if text := generate(t, m, user("Tell me a story about a fox.")).text; text == "" {
		t.Error("no answer beside one that is held")
	}
	close(hold)
	g.Wait()
}

func TestNothingRunsAfterClose(t *testing.T) {
	t.Parallel()
	m, err := llama.Open(t.Context(), config(t, tiny))
	if err != nil {
		t.Fatal(err)
	}
	if m.Memory(t.Context()) == 0 {
		t.Error("it says that it takes no memory")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Generate(t.Context(), user("Hello"), func(engine.Token) error { return nil }); err == nil {
		t.Error("a closed model answers")
	}
	if m.PID() != 0 {
		t.Error("the program runs on")
	}
}
