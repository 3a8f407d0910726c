package openai

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/gguf"
)

// weights is what a GGUF file says.
type weights struct {
	digest      [32]byte
	arch, quant string
	parameters  uint64
}

// readWeights reads a file of weights. It takes as long as the disk and the hash do.
func readWeights(path string) (w weights, err error) {
	data, done, err := mapFile(path)
	if err != nil {
		return weights{}, err
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
		return weights{}, err
	}
	w.digest = exact.Digest(f)
	if w.arch, err = f.Text("general.architecture"); err != nil {
		return w, err
	}
	w.arch = word(w.arch)
	// The kind that most of the weights have.
	size := map[gguf.Type]uint64{}
	for _, t := range f.Tensors() {
		size[t.Type] += uint64(len(t.Data))
		w.parameters += t.Elements()
	}
	most := uint64(0)
	for kind, n := range size {
		if name := strings.ToLower(kind.String()); n > most || n == most && name < w.quant {
			w.quant, most = name, n
		}
	}
	return w, nil
}

// stamp tells whether a file was changed, as far as can be seen: "" if it cannot.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
}
