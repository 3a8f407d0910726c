package gbnf_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/internal/gbnf"
	"github.com/aitbc/aitbc/internal/grammar"
)

// part is a piece of a random grammar. It can be written, makes texts, and says by trying
// everything where those texts end.
type part interface {
	write(b *strings.Builder)
	make(g *maker, b *strings.Builder)
	ends(w *reading, text []rune, from int) []int
}

// world is the rules.
type world []part

// reading tries everything on one text, each rule at each place once.
type reading struct {
	rules world
	known map[[2]int][]int
}

// maker draws a text; fuel bounds its recursion.
type maker struct {
	rules world
	draw  *rapid.T
	fuel  int
}

func (g *maker) pick(n int) int { return rapid.IntRange(0, n-1).Draw(g.draw, "pick") }

var alphabet = []rune("ab(é中😀\n\"]^-\\")

// escaped writes a character in one of the ways that there are.
func escaped(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case strings.ContainsRune(`"\]^-`, r) && r != '^' && r != '-':
		return `\` + string(r)
	case r == '^' || r == '-' || r == 'a':
		return fmt.Sprintf(`\x%02X`, r)
	case r == '中':
		return fmt.Sprintf(`\u%04x`, r)
	case r == '😀':
		return fmt.Sprintf(`\U%08X`, r)
	}
	return string(r)
}

type literal string

func (l literal) write(b *strings.Builder) {
	b.WriteByte('"')
	for _, r := range string(l) {
		b.WriteString(escaped(r))
	}
	b.WriteByte('"')
}
func (l literal) make(_ *maker, b *strings.Builder) { b.WriteString(string(l)) }
func (l literal) ends(_ *reading, text []rune, from int) []int {
	want := []rune(string(l))
	if from+len(want) <= len(text) && slices.Equal(text[from:from+len(want)], want) {
		return []int{from + len(want)}
	}
	return nil
}

// class is one of the characters, or one of the others; all of them for none.
type class struct {
	of  []rune
	not bool
}

func (c class) has(r rune) bool { return slices.Contains(c.of, r) != c.not }
func (c class) write(b *strings.Builder) {
	if len(c.of) == 0 {
		b.WriteByte('.')
		return
	}
	b.WriteByte('[')
	if c.not {
		b.WriteByte('^')
	}
	for _, r := range c.of {
		b.WriteString(escaped(r))
	}
	b.WriteByte(']')
}

func (c class) make(g *maker, b *strings.Builder) {
	fit := []rune{}
	for _, r := range append([]rune("zΩ𝄞"), alphabet...) {
		if c.has(r) {
			fit = append(fit, r)
		}
	}
	b.WriteRune(fit[g.pick(len(fit))])
}

func (c class) ends(_ *reading, text []rune, from int) []int {
	if from < len(text) && c.has(text[from]) {
		return []int{from + 1}
	}
	return nil
}

type sequence []part

func (s sequence) write(b *strings.Builder) {
	b.WriteString("(")
	for _, p := range s {
		b.WriteByte(' ')
		p.write(b)
	}
	b.WriteString(" # a comment\n)")
}

func (s sequence) make(g *maker, b *strings.Builder) {
	for _, p := range s {
		p.make(g, b)
	}
}

func (s sequence) ends(w *reading, text []rune, from int) []int {
	at := []int{from}
	for _, p := range s {
		var next []int
		for _, i := range at {
			next = append(next, p.ends(w, text, i)...)
		}
		slices.Sort(next)
		at = slices.Compact(next)
	}
	return at
}

// choice is one of the parts; the first needs no recursion.
type choice []part

func (c choice) write(b *strings.Builder) {
	b.WriteString("(")
	for i, p := range c {
		if i > 0 {
			b.WriteString(" |\n ")
		}
		p.write(b)
	}
	b.WriteString(")")
}

func (c choice) make(g *maker, b *strings.Builder) {
	if g.fuel--; g.fuel < 0 {
		c[0].make(g, b)
		return
	}
	c[g.pick(len(c))].make(g, b)
}

func (c choice) ends(w *reading, text []rune, from int) []int {
	var out []int
	for _, p := range c {
		out = append(out, p.ends(w, text, from)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// times repeats a part; most is -1 for any number.
type times struct {
	of          part
	least, most int
}

func (r times) write(b *strings.Builder) {
	r.of.write(b)
	switch {
	case r.least == 0 && r.most == 1:
		b.WriteByte('?')
	case r.least == 0 && r.most < 0:
		b.WriteByte('*')
	case r.least == 1 && r.most < 0:
		b.WriteByte('+')
	case r.most < 0:
		fmt.Fprintf(b, "{%d,}", r.least)
	default:
		fmt.Fprintf(b, "{%d,%d}", r.least, r.most)
	}
}

func (r times) make(g *maker, b *strings.Builder) {
	most := r.most
	if most < 0 {
		most = r.least + 2
	}
	for range r.least + g.pick(most-r.least+1) {
		r.of.make(g, b)
	}
}

func (r times) ends(w *reading, text []rune, from int) []int {
	at, out := []int{from}, []int(nil)
	for n := 0; len(at) > 0; n++ {
		if n >= r.least {
			out = append(out, at...)
		}
		if n == r.most || n > r.least+len(text) {
			break
		}
		var next []int
		for _, i := range at {
			next = append(next, r.of.ends(w, text, i)...)
		}
		slices.Sort(next)
		at = slices.Compact(next)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

type reference int

func (r reference) write(b *strings.Builder)          { b.WriteString(ruleName(int(r))) }
func (r reference) make(g *maker, b *strings.Builder) { g.rules[r].make(g, b) }
func (r reference) ends(w *reading, text []rune, from int) []int {
	at := [2]int{int(r), from}
	out, ok := w.known[at]
	if !ok {
		out = w.rules[r].ends(w, text, from)
		w.known[at] = out
	}
	return out
}

func ruleName(i int) string {
	if i == 0 {
		return "root"
	}
	return fmt.Sprintf("r-%d", i)
}

// random draws a part of rule i of n. Rules refer to later ones anywhere, and to earlier ones
// behind a character and beside an alternative, so that texts end and none begins with itself.
func random(t *rapid.T, i, n, depth int) part {
	few := func(from int) []part {
		out := make([]part, rapid.IntRange(from, 3).Draw(t, "parts"))
		for k := range out {
			out[k] = random(t, i, n, depth-1)
		}
		return out
	}
	kinds := 4
	if depth > 0 {
		kinds = 8
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0, 1:
		return literal(rapid.StringOfN(rapid.SampledFrom(alphabet), 0, 3, -1).Draw(t, "literal"))
	case 2:
		of := rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 3).Draw(t, "class")
		return class{of, len(of) == 0 || rapid.Bool().Draw(t, "not")}
	case 3:
		if i+1 < n {
			return reference(rapid.IntRange(i+1, n-1).Draw(t, "rule"))
		}
		return class{of: alphabet[:3]}
	case 4:
		return sequence(few(0))
	case 5:
		return choice(few(1))
	case 6:
		least := rapid.IntRange(0, 2).Draw(t, "least")
		most := rapid.SampledFrom([]int{-1, least, least + 1, least + 2}).Draw(t, "most")
		return times{random(t, i, n, depth-1), least, most}
	default:
		return choice{random(t, n, n, 0), sequence{literal("("), reference(rapid.IntRange(0, i).Draw(t, "back")), literal("b")}}
	}
}

func TestRandomGrammarsAreReadAsByTryingEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := make(world, rapid.IntRange(1, 4).Draw(t, "rules"))
		var text strings.Builder
		for i := range rules {
			rules[i] = random(t, i, len(rules), 3)
			text.WriteString(ruleName(i) + " ::= ")
			rules[i].write(&text)
			text.WriteByte('\n')
		}
		empty, err := gbnf.Compile(text.String())
		if err != nil {
			t.Fatalf("%s: %v", text.String(), err)
		}
		var made strings.Builder
		rules[0].make(&maker{rules, t, 4}, &made)
		said := made.String()
		if len(said) > 60 {
			return // a long text takes long by trying everything
		}
		// A text that can be read in too many ways is refused, and that is said.
		tooMuch := func() bool {
			_, err := empty.Err()
			return errors.Is(err, grammar.ErrTooMuch)
		}
		if begins, whole := reads(empty, said); (!begins || !whole) && !tooMuch() {
			t.Fatalf("%q of\n%s: begins %v, whole %v", said, text.String(), begins, whole)
		}
		// What is close to it is taken if trying everything takes it, and only then.
		other := []rune(said)
		for range rapid.IntRange(1, 2).Draw(t, "changes") {
			at := rapid.IntRange(0, len(other)).Draw(t, "at")
			switch {
			case at < len(other) && rapid.Bool().Draw(t, "drop"):
				other = slices.Delete(other, at, at+1)
			default:
				other = slices.Insert(other, at, rapid.SampledFrom(alphabet).Draw(t, "new"))
			}
		}
		want := slices.Contains(rules[0].ends(&reading{rules, map[[2]int][]int{}}, other, 0), len(other))
		if _, whole := reads(empty, string(other)); whole != want && (whole || !tooMuch()) {
			t.Fatalf("%q of\n%s: whole %v, by trying everything %v", string(other), text.String(), whole, want)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, g := range []string{arithmetic, chess, json, list, unicode, "root ::= root", "root ::= (\"\"*)* [^a-c]{3,}"} {
		f.Add(g, "1+2")
	}
	f.Add(json, `{"a":[1,"é"]}`)
	f.Fuzz(func(t *testing.T, g, text string) {
		p, err := gbnf.Compile(g)
		if err != nil {
			return
		}
		whole := p
		begins := whole.Add([]byte(text))
		if spent, _ := p.Err(); spent {
			return
		}
		if bytewise, complete := reads(p, text); bytewise != begins || begins && complete != whole.Complete() {
			t.Errorf("%q of %q: %v at once, %v by bytes", text, g, begins, bytewise)
		}
		if begins && whole.Complete() && !utf8.ValidString(text) {
			t.Errorf("%q of %q is complete, and no UTF-8", text, g)
		}
	})
}

// A step of the matcher, as the sampler asks for it, on texts that go on and that do not.
func BenchmarkAdd(b *testing.B) {
	for name, c := range map[string]struct{ grammar, text string }{
		"json": {json, `{"name":"Ada Lovelace","age":36,"tags":["a","b",{"c":[true,false,null]}]}`}, "arithmetic": {arithmetic, "1+2*(3-44)/-5+(((7)))"},
	} {
		b.Run(name, func(b *testing.B) {
			p := compile(b, c.grammar)
			bytes := []byte(c.text)
			for b.Loop() {
				next := p
				if !next.Take(bytes) {
					b.Fatal("refused")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(bytes)), "ns/byte")
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compile(b, json)
	}
}
