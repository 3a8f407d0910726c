package gguf_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aitbc/aitbc/engine/gguf"
)

// sample is a small file with every kind of value that the writer knows.
func sample(t testing.TB) []byte {
	t.Helper()
	var w gguf.Writer
	w.Text("general.architecture", "llama")
	w.Uint("llama.block_count", 3)
	w.Float("llama.rope.freq_base", 10000)
	w.Flag("tokenizer.ggml.add_bos_token", true)
	w.Texts("tokenizer.ggml.tokens", []string{"<unk>", "", "▁a"})
	w.Floats("tokenizer.ggml.scores", []float32{0, -1.5, 2})
	w.Ints("tokenizer.ggml.token_type", []int32{2, -1, 1})
	w.Tensor(gguf.Tensor{Name: "a", Type: gguf.F32, Dims: []uint64{3}, Data: make([]byte, 12)})
	w.Tensor(gguf.Tensor{Name: "b", Type: gguf.Q8_0, Dims: []uint64{64, 2}, Data: bytes.Repeat([]byte{7}, 136)})
	w.Tensor(gguf.Tensor{Name: "c", Type: gguf.F16, Dims: []uint64{5}, Data: bytes.Repeat([]byte{9}, 10)})
	var out bytes.Buffer
	if _, err := w.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadsBackWhatWasWritten(t *testing.T) {
	f, err := gguf.Parse(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := f.Text("general.architecture"); s != "llama" || err != nil {
		t.Errorf("text: %q, %v", s, err)
	}
	if n, err := f.Uint("llama.block_count"); n != 3 || err != nil {
		t.Errorf("number: %d, %v", n, err)
	}
	if x, err := f.Float("llama.rope.freq_base"); x != 10000 || err != nil {
		t.Errorf("float: %v, %v", x, err)
	}
	if b, err := f.Flag("tokenizer.ggml.add_bos_token"); !b || err != nil {
		t.Errorf("flag: %v, %v", b, err)
	}
	if s, err := f.Texts("tokenizer.ggml.tokens"); !slices.Equal(s, []string{"<unk>", "", "▁a"}) || err != nil {
		t.Errorf("texts: %q, %v", s, err)
	}
	if x, err := f.Floats("tokenizer.ggml.scores"); !slices.Equal(x, []float32{0, -1.5, 2}) || err != nil {
		t.Errorf("floats: %v, %v", x, err)
	}
	if n, err := f.Ints("tokenizer.ggml.token_type"); !slices.Equal(n, []int64{2, -1, 1}) || err != nil {
		t.Errorf("ints: %v, %v", n, err)
	}
	for _, want := range []struct {
		name string
		kind gguf.Type
		size int
		n    uint64
	}{{"a", gguf.F32, 12, 3}, {"b", gguf.Q8_0, 136, 128}, {"c", gguf.F16, 10, 5}} {
		got, err := f.Tensor(want.name)
		if err != nil || got.Type != want.kind || len(got.Data) != want.size || got.Elements() != want.n {
			t.Errorf("tensor %s: %v of %d bytes, %v", want.name, got.Type, len(got.Data), err)
		}
	}
	if b, _ := f.Tensor("b"); b.Data[135] != 7 {
		t.Error("tensor b has other data")
	}
}

func TestMissingAndMistypedValuesAreNamed(t *testing.T) {
	f, err := gguf.Parse(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	_, none := f.Text("no.such.key")
	_, kind := f.Uint("general.architecture")
	_, tensor := f.Tensor("d")
	for _, err := range []error{none, kind, tensor} {
		if !errors.Is(err, gguf.ErrMissing) {
			t.Errorf("got %v, want ErrMissing", err)
		}
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	whole := sample(t)
	for n := range whole {
		// The padding behind the last tensor is the only part that may be lost.
		_, err := gguf.Parse(whole[:n:n])
		if err == nil && n < len(whole)-22 {
			t.Fatalf("%d of %d bytes parse", n, len(whole))
		}
		if err != nil && !errors.Is(err, gguf.ErrFormat) {
			t.Fatalf("%d bytes: %v does not wrap ErrFormat", n, err)
		}
	}
}

// patched returns the sample with the bytes after marker (and skip more) replaced.
func patched(t *testing.T, marker string, skip int, with ...byte) []byte {
	t.Helper()
	b := sample(t)
	i := bytes.Index(b, []byte(marker))
	if i < 0 {
		t.Fatalf("no %q", marker)
	}
	copy(b[i+len(marker)+skip:], with)
	return b
}

func TestHostileFilesAreRefused(t *testing.T) {
	huge := bytes.Repeat([]byte{0xff}, 8)
	tests := map[string][]byte{
		"empty":                   {},
		"other magic":             append([]byte("GGML"), sample(t)[4:]...),
		"version 1":               patched(t, "GGUF", 0, 1),
		"2^64 tensors":            patched(t, "GGUF", 4, huge...),
		"2^64 pairs":              patched(t, "GGUF", 12, huge...),
		"2^64 bytes of text":      patched(t, "general.architecture", 4, huge...),
		"unknown value type":      patched(t, "llama.block_count", 0, 99),
		"2^64 array elements":     patched(t, "tokenizer.ggml.scores", 8, huge...),
		"array of arrays":         patched(t, "tokenizer.ggml.scores", 4, 9),
		"flag of 2":               patched(t, "add_bos_token", 4, 2),
		"unknown tensor type":     patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00a", 12, 77),
		"no dimensions":           patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00a", 0, 0),
		"99 dimensions":           patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00a", 0, 99),
		"extent of zero":          patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00a", 4, 0),
		"extent of 2^64":          patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00a", 4, huge...),
		"offset beyond the end":   patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00a", 16, 0, 0xff),
		"offset not aligned":      patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00a", 16, 1),
		"two tensors of one name": patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00b", -1, 'a'),
		"blocks cut in two":       patched(t, "\x01\x00\x00\x00\x00\x00\x00\x00b", 4, 63),
	}
	for name, data := range tests {
		if _, err := gguf.Parse(data); !errors.Is(err, gguf.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	for _, cut := range []int{4, 24, 60, 200} {
		f.Add(sample(f)[:cut])
	}
	if model, err := os.ReadFile(filepath.Join("..", "exact", "model", "aitbc-tiny.gguf")); err == nil {
		f.Add(model[:4096])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := gguf.Parse(data)
		if err != nil {
			if !errors.Is(err, gguf.ErrFormat) {
				t.Fatalf("%v does not wrap ErrFormat", err)
			}
			return
		}
		for _, tensor := range file.Tensors() {
			if len(tensor.Data) > len(data) {
				t.Fatalf("tensor %q has more bytes than the file", tensor.Name)
			}
		}
		for _, key := range file.Keys() {
			if !file.Has(key) {
				t.Fatalf("key %q is listed but not there", key)
			}
		}
	})
}
