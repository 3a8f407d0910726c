// Package weights tells what a GGUF file is, from the file itself.
package weights

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strings"

	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/gguf"
)

// A File is what a GGUF file says.
type File struct {
	// Digest is [exact.Digest].
	Digest [32]byte
	// Arch is the architecture, and Quant the kind that most of the weights have, as
	// parts of a class.
	Arch, Quant string
	// Parameters counts the weights.
	Parameters uint64
	// Template is the chat template, "" for none.
	Template string
	// Context is how many tokens the model was trained on at a time, 0 if the file does not say.
	Context uint64
	// Pooling is how the vectors of a text's tokens become one, by llama.cpp's number: more
	// than 0 in a model that is for embeddings and nothing else.
	Pooling int32
	// Unspaced says that answers begin with a space that is no part of them.
	Unspaced bool
}

// Open reads a file, see [Read].
func Open(path string) (File, error) {
	f, err := os.Open(path) //nolint:gosec // the caller names it
	if err != nil {
		return File{}, fmt.Errorf("weights: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return Read(f)
}

// Read reads a file of weights. It takes as long as the disk and the hash do. What is no
// GGUF file gives an error that wraps [gguf.ErrFormat] or [gguf.ErrMissing].
func Read(file *os.File) (w File, err error) {
	data, done, err := mapFile(file)
	if err != nil {
		return File{}, err
	}
	defer done()
	// A file that shrinks while it is read faults.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("weights: %v", fault)
		}
	}()
	f, err := gguf.Parse(data)
	if err != nil {
		return File{}, err
	}
	arch, err := f.Text("general.architecture")
	if err != nil {
		return File{}, err
	}
	w.Arch, w.Digest = Word(arch), exact.Digest(f)
	size := map[gguf.Type]uint64{}
	for _, t := range f.Tensors() {
		size[t.Type] += uint64(len(t.Data))
		w.Parameters += t.Elements()
	}
	most := uint64(0)
	for kind, n := range size {
		if name := strings.ToLower(kind.String()); n > most || n == most && name < w.Quant {
			w.Quant, most = name, n
		}
	}
	w.describe(f, arch)
	return w, nil
}

// describe reads what a file need not have.
func (w *File) describe(f *gguf.File, arch string) {
	if s, err := f.Text("tokenizer.chat_template"); err == nil {
		w.Template = strings.Clone(s)
	}
	if n, err := f.Uint(arch + ".context_length"); err == nil {
		w.Context = n
	}
	if n, err := f.Uint(arch + ".pooling_type"); err == nil {
		w.Pooling = int32(min(n, math.MaxInt32))
	}
	if kind, err := f.Text("tokenizer.ggml.model"); err == nil {
		w.Unspaced = kind == "llama"
	}
	if spaced, err := f.Flag("tokenizer.ggml.add_space_prefix"); err == nil {
		w.Unspaced = spaced
	}
}

// Word is a text of others as a part of a class.
func Word(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != ';' && r != '=' && r != '/' {
			return r
		}
		return '-'
	}, s)
	return cmp.Or(clean[:min(len(clean), 40)], "unknown")
}
