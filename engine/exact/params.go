package exact

import (
	"errors"
	"fmt"
	"math"

	"github.com/aitbc/aitbc/engine/gguf"
)

// ErrModel says that a file is no model that this engine can run.
var ErrModel = errors.New("unusable model")

// params are the sizes of a llama network.
type params struct {
	layers, width, heads, kvHeads, headWidth, hidden int
	context                                          int
	eps                                              float32
	ropeBase                                         float64
}

func (p params) kvWidth() int { return p.kvHeads * p.headWidth }

// readParams reads and checks the sizes. Errors wrap [ErrModel] or gguf.ErrMissing.
func readParams(f *gguf.File) (params, error) {
	arch, err := f.Text("general.architecture")
	if err != nil {
		return params{}, err
	}
	if arch != "llama" {
		return params{}, fmt.Errorf("%w: architecture %q, known is \"llama\"", ErrModel, arch)
	}
	for _, key := range []string{"llama.expert_count", "llama.rope.scaling.type", "llama.attention.sliding_window"} {
		if n, err := f.Uint(key); f.Has(key) && (err != nil || n != 0) {
			if s, _ := f.Text(key); s != "none" {
				return params{}, fmt.Errorf("%w: %s is not supported", ErrModel, key)
			}
		}
	}
	p := params{ropeBase: 10000}
	for _, size := range []struct {
		key      string
		to       *int
		most     uint64
		fallback func() int
	}{
		{"llama.block_count", &p.layers, 1 << 10, nil},
		{"llama.embedding_length", &p.width, 1 << 16, nil},
		{"llama.feed_forward_length", &p.hidden, 1 << 18, nil},
		{"llama.context_length", &p.context, 1 << 20, nil},
		{"llama.attention.head_count", &p.heads, 1 << 10, nil},
		{"llama.attention.head_count_kv", &p.kvHeads, 1 << 10, func() int { return p.heads }},
		{"llama.rope.dimension_count", &p.headWidth, 1 << 12, func() int { return p.width / p.heads }},
	} {
		if size.fallback != nil && !f.Has(size.key) {
			*size.to = size.fallback()
			continue
		}
		n, err := f.Uint(size.key)
		if err != nil {
			return params{}, err
		}
		if n == 0 || n > size.most {
			return params{}, fmt.Errorf("%w: %s is %d, 1 to %d are allowed", ErrModel, size.key, n, size.most)
		}
		*size.to = int(n) //nolint:gosec // at most size.most
	}
	if p.heads%p.kvHeads != 0 || p.heads*p.headWidth != p.width || p.headWidth%2 != 0 {
		return params{}, fmt.Errorf("%w: %d heads, %d of keys, %d wide do not fit a width of %d", ErrModel, p.heads, p.kvHeads, p.headWidth, p.width)
	}
	eps, err := f.Float("llama.attention.layer_norm_rms_epsilon")
	if err != nil {
		return params{}, err
	}
	if f.Has("llama.rope.freq_base") {
		if p.ropeBase, err = f.Float("llama.rope.freq_base"); err != nil {
			return params{}, err
		}
	}
	if !(eps > 0 && eps < 1) || !(p.ropeBase >= 1 && p.ropeBase <= math.MaxFloat32) {
		return params{}, fmt.Errorf("%w: norm epsilon %v, rope base %v", ErrModel, eps, p.ropeBase)
	}
	p.eps = float32(eps)
	return p, nil
}
