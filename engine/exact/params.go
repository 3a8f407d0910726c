package exact

import (
	"errors"
	"fmt"
	"math"

	"github.com/aitbc/aitbc/engine/gguf"
)

// ErrModel says that a file is no model that this engine can run.
var ErrModel = errors.New("unusable model")

// An architecture says what its files have beside llama's, and how its positions
// turn.
type architecture struct {
	// bias: queries, keys and values have a bias.
	bias bool
	// headNorm: each head of queries and keys is normalised.
	headNorm bool
	// halves: rotary positions turn the pairs (i, i+n/2) of a head, not (2i, 2i+1).
	halves bool
}

var architectures = map[string]architecture{
	"llama": {},
	"qwen2": {bias: true, halves: true},
	"qwen3": {headNorm: true, halves: true},
}

// params are the sizes of a network.
type params struct {
	architecture

	name                                             string // of the architecture
	layers, width, heads, kvHeads, headWidth, hidden int
	context                                          int
	eps                                              float32
	ropeBase                                         float64
}

func (p params) queryWidth() int { return p.heads * p.headWidth }
func (p params) kvWidth() int    { return p.kvHeads * p.headWidth }

// readParams reads and checks the sizes. Errors wrap [ErrModel] or gguf.ErrMissing.
func readParams(f *gguf.File) (params, error) {
	arch, err := f.Text("general.architecture")
	if err != nil {
		return params{}, err
	}
	kind, known := architectures[arch]
	if !known {
		return params{}, fmt.Errorf("%w: architecture %q, known are llama, qwen2 and qwen3", ErrModel, arch)
	}
	if err := refuseExtras(f, arch); err != nil {
		return params{}, err
	}
	p := params{architecture: kind, name: arch, ropeBase: 10000}
	for _, size := range []struct {
		key      string
		to       *int
		most     uint64
		fallback func() int
	}{
		{".block_count", &p.layers, 1 << 10, nil},
		{".embedding_length", &p.width, 1 << 16, nil},
		{".feed_forward_length", &p.hidden, 1 << 18, nil},
		{".context_length", &p.context, 1 << 20, nil},
		{".attention.head_count", &p.heads, 1 << 10, nil},
		{".attention.head_count_kv", &p.kvHeads, 1 << 10, func() int { return p.heads }},
		{".attention.key_length", &p.headWidth, 1 << 12, func() int { return p.width / p.heads }},
	} {
		key := arch + size.key
		if size.fallback != nil && !f.Has(key) {
			*size.to = size.fallback()
			continue
		}
		n, err := f.Uint(key)
		if err != nil {
			return params{}, err
		}
		if n == 0 || n > size.most {
			return params{}, fmt.Errorf("%w: %s is %d, 1 to %d are allowed", ErrModel, key, n, size.most)
		}
		*size.to = int(n) //nolint:gosec // at most size.most
	}
	if p.heads%p.kvHeads != 0 || p.headWidth == 0 || p.headWidth%2 != 0 || p.queryWidth() > 1<<16 {
		return params{}, fmt.Errorf("%w: %d heads, %d of keys, %d wide do not fit a width of %d", ErrModel, p.heads, p.kvHeads, p.headWidth, p.width)
	}
	for _, key := range []string{".rope.dimension_count", ".attention.value_length"} {
		if n, err := f.Uint(arch + key); f.Has(arch+key) && (err != nil || n != uint64(p.headWidth)) { //nolint:gosec // positive
			return params{}, fmt.Errorf("%w: %s%s is %d, and heads are %d wide", ErrModel, arch, key, n, p.headWidth)
		}
	}
	return p, p.readFloats(f)
}

func (p *params) readFloats(f *gguf.File) error {
	eps, err := f.Float(p.name + ".attention.layer_norm_rms_epsilon")
	if err != nil {
		return err
	}
	if key := p.name + ".rope.freq_base"; f.Has(key) {
		if p.ropeBase, err = f.Float(key); err != nil {
			return err
		}
	}
	if !(eps > 0 && eps < 1) || !(p.ropeBase >= 1 && p.ropeBase <= math.MaxFloat32) {
		return fmt.Errorf("%w: norm epsilon %v, rope base %v", ErrModel, eps, p.ropeBase)
	}
	p.eps = float32(eps)
	return nil
}

// refuseExtras refuses what would change the results and is not computed here.
func refuseExtras(f *gguf.File, arch string) error {
	for _, key := range []string{".expert_count", ".rope.scaling.type", ".rope.scale_linear", ".attention.sliding_window"} {
		if n, err := f.Uint(arch + key); f.Has(arch+key) && (err != nil || n != 0) {
			if s, _ := f.Text(arch + key); s != "none" {
				return fmt.Errorf("%w: %s%s is not supported", ErrModel, arch, key)
			}
		}
	}
	return nil
}
