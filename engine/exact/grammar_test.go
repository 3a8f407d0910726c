package exact_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/internal/gbnf"
)

// grammars of several kinds: short ones, ones that go on as long as they like, and characters
// that take several tokens.
var grammars = []string{
	`root ::= "yes" | "no"`,
	"root ::= sum\nsum ::= [0-9]{1,3} (\" + \" sum | \" = \" [0-9]+)",
	"root ::= \"- \" [^\\n]{1,20} (\"\\n- \" [^\\n]{1,20}){2}",
	`root ::= [а-я]+ " " [一-龥]{2} "😀"?`,
	"root ::= \" \"? move (\" \" move)*\nmove ::= [NBRQK]? [a-h] [1-8]",
}

func fits(t testing.TB, grammar, text string) (begins, whole bool) {
	t.Helper()
	p, err := gbnf.Compile(grammar)
	if err != nil {
		t.Fatal(err)
	}
	return p.Add([]byte(text)), p.Complete()
}

// Whatever is asked, at any temperature, the answer is of the grammar, and ends by itself only
// where the grammar may end. The bits are the same with any number of threads, and beside others.
func TestGrammarsAreKept(t *testing.T) {
	one, two := embedded(t, 1), embedded(t, 2)
	var asked []engine.Request
	var want [][]uint32
	whole := 0
	for i, grammar := range grammars {
		for _, temperature := range []uint32{0, 700, 2000} {
			req := user("Tell me a story about a fox.")
			req.Grammar, req.TemperatureMilli, req.Seed, req.MaxTokens = grammar, temperature, uint64(i), 60
			r := generate(t, one, req)
			begins, complete := fits(t, grammar, strings.TrimRight(r.text(), "\ufffd"))
			if !begins || r.FinishReason == engine.Stopped && !complete {
				t.Errorf("%s at %d: got %q (%s)", grammar, temperature, r.text(), r.FinishReason)
			}
			if r.FinishReason == engine.Stopped {
				whole++
			}
			asked, want = append(asked, req), append(want, r.ids)
		}
	}
	if whole < len(asked)/2 {
		t.Errorf("%d of %d answers were whole", whole, len(asked))
	}
	var wg sync.WaitGroup
	for i, req := range asked {
		wg.Go(func() {
			var ids []uint32
			if _, err := two.Generate(t.Context(), req, func(token engine.Token) error { ids = append(ids, token.ID); return nil }); err != nil || !slices.Equal(ids, want[i]) {
				t.Errorf("%s: %v beside others on two threads, %v alone: %v", req.Grammar, ids, want[i], err)
			}
		})
	}
	wg.Wait()
}

// A grammar of one text leaves the model no choice but the tokens, and where it ends.
func TestAnyTextCanBeAskedFor(t *testing.T) {
	models := map[string]*exact.Model{"embedded": embedded(t, 1), "of random weights": load(t, synthetic{kind: gguf.Q8_0}.file(t), 1)}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("abc \n\"\\é中😀{}")), 1, 12, -1).Draw(t, "text")
		req := engine.Request{Prompt: "hello", Seed: 1, TemperatureMilli: rapid.SampledFrom([]uint32{0, 1500}).Draw(t, "temperature")}
		req.Grammar = "root ::= \""
		for _, r := range text {
			req.Grammar += fmt.Sprintf(`\U%08X`, r)
		}
		req.Grammar += `"`
		for name, m := range models {
			var got strings.Builder
			var b []byte
			r, err := m.Generate(t.Context(), req, func(token engine.Token) error {
				got.WriteString(token.Text)
				b = append(b, m.Text([]uint32{token.ID})...)
				return nil
			})
			if err != nil || r.FinishReason != engine.Stopped {
				t.Fatalf("%s: %q: %+v, %v", name, text, r, err)
			}
			// A character may be of several tokens, which no piece shows alone.
			if s := string(b); got.String() != text && s != text && s != " "+text {
				t.Errorf("%s: got %q and %q, want %q", name, got.String(), b, text)
			}
		}
	})
}

func BenchmarkGrammar(b *testing.B) {
	m := embedded(b, 1)
	for name, grammar := range map[string]string{"without": "", "any text": "root ::= .*", "lines of words": "root ::= ([a-zA-Z',.]+ [ \\n])+"} {
		b.Run(name, func(b *testing.B) {
			req := user("Tell me a story about a fox.")
			req.Grammar, req.MaxTokens, req.TemperatureMilli = grammar, 40, 800
			tokens := uint64(0)
			for b.Loop() {
				tokens += generate(b, m, req).CompletionTokens
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(tokens), "µs/token")
		})
	}
}
