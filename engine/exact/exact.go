// Package exact runs models of the architectures llama, qwen2 and qwen3 from GGUF
// files in Go and its assembly, so that the same request gives the same tokens, and
// the same logits to the last bit, on every CPU, with any number of threads and in
// any company. Whoever has the weights can replay an answer and compare it.
//
// Weights are F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K. Quantised weights meet
// activations that are quantised to bytes as well; package kernel has the order of
// operations and sampler the choice of tokens, which together are the meaning of the
// class "exact/1". A model is named by [Digest].
//
// Requests that run at the same time go through the network together, and those of
// one scope share what they have in common from the beginning.
//
// A small model of our own is embedded (training/ makes it), so that a fresh
// machine runs real jobs at once.
package exact

import (
	_ "embed" // for the embedded model
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/internal/chat"
	"github.com/aitbc/aitbc/engine/internal/vocab"
)

//go:embed model/aitbc-tiny.gguf
var embedded []byte

// Config says how to run a model.
type Config struct {
	// Name is what clients call the model; empty means the name in the file.
	Name string
	// Threads is the most threads that the model uses, for all its requests together;
	// 0 means as many as the process has. It changes the speed and nothing else.
	Threads int
	// KeepTokens is how many tokens stay in memory after their request, for others of
	// the same scope that begin like it; 0 means 4 contexts, but at most 256 MiB, and
	// less than 0 none.
	KeepTokens int
}

// mostKept is the memory that tokens may take if nobody says how many.
const mostKept = 256 << 20

// Model is a loaded model. It implements [engine.Model].
type Model struct {
	net      *network
	schedule *schedule
	vocab    *vocab.Vocab
	format   *chat.Format
	info     engine.Info
}

var _ engine.Model = (*Model)(nil)

// Embedded loads the model that is part of this program.
func Embedded(cfg Config) (*Model, error) { return Load(embedded, cfg) }

// Open loads a model from a file.
func Open(path string, cfg Config) (*Model, error) {
	data, free, err := readAside(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if cfg.Name == "" {
		cfg.Name = strings.TrimSuffix(filepath.Base(path), ".gguf")
	}
	m, err := Load(data, cfg)
	if err != nil {
		free()
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	// All that refers to the file's bytes is the network's, and whoever uses them holds it.
	runtime.AddCleanup(m.net, func(free func()) { free() }, free)
	return m, nil
}

// Load makes a model of a file's bytes. Errors wrap gguf.ErrFormat, gguf.ErrMissing,
// [ErrModel] or vocab's: the file is damaged, lacks something, or is a model of
// another kind.
func Load(data []byte, cfg Config) (*Model, error) {
	f, err := gguf.Parse(data)
	if err != nil {
		return nil, err
	}
	p, err := readParams(f)
	if err != nil {
		return nil, err
	}
	v, err := vocab.New(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	threads := cfg.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	net, err := newNetwork(f, p, v.Len(), threads)
	if err != nil {
		return nil, err
	}
	m := &Model{net: net, schedule: newSchedule(net, keptPages(cfg, p)), vocab: v}
	if template, err := f.Text("tokenizer.chat_template"); err == nil {
		m.format = chat.Of(template)
	}
	m.info = engine.Info{
		Name: cfg.Name, Digest: Digest(f), TokenIDs: true, ContextLength: uint64(p.context), //nolint:gosec // at most 2^20
		Class: "exact/1;arch=" + p.name + ";quant=" + quantisation(f) + ";det=bitwise",
	}
	if m.info.Name == "" {
		if m.info.Name, err = f.Text("general.name"); err != nil {
			return nil, err
		}
	}
	for _, t := range f.Tensors() {
		m.info.Parameters += t.Elements()
	}
	return m, nil
}

// keptPages is how many pages of tokens stay in memory.
func keptPages(cfg Config, p params) int {
	if cfg.KeepTokens != 0 {
		return max(0, cfg.KeepTokens/pageSize)
	}
	return min(4*p.context/pageSize, mostKept/(8*p.layers*p.kvWidth()*pageSize))
}

// quantisation names the type that most of the weights have.
func quantisation(f *gguf.File) string {
	count := map[gguf.Type]uint64{}
	most := gguf.F32
	for _, t := range f.Tensors() {
		if count[t.Type] += t.Elements(); count[t.Type] > count[most] {
			most = t.Type
		}
	}
	return most.String()
}

// Info describes the model.
func (m *Model) Info() engine.Info { return m.info }

// Close does nothing: the memory goes when nobody refers to the model.
func (m *Model) Close() error { return nil }
