// Package enginetest has the behaviour that every engine.Model promises, as tests
// that each engine runs on a model of its own.
package enginetest

import (
	"context"
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aitbc/aitbc/engine"
)

// chat is a request that any model can answer.
func chat(most uint64) engine.Request {
	return engine.Request{Messages: []engine.Message{{Role: engine.RoleUser, Content: "Tell me a story about a fox."}}, MaxTokens: most}
}

// Run checks the promises of engine.Model. The model must be able to answer at
// least 20 tokens to a user's message.
func Run(t *testing.T, m engine.Model) {
	t.Run("describes itself", func(t *testing.T) { describes(t, m) })
	t.Run("counts tokens without gaps", func(t *testing.T) { counts(t, m) })
	t.Run("ends at max tokens", func(t *testing.T) { ends(t, m) })
	t.Run("stops when canceled", func(t *testing.T) { stops(t, m) })
	t.Run("returns the error of yield", func(t *testing.T) { yields(t, m) })
	t.Run("keeps to a grammar or refuses it", func(t *testing.T) { grammars(t, m) })
	if e, ok := m.(engine.Embedder); ok {
		t.Run("embeds", func(t *testing.T) { Embeds(t, e) })
	}
	t.Run("refuses bad requests", func(t *testing.T) { refuses(t, m) })
}

func describes(t *testing.T, m engine.Model) {
	info := m.Info()
	if info.Name == "" || info.Digest == [32]byte{} || info.Class == "" {
		t.Errorf("incomplete: %+v", info)
	}
	if info.Claimed != strings.HasPrefix(info.Class, "claimed") {
		t.Errorf("claimed is %v and the class %q", info.Claimed, info.Class)
	}
	if info != m.Info() {
		t.Error("it changes")
	}
}

