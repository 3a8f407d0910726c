package exact_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/aitbc/aitbc/engine/gguf"
)

// synthetic describes a small random model, made in the test.
type synthetic struct {
	kind     gguf.Type
	arch     string // "" is llama
	context  int    // 0 is contextLength
	width    int
	template string
	output   bool // has an output matrix of its own
	space    bool // adds a space before text
	change   func(*gguf.Writer)
	without  string // leaves out this tensor
}

const (
	layers, heads, kvHeads, contextLength = 2, 4, 2, 256
)

// words are the tokens beside control and byte tokens.
var words = []string{"\u2581", "a", "b", "c", "d", "e", "h", "l", "o", "ab", "he", "ll", "hell", "hello", "\u2581hello", "lo", "\u2581a", "\u2581b", "cd", "\u00e9"}

var control = []string{"<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"}

func (s synthetic) file(t testing.TB) []byte {
	t.Helper()
	if s.width == 0 {
		s.width = 64
	}
	hidden := 96
	if s.kind == gguf.Q4K || s.kind == gguf.Q6K { // have blocks of 256
		s.width, hidden = 256, 256
	}
	if s.arch == "" {
		s.arch = "llama"
	}
	var w gguf.Writer
	w.Text("general.architecture", s.arch)
	w.Text("general.name", "synthetic")
	for key, n := range map[string]int{
		"context_length": cmp.Or(s.context, contextLength), "embedding_length": s.width, "block_count": layers, "feed_forward_length": hidden,
		"attention.head_count": heads, "attention.head_count_kv": kvHeads,
	} {
		w.Uint(s.arch+"."+key, uint32(n))
	}
	w.Float(s.arch+".attention.layer_norm_rms_epsilon", 1e-5)
	if s.arch == "qwen3" {
		w.Uint("qwen3.attention.key_length", uint32(2*s.width/heads))
		w.Uint("qwen3.attention.value_length", uint32(2*s.width/heads))
	}
	w.Text("tokenizer.ggml.model", "llama")
	if s.template != "" {
		w.Text("tokenizer.chat_template", s.template)
	}
	w.Flag("tokenizer.ggml.add_space_prefix", s.space)
	tokens, scores, kinds := vocabulary()
	w.Texts("tokenizer.ggml.tokens", tokens)
	w.Floats("tokenizer.ggml.scores", scores)
	w.Ints("tokenizer.ggml.token_type", kinds)
	if s.change != nil {
		s.change(&w)
	}
	s.tensors(&w, len(tokens), hidden)
	var out bytes.Buffer
	if _, err := w.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func vocabulary() (tokens []string, scores []float32, kinds []int32) {
	for i, c := range control {
		tokens, scores, kinds = append(tokens, c), append(scores, 0), append(kinds, 3)
		if i == 0 {
			kinds[0] = 2
		}
	}
	for b := range 256 {
		tokens, scores, kinds = append(tokens, fmt.Sprintf("<0x%02X>", b)), append(scores, 0), append(kinds, 6)
	}
	for i, w := range words {
		// Longer words score higher, so that what is joined does not depend on the order here.
		tokens, scores, kinds = append(tokens, w), append(scores, float32(len(w)*100-i)), append(kinds, 1)
	}
	return tokens, scores, kinds
}

func (s synthetic) tensors(w *gguf.Writer, tokens, hidden int) {
	r := rand.New(rand.NewPCG(1, uint64(s.kind)))
	head := s.width / heads
	if s.arch == "qwen3" {
		head *= 2 // heads need not add up to the width
	}
	query, kv := heads*head, kvHeads*head
	matrix := func(name string, rows, cols int) {
		if name != s.without {
			w.Tensor(randomMatrix(r, s.kind, name, rows, cols))
		}
	}
	vector := func(name string, size int) {
		if name == s.without {
			return
		}
		t := gguf.Tensor{Name: name, Type: gguf.F32, Dims: []uint64{uint64(size)}}
		for range size {
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(1+r.NormFloat64()/8)))
		}
		w.Tensor(t)
	}
	matrix("token_embd.weight", tokens, s.width)
	if s.output {
		matrix("output.weight", tokens, s.width)
	}
	vector("output_norm.weight", s.width)
	for l := range layers {
		b := fmt.Sprintf("blk.%d.", l)
		vector(b+"attn_norm.weight", s.width)
		vector(b+"ffn_norm.weight", s.width)
		matrix(b+"attn_q.weight", query, s.width)
		matrix(b+"attn_k.weight", kv, s.width)
		matrix(b+"attn_v.weight", kv, s.width)
		matrix(b+"attn_output.weight", s.width, query)
		matrix(b+"ffn_gate.weight", hidden, s.width)
		matrix(b+"ffn_up.weight", hidden, s.width)
		matrix(b+"ffn_down.weight", s.width, hidden)
		switch s.arch {
		case "qwen2":
			vector(b+"attn_q.bias", query)
			vector(b+"attn_k.bias", kv)
			vector(b+"attn_v.bias", kv)
		case "qwen3":
			vector(b+"attn_q_norm.weight", head)
			vector(b+"attn_k_norm.weight", head)
		}
	}
}

// randomMatrix has weights of about 1/8, by bits alone, so that it is the same on
// every machine.
func randomMatrix(r *rand.Rand, kind gguf.Type, name string, rows, cols int) gguf.Tensor {
	t := gguf.Tensor{Name: name, Type: kind, Dims: []uint64{uint64(cols), uint64(rows)}}
	scale := func(exponent int) {
		t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(exponent<<10|r.IntN(1024)))
	}
	random := func(n int) {
		for range n {
			t.Data = append(t.Data, byte(r.IntN(256)))
		}
	}
	switch kind {
	case gguf.Q4_0:
		for range rows * cols / 32 {
			scale(9)
			random(16)
		}
		return t
	case gguf.Q4K:
		for range rows * cols / 256 {
			scale(3)
			scale(6)
			random(140)
		}
		return t
	case gguf.Q6K:
		for range rows * cols / 256 {
			random(208)
			scale(1)
		}
		return t
	default: // below
	}
	for range rows * cols / gguf.QBlock {
		if kind == gguf.Q8_0 {
			scale(5) // 2^-10 to 2^-9
		}
		for range gguf.QBlock {
			switch kind {
			case gguf.Q8_0:
				t.Data = append(t.Data, byte(r.IntN(255)-127))
			case gguf.F16:
				t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(r.IntN(2)<<15|(10+r.IntN(3))<<10|r.IntN(1024)))
			case gguf.BF16:
				t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(r.IntN(2)<<15|(122+r.IntN(3))<<7|r.IntN(128)))
			default:
				t.Data = binary.LittleEndian.AppendUint32(t.Data, uint32(r.IntN(2)<<31|(122+r.IntN(3))<<23|r.IntN(1<<23)))
			}
		}
	}
	return t
}
