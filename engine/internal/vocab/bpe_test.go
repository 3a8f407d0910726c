package vocab_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/internal/vocab"
)

// bytePairs builds a byte-pair vocabulary: every byte but those that are left out, the
// words, a control token and one of its own.
func bytePairs(t testing.TB, pre string, without string, words, merges []string) (*vocab.Vocab, []string) {
	t.Helper()
	var tokens []string
	next := rune(256)
	for b := range rune(256) {
		r := b
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r, next = next, next+1
		}
		if !strings.ContainsRune(without, r) {
			tokens = append(tokens, string(r))
		}
	}
	tokens = append(tokens, words...)
	kinds := slices.Repeat([]int32{1}, len(tokens))
	tokens, kinds = append(tokens, "<|end|>", "<tool>"), append(kinds, 3, 4)
	var w gguf.Writer
	w.Text("tokenizer.ggml.model", "gpt2")
	w.Text("tokenizer.ggml.pre", pre)
	w.Texts("tokenizer.ggml.tokens", tokens)
	w.Ints("tokenizer.ggml.token_type", kinds)
	w.Texts("tokenizer.ggml.merges", merges)
	var out bytes.Buffer
	if _, err := w.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	v, err := vocab.New(f)
	if err != nil {
		t.Fatal(err)
	}
	return v, tokens
}

// Each word is a token by itself where words are taken whole, so that the tokens show
// how text is split.
func TestMergesAreMadeInTheirOrder(t *testing.T) {
	words := []string{"ab", "abc", "bc", "\u0120a", "\u0120ab"}
	v, names := bytePairs(t, "gpt-2", "", words, []string{"b c", "a b", "a bc", "\u0120 a", "\u0120a b"})
	for text, want := range map[string][]string{
		"":            {},
		"abc":         {"abc"},          // b and c first
		"ab":          {"ab"},           //
		" ab":         {"\u0120", "ab"}, // a and b before the space
		" ac":         {"\u0120a", "c"}, //
		"abab bc":     {"ab", "ab", "\u0120", "bc"},
		"<|end|>":     {"<", "|", "e", "n", "d", "|", ">"}, // is only what it is called
		"a<tool>b":    {"a", "<tool>", "b"},
		"<tool<tool>": {"<", "t", "o", "o", "l", "<tool>"},
	} {
		got := []string{}
		var back []byte
		for _, id := range v.Encode(text) {
			got, back = append(got, names[id]), append(back, v.Bytes(id)...)
		}
		if !slices.Equal(got, want) || string(back) != text {
			t.Errorf("%q: got %q, want %q; it comes back as %q", text, got, want, back)
		}
	}
	if _, begins := v.Begin(); begins || v.SpacePrefix() {
		t.Error("it adds something to prompts")
	}
	if v.Bytes(uint32(len(names)-2)) != nil {
		t.Error("a control token has text")
	}
}

func TestWhatCannotBeSaidIsReplaced(t *testing.T) {
	v, _ := bytePairs(t, "qwen2", "\u00f1\u00c0", nil, nil)
	for text, want := range map[string]string{"a\u00e9\U00040000b": "a\u00e9\ufffdb", "\xc0": "\ufffd", "\xff": "\xff"} {
		var back []byte
		for _, id := range v.Encode(text) {
			back = append(back, v.Bytes(id)...)
		}
		if string(back) != want {
			t.Errorf("%q is said as %q, want %q", text, back, want)
		}
	}
}

func FuzzBytePairsComeBack(f *testing.F) {
	vocabs := map[string]*vocab.Vocab{}
	for _, pre := range []string{"gpt-2", "starcoder", "llama-bpe", "qwen2", "qwen35"} {
		vocabs[pre], _ = bytePairs(f, pre, "", []string{"ab", "\u0120a", "\u010a\u010a"}, []string{"a b", "\u0120 a", "\u010a \u010a"})
	}
	for _, s := range []string{"", " a  b\n\n c'll 1234", "a\xff\xfe", "<tool><tool", "\r\n \u00a0\u3000x", "e\u0301\u0e01\u0e33", "12345 ''S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for pre, v := range vocabs {
			ids := v.Encode(text)
			var back []byte
			for _, id := range ids {
				back = append(back, v.Bytes(id)...)
			}
			if string(back) != text {
				t.Errorf("%s: %q came back as %q", pre, text, back)
			}
			if len(ids) < v.LeastTokens(len(text)) {
				t.Errorf("%s: %q has %d tokens, at least %d were promised", pre, text, len(ids), v.LeastTokens(len(text)))
			}
			if utf8.ValidString(text) && len(ids) > len(text) {
				t.Errorf("%s: %q has %d tokens", pre, text, len(ids))
			}
		}
	})
}
