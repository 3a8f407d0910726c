// Package exact runs llama-architecture models from GGUF files in pure Go, so that
// the same request gives the same tokens, and the same logits to the last bit, on
// every CPU and with any number of threads. Whoever has the weights can replay an
// answer and compare it.
//
// Weights are F32, F16, BF16 or Q8_0; vocabularies are SentencePiece's. Q8_0
// weights meet activations that are quantised to bytes as well; package kernel has
// the order of operations and sampler the choice of tokens, which together are
// the meaning of the class "exact/1". A model is named by [Digest].
//
// A small model of our own is embedded (training/ makes it), so that a fresh
// machine runs real jobs at once.
package exact

import (
	_ "embed" // for the embedded model
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact/internal/vocab"
	"github.com/aitbc/aitbc/engine/gguf"
)

//go:embed model/aitbc-tiny.gguf
var embedded []byte

// Config says how to run a model.
type Config struct {
	// Name is what clients call the model; empty means the name in the file.
	Name string
	// Threads is the most threads that one request uses; 0 means 1. It changes
	// the speed and nothing else.
	Threads int
}

// Model is a loaded model. It implements [engine.Model]; requests run
// concurrently, each with its own memory.
type Model struct {
	net    *network
	vocab  *vocab.Vocab
	format *format
	info   engine.Info
}

var _ engine.Model = (*Model)(nil)

// Embedded loads the model that is part of this program.
func Embedded(cfg Config) (*Model, error) { return Load(embedded, cfg) }

// Open loads a model from a file.
func Open(path string, cfg Config) (*Model, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if cfg.Name == "" {
		cfg.Name = strings.TrimSuffix(filepath.Base(path), ".gguf")
	}
	m, err := Load(data, cfg)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
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
	net, err := newNetwork(f, p, v.Len(), max(1, cfg.Threads))
	if err != nil {
		return nil, err
	}
	m := &Model{net: net, vocab: v}
	if template, err := f.Text("tokenizer.chat_template"); err == nil {
		m.format = formatOf(template)
	}
	m.info = engine.Info{
		Name: cfg.Name, Digest: Digest(f), TokenIDs: true, ContextLength: uint64(p.context), //nolint:gosec // at most 2^20
		Class: "exact/1;arch=llama;quant=" + quantisation(f) + ";det=bitwise",
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
