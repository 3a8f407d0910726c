package gbnf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/internal/gbnf"
	"github.com/aitbc/aitbc/internal/grammar"
)

const (
	arithmetic = `
# sums and products
root  ::= sum
sum   ::= term (("+" | "-") term)*
term  ::= factor (("*" | "/") factor)*
factor ::= [0-9]+ | "(" sum ")" | "-" factor
`
	chess = `root ::= ("1. " move " " move "\n")? move [+#]?
move ::= (pawn | piece | castle)
pawn ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBRQ])?
piece ::= [NBKRQ] [a-h]? [1-8]? "x"? [a-h] [1-8]
castle ::= "O-O" "-O"?`
	json = `root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array ::= "[" ws (
            value
    ("," ws value)*
  )? "]" ws
string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt/] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [1-9] [0-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
`
	list    = `root ::= ("- " [^\n]+ "\n"){2,3}`
	unicode = `root ::= [α-ω]{2} . "é" [\u4e00-\u9fff] [^\U0001F600-\U0001F64F\n] "\x21"?`
)

// reads says whether a text is the beginning of one that the grammar allows, and a whole one.
// It goes byte by byte, as tokens may end anywhere.
func reads(p grammar.Prefix, text string) (begins, whole bool) {
	for i := range len(text) {
		if !p.Add([]byte{text[i]}) {
			return false, false
		}
	}
	return true, p.Complete()
}

func compile(t testing.TB, text string) grammar.Prefix {
	t.Helper()
	p, err := gbnf.Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func TestWhatAGrammarSaysIsTakenAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		grammar, text string
		begins, whole bool
	}{
		{arithmetic, "1+2*(3-44)/-5", true, true},
		{arithmetic, "", true, false},
		{arithmetic, "1+", true, false},
		{arithmetic, "((((7", true, false},
		{arithmetic, "((((7))))", true, true},
		{arithmetic, "1)", false, false},
		{arithmetic, "+1", false, false},
		{arithmetic, "1 + 2", false, false},
		{chess, "e4", true, true},
		{chess, "1. e4 e5\nNf3", true, true},
		{chess, "O-O-O#", true, true},
		{chess, "exd8=Q+", true, true},
		{chess, "Nbxd2", true, true},
		{chess, "1. e4 ", true, false},
		{chess, "i4", false, false},
		{chess, "e9", false, false},
		{chess, "exd8=K", false, false},
		{json, `{"a": [1, -2.5e+3, true, null, "x\u00e9é\n"], "b":{}}`, true, true},
		{json, "{\n\t\"a\":1}\n", true, true},
		{json, `{"a":"`, true, false},
		{json, strings.Repeat("{\n \"a\": [ 1 , ", 300), true, false},
		{json, strings.Repeat("{\n \"a\": [ 1 ,\n", 300) + "{}" + strings.Repeat("\n]\n}", 300), true, true},
		{json, `{"a":01`, false, false},
		{json, "{\"a\":\"\n", false, false},
		{json, `[`, false, false},
		{json, `{"a":1,}`, false, false},
		{list, "- milk\n- bread\n", true, true},
		{list, "- milk\n", true, false},
		{list, "- milk\n- bread\n- a\n", true, true},
		{list, "- milk\n- bread\n- a\n-", false, false},
		{list, "- \n", false, false},
		{unicode, "αω😀é中x", true, true},
		{unicode, "αω\né中x!", true, true},
		{unicode, "αω😀é中\xe4", true, false},
		{unicode, "αω😀é中😀", false, false},
		{unicode, "αω😀é中\n", false, false},
		{unicode, "αw", false, false},
		{unicode, "αω\xed\xa0", false, false}, // a surrogate
		{unicode, "αω\xc0", false, false},     // no UTF-8
		{unicode, "αω\xf4\x90", false, false},
		{`root ::= "a"{3}`, "aaa", true, true},
		{`root ::= "a"{3}`, "aaaa", false, false},
		{`root ::= "a"{2,}`, "aaaaaaa", true, true},
		{`root ::= "a"{2,}`, "a", true, false},
		{`root ::= "ab"{,2} "c"`, "ababc", true, true},
		{`root ::= "ab"{,2} "c"`, "ababa", false, false},
		{`root ::= "ab"{0} "c"`, "c", true, true},
		{`root ::= "ab"? "c"+`, "abcc", true, true},
		{`root ::= ("a" | )  "b"`, "b", true, true},
		{`root ::= (blank*)* "x"` + "\nblank ::= \" \"*", "    x", true, true},
		{`root ::= (""*)+ "x"`, "x", true, true},
		{`root ::= ("a"?){3} "x"`, "aax", true, true},
		{`root ::= ("a"?){3} "x"`, "aaaa", false, false},
		{`root ::= [a-c-] [-x] [\]\[^] [^^]`, "-x^-", true, true},
		{`root ::= [a-c-] [-x] [\]\[^] [^^]`, "-x]^", false, false},
		{`root ::= ""`, "", true, true},
		{`root ::= (("a" | "a") | ("a" | "a"))*`, strings.Repeat("a", 500), true, true},
		{"root ::= a b |\n c # c\na ::= \"a\"\nb::=\"b\"\nc ::= \"c\"\r\n", "ab", true, true},
		{"root ::= (\n  \"a\" |\n  \"b\"\n) \"c\"\n", "bc", true, true},
	} {
		begins, whole := reads(compile(t, c.grammar), c.text)
		if begins != c.begins || whole != c.whole {
			t.Errorf("%q of %s: begins %v, whole %v", c.text, c.grammar, begins, whole)
		}
	}
}

func TestWhatIsNoGrammarIsRefusedWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		grammar      string
		line, column int
		says         string
	}{
		{"", 1, 1, `no rule "root"`},
		{"a ::= \"x\"\n", 2, 1, `no rule "root"`},
		{"root ::= a\n", 1, 10, `no rule "a"`},
		{"root ::= \"x\"\nroot ::= \"y\"", 2, 1, "already"},
		{"root ::= root \"x\" | \"y\"", 1, 1, "left recursion"},
		{"root ::= \"x\" b\na ::= b\nb ::= \"\"? a \"x\"", 3, 1, "left recursion"},
		{"root ::= (root \"x\")*", 1, 1, "left recursion"},
		{"root ::= root", 1, 1, "left recursion"},
		{"root = \"x\"", 1, 6, `"::="`},
		{"root ::= \"é\" $", 1, 14, `"$"`},
		{"root ::= \"x\"\n  | \"y\"", 2, 3, "should begin"},
		{"root ::= \"x\n\"", 1, 10, "not closed"},
		{"root ::= \"x", 1, 10, "not closed"},
		{"root ::= [a-", 1, 10, "not closed"},
		{"root ::= [z-a]", 1, 11, "before it begins"},
		{"root ::= []", 1, 10, "no character"},
		{"root ::= [^\\x00-\\U0010FFFF]", 1, 10, "leaves no character"},
		{"root ::= (\"x\"", 1, 10, "not closed"},
		{"root ::= (\"x\" ]", 1, 15, `"]"`},
		{"root ::= \"x\")", 1, 13, `")"`},
		{"root ::= \"\\q\"", 1, 11, "no escape"},
		{"root ::= \"\\xg0\"", 1, 11, "2 hexadecimal"},
		{"root ::= \"\\ud800\"", 1, 11, "no character"},
		{"root ::= \"\\U00110000\"", 1, 11, "no character"},
		{"root ::= \"\\u12", 1, 11, "4 hexadecimal"},
		{"root ::= \"\xff\"", 1, 11, "no UTF-8"},
		{"root ::= \"x\"{3,2}", 1, 13, "never"},
		{"root ::= \"x\"{1001}", 1, 13, "at most 1000"},
		{"root ::= \"x\"{99999999999}", 1, 13, "write how often"},
		{"root ::= \"x\"{,}", 1, 13, "write how often"},
		{"root ::= \"x\"{a}", 1, 13, "write how often"},
		{"root ::= \"x\"{2", 1, 13, "not closed"},
		{"root ::= * \"x\"", 1, 10, `"*"`},
		{"root ::= <think>", 1, 10, "tokens"},
		{"root ::= " + strings.Repeat("(", 65) + "\"x\"" + strings.Repeat(")", 65), 1, 74, "more than 64"},
		{"root ::= a{1000}\n" + "a ::= " + strings.Repeat("\"xxxxxxxxxx\"{1000} ", 40), 2, 0, "too large"},
		{"root ::= \"x\"\n" + strings.Repeat("# comment\n", 7000), 6554, 1, "beyond 65536 bytes"},
	} {
		_, err := gbnf.Compile(c.grammar)
		wrong, ok := errors.AsType[*gbnf.Error](err)
		if !ok || wrong.Line != c.line || c.column > 0 && wrong.Column != c.column || !strings.Contains(wrong.Message, c.says) {
			t.Errorf("%.60q: got %v, want line %d, column %d, %s", c.grammar, err, c.line, c.column, c.says)
		}
	}
}

