package llama_test

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/llama"
)

// bert writes a small encoder of random weights, in which each token looks at all others, as
// most models for embeddings are.
func bert(t *testing.T, pooling uint32) string {
	t.Helper()
	const width, hidden, context = 32, 64, 128
	words := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁a", "▁fox", "▁runs", "▁.", "▁die", "▁story", "▁about", "s", "▁ist"}
	var w gguf.Writer
	w.Text("general.architecture", "bert")
	for key, n := range map[string]uint32{
		"context_length": context, "embedding_length": width, "feed_forward_length": hidden, "block_count": 2, "attention.head_count": 4, "pooling_type": pooling,
	} {
		w.Uint("bert."+key, n)
	}
	w.Float("bert.attention.layer_norm_epsilon", 1e-12)
	w.Flag("bert.attention.causal", false)
	w.Text("tokenizer.ggml.model", "bert")
	w.Text("tokenizer.ggml.pre", "jina-v2-en")
	w.Texts("tokenizer.ggml.tokens", words)
	scores, kinds := make([]float32, len(words)), make([]int32, len(words))
	for i := range words {
		kinds[i] = 1
		if i < 5 {
			kinds[i] = 3
		}
	}
	w.Floats("tokenizer.ggml.scores", scores)
	w.Ints("tokenizer.ggml.token_type", kinds)
	w.Uint("tokenizer.ggml.token_type_count", 2)
	for key, id := range map[string]uint32{"padding": 0, "unknown": 1, "bos": 2, "cls": 2, "eos": 3, "seperator": 3, "mask": 4} { //nolint:misspell // llama.cpp's own spelling
		w.Uint("tokenizer.ggml."+key+"_token_id", id)
	}
	r := rand.New(rand.NewPCG(51, 52))
	tensor := func(name string, dims ...uint64) {
		n := uint64(1)
		for _, d := range dims {
			n *= d
		}
		out := gguf.Tensor{Name: name, Type: gguf.F32, Dims: dims}
		for range n {
			x := r.NormFloat64() / 4
			if len(dims) == 1 && strings.HasSuffix(name, "norm.weight") {
				x++
			}
			out.Data = binary.LittleEndian.AppendUint32(out.Data, math.Float32bits(float32(x)))
		}
		w.Tensor(out)
	}
	both := func(name string, dims ...uint64) {
		tensor(name+".weight", dims...)
		tensor(name+".bias", dims[len(dims)-1])
	}
	tensor("token_embd.weight", width, uint64(len(words)))
	tensor("token_types.weight", width, 2)
	tensor("position_embd.weight", width, context)
	both("token_embd_norm", width)
	for _, layer := range []string{"blk.0.", "blk.1."} {
		for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			both(layer+name, width, width)
		}
		both(layer+"attn_output_norm", width)
		both(layer+"ffn_up", width, hidden)
		both(layer+"ffn_down", hidden, width)
		both(layer+"layer_output_norm", width)
	}
	return written(t, &w)
}

// A model that orders texts gives one number for each, which is no vector.
func TestModelsThatOrderTextsAreRefused(t *testing.T) {
	t.Parallel()
	const rank = 4
	if _, err := llama.Open(t.Context(), config(t, bert(t, rank))); !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "orders texts") {
		t.Errorf("%v", err)
	}
}

func TestEncodersEmbed(t *testing.T) {
	t.Parallel()
	const mean, first = 1, 2
	vectors := map[uint32][]float32{}
	for _, how := range []uint32{mean, first} {
		cfg := config(t, bert(t, how))
		cfg.Slots = 2
		m := open(t, cfg)
		enginetest.Embeds(t, m)
		got, n := embed(t, m, "a fox runs")
		if n != 5 || len(got[0]) != 32 {
			t.Errorf("%d tokens, want three words and two around; %d numbers", n, len(got[0]))
		}
		vectors[how] = got[0]
		// The first token knows of the last, as none could in a model that continues text.
		if other, _ := embed(t, m, "a fox story"); cosine(other[0], got[0]) > 0.99999 {
			t.Errorf("pooling %d: another word at the end changes nothing", how)
		}
	}
	if c := cosine(vectors[mean], vectors[first]); c > 0.9999 {
		t.Errorf("the first token's vector is the mean of all: %g", c)
	}
}
