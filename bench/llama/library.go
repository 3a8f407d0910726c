package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/ebitengine/purego"
)

// libraryPackage is the npm package that llama.cpp's shared libraries come from; the
// layouts below are those of this version.
const (
	libraryPackage = "@node-llama-cpp/linux-x64"
	libraryVersion = "3.22.1"
)

// fetchLibrary gets the libraries from npm, which checks their digest, and returns
// their folder.
func fetchLibrary(ctx context.Context, dir string) (string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", errors.New("the peer's libraries are for linux on amd64")
	}
	install := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", //nolint:gosec // our own words
		libraryPackage+"@"+libraryVersion)
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install %s: %w\n%s", libraryPackage, err, out)
	}
	return filepath.Join(dir, "node_modules", libraryPackage, "bins", "linux-x64"), nil
}

// modelParams is struct llama_model_params.
type modelParams struct {
	Devices, BufferTypes           uintptr
	GPULayers, SplitMode           int32
	LoadMode, LazyMode, MainGPU    int32
	TensorSplit, Progress, Data    uintptr
	Overrides                      uintptr
	VocabOnly, CheckTensors, Extra bool
	NoHost, NoAlloc, LoadMTP       bool
}

// contextParams is struct llama_context_params.
type contextParams struct {
	Context, Batch, Ubatch, MaxSequences         uint32
	Snapshots, MaxOutputs, MaxOutputsOfOne       uint32
	Threads, ThreadsBatch                        int32
	Type, RopeScaling, Pooling, Attention, Flash int32
	RopeBase, RopeScale                          float32
	YarnExt, YarnAttn, YarnFast, YarnSlow        float32
	YarnContext                                  uint32
	Defrag                                       float32
	Eval, EvalData                               uintptr
	TypeK, TypeV                                 int32
	Abort, AbortData                             uintptr
	Embeddings, OffloadKQV, NoPerf, OffloadOps   bool
	SWAFull, Unified                             bool
	Samplers                                     uintptr
	SamplerCount                                 uint64
	Other                                        uintptr
}

// tokenBatch is struct llama_batch.
type tokenBatch struct {
	Count    int32
	Tokens   *int32
	Embd     uintptr
	Position uintptr
	Counts   uintptr
	Sequence uintptr
	Logits   *int8
}

// peer is llama.cpp.
type peer struct {
	modelDefaults   func() modelParams
	contextDefaults func() contextParams
	loadModel       func(string, modelParams) uintptr
	newContext      func(uintptr, contextParams) uintptr
	decode          func(uintptr, tokenBatch) int32
	logits          func(uintptr, int32) *float32
	memory          func(uintptr) uintptr
	clear           func(uintptr, bool)
	freeModel       func(uintptr)
	freeContext     func(uintptr)
}

func openLibrary(dir string) (*peer, error) {
	var last uintptr
	for _, name := range []string{"libggml-base.so", "libggml.v0.5.0.so", "libllama.v0.5.0.so"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("find llama.cpp's library: %w", err)
		}
		var err error
		if last, err = purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		if name == "libggml.v0.5.0.so" {
			var backends func(string)
			purego.RegisterLibFunc(&backends, last, "ggml_backend_load_all_from_path")
			backends(dir)
		}
	}
	p := &peer{}
	for name, f := range map[string]any{
		"llama_model_default_params": &p.modelDefaults, "llama_context_default_params": &p.contextDefaults,
		"llama_model_load_from_file": &p.loadModel, "llama_init_from_model": &p.newContext, "llama_decode": &p.decode,
		"llama_get_logits_ith": &p.logits, "llama_get_memory": &p.memory, "llama_memory_clear": &p.clear,
		"llama_model_free": &p.freeModel, "llama_free": &p.freeContext,
	} {
		purego.RegisterLibFunc(f, last, name)
	}
	var silence func(callback, data uintptr)
	purego.RegisterLibFunc(&silence, last, "llama_log_set")
	silence(purego.NewCallback(func(int32, uintptr, uintptr) uintptr { return 0 }), 0)
	return p, nil
}