// Where an answer may end, and where it must.
func TestTheEndIsWhereTheRootMayEnd(t *testing.T) {
	p := compile(t, `root ::= "a" "b"? "c"?`)
	for _, c := range []struct {
		add             string
		complete, ended bool
	}{{"", false, false}, {"a", true, false}, {"b", true, false}, {"c", true, true}} {
		if !p.Add([]byte(c.add)) || p.Complete() != c.complete || p.Ended() != c.ended {
			t.Errorf("behind %q: complete %v, ended %v", c.add, p.Complete(), p.Ended())
		}
	}
}

func TestWhatIsTooMuchIsSaid(t *testing.T) {
	for name, c := range map[string]struct{ grammar, text string }{
		"deep":      {"root ::= \"(\" root \")\" | \"x\"", strings.Repeat("(", 5000)},
		"ambiguous": {"root ::= a \"!\"\na ::= \"x\" a \"y\" | \"x\" a \"z\" | \"x\" a \"w\" | b\nb ::= \"x\"", strings.Repeat("x", 40)},
	} {
		p := compile(t, c.grammar)
		before := p
		if _, err := before.Err(); err != nil {
			t.Errorf("%s: %v before it was", name, err)
		}
		begins, _ := reads(p, c.text)
		if _, err := before.Err(); begins || !errors.Is(err, grammar.ErrTooMuch) {
			t.Errorf("%s: begins %v, %v", name, begins, err)
		}
	}
}

// What one token may cost is bounded, and each that was chosen begins anew.
func TestTheWorkForATokenIsBounded(t *testing.T) {
	var g strings.Builder
	g.WriteString("root ::= \"a\" root w | \"\"\nw ::= \"x\"")
	for i := range 1800 {
		fmt.Fprintf(&g, " | (\"!%d\")", i)
	}
	text := strings.Repeat("a", 1800)
	p := compile(t, g.String())
	for i := range len(text) {
		if !p.Take([]byte{text[i]}) {
			t.Fatalf("refused at byte %d: it is little work for each", i)
		}
	}
	if spent, err := p.Err(); spent || err != nil {
		t.Errorf("spent %v, %v", spent, err)
	}
	q := compile(t, g.String())
	first := q
	taken := q.Add([]byte(text))
	if spent, err := first.Err(); taken || !spent || !errors.Is(err, grammar.ErrTooMuch) {
		t.Errorf("taken at once %v, spent %v, %v", taken, spent, err)
	}
	if !first.Take([]byte("aa")) {
		t.Error("the next token has no work of its own")
	}
}

// A class is of all the characters of its range, however their bytes lie, and of no other.
func TestClassesHaveTheCharactersOfTheirRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := []rune{0, 0x7f, 0x80, 0xbf, 0xc0, 0xff, 0x7ff, 0x800, 0xfff, 0x1000, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x3ffff, 0x40000, 0x10ffff}
		place := rapid.OneOf(rapid.SampledFrom(places), rapid.Int32Range(0, 0x10ffff), rapid.Int32Range(0, 0x900)).Filter(utf8.ValidRune)
		a, b := place.Draw(t, "a"), place.Draw(t, "b")
		first, last := min(a, b), max(a, b)
		span := fmt.Sprintf(`\U%08X-\U%08X]`, first, last)
		in, err := gbnf.Compile("root ::= [" + span)
		if err != nil {
			t.Fatal(err)
		}
		if first == 0 && last == utf8.MaxRune {
			return // there are no others
		}
		out, err := gbnf.Compile("root ::= [^" + span)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range append(places, first-1, first+1, last-1, last+1, first|0x3f, last&^0x3f, first|0xfff, last&^0xfff, place.Draw(t, "other")) {
			if !utf8.ValidRune(r) {
				continue
			}
			_, within := reads(in, string(r))
			_, without := reads(out, string(r))
			if want := r >= first && r <= last; within != want || without == want {
				t.Fatalf("%U of [%s: within %v, without %v", r, span, within, without)
			}
		}
	})
}
