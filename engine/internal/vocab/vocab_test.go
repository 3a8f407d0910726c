package vocab_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/internal/vocab"
)

// made builds a vocabulary of three control tokens, the bytes of "xyz!" and words.
func made(t *testing.T, change func(*gguf.Writer), words ...string) (*vocab.Vocab, error) {
	t.Helper()
	tokens := append([]string{"<unk>", "<s>", "</s>", "<0x78>", "<0x79>", "<0x7A>", "<0x21>"}, words...)
	scores, kinds := make([]float32, len(tokens)), []int32{2, 3, 3, 6, 6, 6, 6}
	for i := range words {
		scores[7+i], kinds = float32(-i), append(kinds, 1) // earlier words score higher
	}
	var w gguf.Writer
	w.Texts("tokenizer.ggml.tokens", tokens)
	w.Floats("tokenizer.ggml.scores", scores)
	w.Ints("tokenizer.ggml.token_type", kinds)
	if change == nil {
		change = func(w *gguf.Writer) { w.Text("tokenizer.ggml.model", "llama") }
	}
	change(&w)
	var out bytes.Buffer
	if _, err := w.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return vocab.New(f)
}

func TestTheBestScoredNeighboursAreJoinedFirst(t *testing.T) {
	words := []string{"bc", "ab", "abc", "aa", "a", "b", "c", "\u2581", "\u2581a"}
	v, err := made(t, nil, words...)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]string{
		"":      {},
		"ab":    {"ab"},
		"abc":   {"abc"}, // bc first, then a+bc
		"aaa":   {"aa", "a"},
		"aaaa":  {"aa", "aa"},
		" a a":  {"\u2581a", "\u2581a"},
		"  ":    {"\u2581", "\u2581"},
		"axb!q": {"a", "<0x78>", "b", "<0x21>", "<unk>"},
		"</s>":  {"<unk>", "<unk>", "<unk>", "<unk>"},
	}
	names := append([]string{"<unk>", "<s>", "</s>", "<0x78>", "<0x79>", "<0x7A>", "<0x21>"}, words...)
	for text, want := range tests {
		got := []string{}
		for _, id := range v.Encode(text) {
			got = append(got, names[id])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if n := v.LeastTokens(40); n != 10 {
		t.Errorf("40 bytes are at least %d tokens, want 10 of 4 bytes", n)
	}
	if id, ok := v.Control("</s>"); !ok || !v.IsEnd(id) || v.Bytes(id) != nil {
		t.Errorf("the end token: %d, %v, %q", id, ok, v.Bytes(id))
	}
	if v.Bytes(1<<30) != nil {
		t.Error("a token outside the vocabulary has text")
	}
}

func TestOtherVocabulariesAreRefused(t *testing.T) {
	tests := map[string]struct {
		change func(*gguf.Writer)
		want   error
	}{
		"another kind": {func(w *gguf.Writer) { w.Text("tokenizer.ggml.model", "bert") }, vocab.ErrUnsupported},
		"words of no known kind": {func(w *gguf.Writer) {
			w.Text("tokenizer.ggml.model", "gpt2")
			w.Text("tokenizer.ggml.pre", "bloom")
		}, vocab.ErrUnsupported},
		"no merges": {func(w *gguf.Writer) {
			w.Text("tokenizer.ggml.model", "gpt2")
			w.Text("tokenizer.ggml.pre", "gpt-2")
		}, gguf.ErrMissing},
		"half a merge": {func(w *gguf.Writer) {
			w.Text("tokenizer.ggml.model", "gpt2")
			w.Text("tokenizer.ggml.pre", "gpt-2")
			w.Texts("tokenizer.ggml.merges", []string{"a "})
		}, vocab.ErrUnsupported},
		"no bytes": {func(w *gguf.Writer) {
			w.Text("tokenizer.ggml.model", "gpt2")
			w.Text("tokenizer.ggml.pre", "gpt-2")
			w.Texts("tokenizer.ggml.merges", []string{"a b"})
		}, vocab.ErrUnsupported},
		"no kind": {func(*gguf.Writer) {}, gguf.ErrMissing},
		"a first token that is not there": {func(w *gguf.Writer) {
			w.Text("tokenizer.ggml.model", "llama")
			w.Uint("tokenizer.ggml.bos_token_id", 99)
		}, vocab.ErrUnsupported},
		"a number for a flag": {func(w *gguf.Writer) {
			w.Text("tokenizer.ggml.model", "llama")
			w.Uint("tokenizer.ggml.add_bos_token", 1)
		}, gguf.ErrMissing},
	}
	for name, c := range tests {
		if _, err := made(t, c.change); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