func counts(t *testing.T, m engine.Model) {
	next := uint64(0)
	r, err := m.Generate(t.Context(), chat(20), func(token engine.Token) error {
		if token.Index != next {
			t.Errorf("token %d has index %d", next, token.Index)
		}
		if token.HasID != m.Info().TokenIDs {
			t.Errorf("token %d: HasID is %v", next, token.HasID)
		}
		if !utf8.ValidString(token.Text) {
			t.Errorf("token %d is not valid UTF-8: %q", next, token.Text)
		}
		next++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.PromptTokens == 0 || r.CompletionTokens == 0 || m.Info().TokenIDs && r.CompletionTokens != next {
		t.Errorf("%d tokens came, the result says %+v", next, r)
	}
}

func ends(t *testing.T, m engine.Model) {
	r, err := m.Generate(t.Context(), chat(3), func(engine.Token) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if r.FinishReason != engine.Length || r.CompletionTokens != 3 {
		t.Errorf("got %+v, want 3 tokens and reason length", r)
	}
}

func stops(t *testing.T, m engine.Model) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := uint64(0)
	r, err := m.Generate(ctx, chat(0), func(engine.Token) error {
		if n++; n == 2 {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.FinishReason != engine.Canceled || m.Info().TokenIDs && r.CompletionTokens > 3 {
		t.Errorf("canceled at the second token: %+v", r)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	r, err = m.Generate(ctx, chat(0), func(engine.Token) error {
		t.Error("a token came after the request was canceled")
		return nil
	})
	if err != nil || r.FinishReason != engine.Canceled || r.CompletionTokens != 0 {
		t.Errorf("canceled before it began: %+v, %v", r, err)
	}
}

func yields(t *testing.T, m engine.Model) {
	full := errors.New("the reader is gone")
	n := 0
	_, err := m.Generate(t.Context(), chat(20), func(engine.Token) error {
		n++
		return full
	})
	if !errors.Is(err, full) || n != 1 {
		t.Errorf("got %v after %d tokens, want %v after one", err, n, full)
	}
}

func grammars(t *testing.T, m engine.Model) {
	for grammar, fits := range map[string]func(string) bool{
		`root ::= "yes" | "no"`:         func(s string) bool { return s == "yes" || s == "no" },
		`root ::= "à" [а-я]{3} "1"*`:    regexp.MustCompile(`^à[а-я]{3}1*$`).MatchString,
		"root ::= \" \" x\nx ::= \"b\"": func(s string) bool { return s == " b" },
	} {
		for _, temperature := range []uint32{0, 1500} {
			req := chat(0)
			req.Grammar, req.TemperatureMilli = grammar, temperature
			text := ""
			r, err := m.Generate(t.Context(), req, func(token engine.Token) error { text += token.Text; return nil })
			switch {
			case errors.Is(err, engine.ErrUnsupported) && text == "":
			case err != nil:
				t.Errorf("%s: %v", grammar, err)
			case r.FinishReason == engine.Stopped && !fits(text):
				t.Errorf("%s: got %q", grammar, text)
			}
		}
	}
}

// Embeds checks the promises of engine.Embedder.
func Embeds(t *testing.T, e engine.Embedder) {
	texts := []string{"A fox runs.", "Die Größe ist 5 €.", "A fox runs.", strings.Repeat("a story about a fox ", 12)}
	vectors, tokens, err := e.Embed(t.Context(), texts)
	if errors.Is(err, engine.ErrUnsupported) {
		t.Skip(err) // a server that was not started for it
	}
	if err != nil || len(vectors) != len(texts) || tokens < uint64(len(texts)) {
		t.Fatalf("%d vectors of %d texts, %d tokens: %v", len(vectors), len(texts), tokens, err)
	}
	near := func(a, b []float32) float64 {
		sum := 0.0
		for i := range a {
			sum += float64(a[i]) * float64(b[i])
		}
		return sum
	}
	for i, v := range vectors {
		if len(v) != len(vectors[0]) || math.Abs(near(v, v)-1) > 1e-5 {
			t.Errorf("vector %d has %d numbers and the length %g", i, len(v), math.Sqrt(near(v, v)))
		}
	}
	if same, other := near(vectors[0], vectors[2]), near(vectors[0], vectors[1]); same < 1-1e-5 || other > 1-1e-5 {
		t.Errorf("the cosine of a text with itself is %g, with another %g", same, other)
	}
	if _, _, err := e.Embed(t.Context(), nil); !errors.Is(err, engine.ErrBadRequest) {
		t.Errorf("no texts: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := e.Embed(ctx, texts); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled before it began: %v", err)
	}
}

func refuses(t *testing.T, m engine.Model) {
	user := []engine.Message{{Role: engine.RoleUser, Content: "Hello"}}
	for name, req := range map[string]engine.Request{
		"nothing":                 {},
		"messages and prompt":     {Messages: user, Prompt: "Hello"},
		"unknown role":            {Messages: []engine.Message{{Role: "boss", Content: "Hello"}}},
		"empty stop text":         {Messages: user, Stop: []string{""}},
		"too many stop texts":     {Messages: user, Stop: strings.Split(strings.Repeat("x ", 40), " ")},
		"temperature of 100":      {Messages: user, TemperatureMilli: 100_000},
		"grammar with a format":   {Messages: user, Grammar: `root ::= "x"`, ResponseFormat: []byte(`{"type":"json_object"}`)},
		"grammar with tools":      {Messages: user, Grammar: `root ::= "x"`, Tools: []byte(`[{"type":"function","function":{"name":"f"}}]`)},
		"grammar without a root":  {Messages: user, Grammar: `x ::= "x"`},
		"more than all the top-p": {Messages: user, TopPMilli: 1001},
	} {
		_, err := m.Generate(t.Context(), req, func(engine.Token) error {
			t.Errorf("%s: a token came", name)
			return nil
		})
		if !errors.Is(err, engine.ErrBadRequest) {
			t.Errorf("%s: got %v, want ErrBadRequest", name, err)
		}
	}
}
