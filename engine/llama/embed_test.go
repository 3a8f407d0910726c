package llama_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

var texts = []string{"A fox runs.", "Money for work.", "Die Größe ist 5 €.", strings.Repeat("Tell me a story about a fox. ", 20)}

// cosine is how near two vectors are, 1 for those of the same direction.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+float64(a[i])*float64(b[i]), aa+float64(a[i])*float64(a[i]), bb+float64(b[i])*float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

func embed(t *testing.T, m engine.Embedder, texts ...string) ([][]float32, uint64) {
	t.Helper()
	v, n, err := m.Embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	return v, n
}

// A model that answers has the vectors of the exact engine, but for rounding, of as many tokens; and
// it answers as before beside them.
func TestItEmbedsAsTheExactEngineDoes(t *testing.T) {
	t.Parallel()
	cfg := config(t, tiny)
	cfg.Slots = 3
	m := open(t, cfg)
	ours, err := exact.Open(tiny, exact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want, count := embed(t, ours, texts...)
	said := generate(t, m, user("Tell me a story about a fox.")).text
	var g sync.WaitGroup
	for range 3 {
		g.Go(func() {
			got, n, err := m.Embed(t.Context(), texts)
			if err != nil || n != count {
				t.Errorf("%d tokens, in the exact engine %d: %v", n, count, err)
				return
			}
			for i, v := range got {
				if c := cosine(v, want[i]); len(v) != len(want[i]) || c < 0.999 {
					t.Errorf("%.20q: %d numbers, the cosine to the exact engine's is %g", texts[i], len(v), c)
				}
			}
		})
		g.Go(func() {
			if _, err := m.Generate(t.Context(), user("Tell me a story about a fox."), discard); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if again := generate(t, m, user("Tell me a story about a fox.")).text; again != said {
		t.Errorf("behind embeddings it says %q, before %q", again, said)
	}
	var all []engine.Token
	likely := engine.Request{Prompt: "A fox", MaxTokens: 3, Logprobs: true, TopLogprobs: 2}
	if _, err := m.Generate(t.Context(), likely, func(token engine.Token) error { all = append(all, token); return nil }); err != nil || len(all) != 3 || all[0].Logprob == nil {
		t.Errorf("%+v, %v", all, err)
	}
}

// pooling writes the tiny model as one for embeddings, that pools in some way.
func pooling(t *testing.T, how uint32) string {
	t.Helper()
	raw, err := os.ReadFile(tiny)
	if err != nil {
		t.Fatal(err)
	}
	from, err := gguf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	w := copied(t, from)
	w.Uint("llama.pooling_type", how)
	return written(t, w)
}

// copied writes what a file says.
func copied(t *testing.T, from *gguf.File) *gguf.Writer {
	t.Helper()
	w := new(gguf.Writer)
	for _, key := range from.Keys() {
		if s, err := from.Text(key); err == nil {
			w.Text(key, s)
		} else if n, err := from.Uint(key); err == nil {
			w.Uint(key, uint32(n))
		} else if x, err := from.Float(key); err == nil {
			w.Float(key, float32(x))
		} else if on, err := from.Flag(key); err == nil {
			w.Flag(key, on)
		} else if l, err := from.Texts(key); err == nil {
			w.Texts(key, l)
		} else if l, err := from.Floats(key); err == nil {
			w.Floats(key, l)
		} else if l, err := from.Ints(key); err == nil {
			ints := make([]int32, len(l))
			for i, n := range l {
				ints[i] = int32(n)
			}
			w.Ints(key, ints)
		} else {
			t.Fatalf("%s is of no known kind", key)
		}
	}
	for _, tensor := range from.Tensors() {
		w.Tensor(tensor)
	}
	return w
}

// A model that is for embeddings pools as its file says, and makes no answers.
func TestModelsForEmbeddingsPoolAsTheirFilesSay(t *testing.T) {
	t.Parallel()
	ours, err := exact.Open(tiny, exact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want, count := embed(t, ours, texts...)
	const mean, last = 1, 3 // of enum llama_pooling_type
	vectors := map[uint32][][]float32{}
	for _, how := range []uint32{mean, last} {
		m := open(t, config(t, pooling(t, how)))
		if m.Info().Digest != ours.Info().Digest {
			t.Error("the same weights have another digest")
		}
		enginetest.Embeds(t, m)
		got, n := embed(t, m, texts...)
		if n != count {
			t.Errorf("pooling %d: %d tokens, want %d", how, n, count)
		}
		vectors[how] = got
		if _, err := m.Generate(t.Context(), user("Hello"), discard); !errors.Is(err, engine.ErrUnsupported) {
			t.Errorf("pooling %d: it answers: %v", how, err)
		}
		if n := m.Info().ContextLength; n > 2048 {
			t.Errorf("a context of %d tokens", n)
		}
	}
	for i, text := range texts {
		if c := cosine(vectors[mean][i], want[i]); c < 0.999 {
			t.Errorf("%.20q: the cosine of the mean to the exact engine's is %g", text, c)
		}
		if c := cosine(vectors[last][i], want[i]); c > 0.99 {
			t.Errorf("%.20q: the last token's vector is the mean of all: %g", text, c)
		}
	}
}

func TestTextsThatCannotBeEmbedded(t *testing.T) {
	t.Parallel()
	cfg := config(t, tiny)
	cfg.Length = 64
	for name, m := range map[string]*llama.Model{"answers": open(t, cfg), "embeds": func() *llama.Model { c := config(t, pooling(t, 1)); c.Length = 64; return open(t, c) }()} {
		for what, c := range map[string]struct {
			texts []string
			want  error
		}{
			"none":         {nil, engine.ErrBadRequest},
			"an empty one": {[]string{"x", ""}, engine.ErrBadRequest},
			"too long":     {[]string{"x", strings.Repeat("many words ", 200)}, engine.ErrTooLong},
			"far too long": {[]string{strings.Repeat("x", 9<<20)}, engine.ErrTooLong},
		} {
			if _, _, err := m.Embed(t.Context(), c.texts); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		// It goes on, also behind one that was called off in the middle.
		ctx, cancel := context.WithCancel(t.Context())
		var g sync.WaitGroup
		g.Go(func() { _, _, _ = m.Embed(ctx, []string{"a story", "of a fox", "and a hen"}) }) // called off, or done before
		cancel()
		g.Wait()
		if v, n := embed(t, m, "A fox runs."); len(v) != 1 || n == 0 {
			t.Errorf("%s: %d vectors, %d tokens", name, len(v), n)
		}
	}
}

// asked is the size of what the miner writes.
func asked(t *testing.T, a wire.Ask) int {
	t.Helper()
	var b bytes.Buffer
	if err := wire.Write(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

func TestAProgramThatGivesNoVectorIsEnded(t *testing.T) {
	t.Parallel()
	ready := frames(t, wire.Reply{Ready: &wire.Ready{Tokens: 100, Length: 64}})
	vector := func(id uint64, v ...float32) wire.Reply { return wire.Reply{ID: id, Vector: v} }
	prompt := func(id uint64) wire.Reply { return wire.Reply{ID: id, Prompt: 3} }
	done := func(id uint64) wire.Reply { return wire.Reply{ID: id, Done: &wire.Done{Reason: engine.Stopped}} }
	for name, c := range map[string]struct {
		says []wire.Reply
		want string
	}{
		"no vector":            {[]wire.Reply{prompt(1), done(1)}, "a text without a vector"},
		"no tokens":            {[]wire.Reply{vector(1, 1), done(1)}, "or without tokens"},
		"two vectors":          {[]wire.Reply{prompt(1), vector(1, 1), vector(1, 2), done(1)}, "says something else"},
		"a token":              {[]wire.Reply{prompt(1), {ID: 1, Token: &wire.Token{ID: 5, Bytes: []byte("x")}}, done(1)}, "says something else"},
		"an empty one":         {[]wire.Reply{prompt(1), vector(1), done(1)}, "says what it should not"},
		"another length":       {[]wire.Reply{prompt(1), vector(1, 1, 2), done(1), prompt(2), vector(2, 1), done(2)}, "vectors of 2 and of 1 numbers"},
		"an end for no reason": {[]wire.Reply{prompt(1), vector(1, 1), {ID: 1, Done: &wire.Done{}}}, "for no reason"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, tiny)
			cfg.Length, cfg.LoadWithin, cfg.SilentFor = 64, 20*time.Second, 20*time.Second
			var text strings.Builder
			text.WriteString("cat " + ready)
			for _, r := range c.says {
				if r.Prompt > 0 || name == "no tokens" && r.Vector != nil { // a request comes before
					text.WriteString(fmt.Sprintf("\nhead -c %d >/dev/null", asked(t, wire.Ask{ID: r.ID, Embed: "a"})))
				}
				text.WriteString("\ncat " + frames(t, r))
			}
			cfg.Program = script(t, text.String()+"\nexec sleep 1000")
			m := open(t, cfg)
			if _, _, err := m.Embed(t.Context(), []string{"a", "b"}); !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	// Whatever it says becomes a vector of length 1.
	cfg := config(t, tiny)
	cfg.Length = 64
	cfg.Program = script(t, "cat "+ready+"\nhead -c 4 >/dev/null\ncat "+frames(t, prompt(1), vector(1, math.MaxFloat32, -math.MaxFloat32), done(1))+"\nexec sleep 1000")
	v, _ := embed(t, open(t, cfg), "a")
	if a, b := float64(v[0][0]), float64(v[0][1]); math.Abs(a-math.Sqrt(0.5)) > 1e-6 || a != -b {
		t.Errorf("%v", v)
	}
}
