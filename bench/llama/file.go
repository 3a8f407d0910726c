package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"

	"github.com/aitbc/aitbc/engine/gguf"
)

// shape is what a model measures; its weights are random.
type shape struct {
	name                                string
	arch                                string
	width, heads, kvHeads, head, hidden int
	layers, vocabulary, context         int
	kind                                gguf.Type
}

// write makes the model's file.
func (s shape) write(path string) error {
	var w gguf.Writer
	w.Text("general.architecture", s.arch)
	w.Text("general.name", s.name)
	for key, n := range map[string]int{
		"context_length": s.context, "embedding_length": s.width, "block_count": s.layers, "feed_forward_length": s.hidden,
		"attention.head_count": s.heads, "attention.head_count_kv": s.kvHeads, "rope.dimension_count": s.head,
		"attention.key_length": s.head, "attention.value_length": s.head, "vocab_size": s.vocabulary,
	} {
		w.Uint(s.arch+"."+key, uint32(n)) //nolint:gosec // small
	}
	w.Float(s.arch+".attention.layer_norm_rms_epsilon", 1e-5)
	w.Float(s.arch+".rope.freq_base", 10000)
	s.tokens(&w)
	s.tensors(&w)
	f, err := os.Create(path) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	if _, err := w.WriteTo(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func (s shape) tokens(w *gguf.Writer) {
	texts, scores, kinds := []string{"<unk>", "<s>", "</s>"}, []float32{0, 0, 0}, []int32{2, 3, 3}
	for b := range 256 {
		texts, scores, kinds = append(texts, fmt.Sprintf("<0x%02X>", b)), append(scores, 0), append(kinds, 6)
	}
	for i := len(texts); i < s.vocabulary; i++ {
		texts, scores, kinds = append(texts, fmt.Sprintf("\u2581w%d", i)), append(scores, float32(-i)), append(kinds, 1)
	}
	w.Text("tokenizer.ggml.model", "llama")
	w.Texts("tokenizer.ggml.tokens", texts)
	w.Floats("tokenizer.ggml.scores", scores)
	w.Ints("tokenizer.ggml.token_type", kinds)
	w.Uint("tokenizer.ggml.bos_token_id", 1)
	w.Uint("tokenizer.ggml.eos_token_id", 2)
	w.Uint("tokenizer.ggml.unknown_token_id", 0)
}

func (s shape) tensors(w *gguf.Writer) {
	r := rand.New(rand.NewPCG(1, uint64(s.kind))) //nolint:gosec // not a secret
	query, kv := s.heads*s.head, s.kvHeads*s.head
	matrix := func(name string, rows, cols int) { w.Tensor(random(r, s.kind, name, rows, cols)) }
	vector := func(name string, size int) {
		t := gguf.Tensor{Name: name, Type: gguf.F32, Dims: []uint64{uint64(size)}} //nolint:gosec // positive
		for range size {
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(1+r.NormFloat64()/8)))
		}
		w.Tensor(t)
	}
	matrix("token_embd.weight", s.vocabulary, s.width)
	matrix("output.weight", s.vocabulary, s.width)
	vector("output_norm.weight", s.width)
	for l := range s.layers {
		b := fmt.Sprintf("blk.%d.", l)
		vector(b+"attn_norm.weight", s.width)
		vector(b+"ffn_norm.weight", s.width)
		matrix(b+"attn_q.weight", query, s.width)
		matrix(b+"attn_k.weight", kv, s.width)
		matrix(b+"attn_v.weight", kv, s.width)
		matrix(b+"attn_output.weight", s.width, query)
		matrix(b+"ffn_gate.weight", s.hidden, s.width)
		matrix(b+"ffn_up.weight", s.hidden, s.width)
		matrix(b+"ffn_down.weight", s.width, s.hidden)
		switch s.arch {
		case "qwen2":
			vector(b+"attn_q.bias", query)
			vector(b+"attn_k.bias", kv)
			vector(b+"attn_v.bias", kv)
		case "qwen3":
			vector(b+"attn_q_norm.weight", s.head)
			vector(b+"attn_k_norm.weight", s.head)
		}
	}
}

// random has weights whose products with vectors of length √cols are about 1.
func random(r *rand.Rand, kind gguf.Type, name string, rows, cols int) gguf.Tensor {
	t := gguf.Tensor{Name: name, Type: kind, Dims: []uint64{uint64(cols), uint64(rows)}} //nolint:gosec // positive
	spread := 1 / math.Sqrt(float64(cols))
	half := func(v float64) { t.Data = binary.LittleEndian.AppendUint16(t.Data, binary16(v*(0.75+r.Float64()/2))) }
	bytes := func(n int) {
		for n > 0 {
			var word [8]byte
			binary.LittleEndian.PutUint64(word[:], r.Uint64())
			t.Data = append(t.Data, word[:min(n, 8)]...)
			n -= 8
		}
	}
	n := rows * cols
	switch kind {
	case gguf.Q8_0:
		for range n / 32 {
			half(spread / 73.9)
			bytes(32)
			for i, b := range t.Data[len(t.Data)-32:] {
				if b == 0x80 { // quantisers make no -128, and llama.cpp's products do not expect it
					t.Data[len(t.Data)-32+i] = 0x81
				}
			}
		}
	case gguf.Q4_0:
		for range n / 32 {
			half(spread / 4.6)
			bytes(16)
		}
	case gguf.Q4K:
		for range n / 256 {
			d := spread / 4.6 / 40
			t.Data = binary.LittleEndian.AppendUint16(t.Data, binary16(d))
			t.Data = binary.LittleEndian.AppendUint16(t.Data, binary16(7.5*d))
			for range 8 {
				t.Data = append(t.Data, 0xa0|byte(r.Uint32()&15)) // scales and minima from 32 to 47
			}
			bytes(4)
			bytes(128)
		}
	case gguf.Q6K:
		for range n / 256 {
			bytes(192)
			for range 16 {
				t.Data = append(t.Data, 32|byte(r.Uint32()&31))
			}
			half(spread / 18.5 / 48)
		}
	case gguf.F16:
		for range n {
			t.Data = binary.LittleEndian.AppendUint16(t.Data, binary16(r.NormFloat64()*spread))
		}
	case gguf.BF16:
		for range n {
			t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(math.Float32bits(float32(r.NormFloat64()*spread))>>16))
		}
	default:
		for range n {
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(r.NormFloat64()*spread)))
		}
	}
	return t
}

// binary16 is the half below a value's magnitude.
func binary16(v float64) uint16 {
	sign := uint16(0)
	if v < 0 {
		sign, v = 1<<15, -v
	}
	fraction, exponent := math.Frexp(v)
	if exponent < -13 { // subnormal
		return sign | uint16(v*(1<<24))
	}
	return sign | uint16(exponent+14)<<10 | uint16((fraction*2-1)*1024) //nolint:gosec // small
}
