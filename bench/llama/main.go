// Command llama measures the exact engine beside llama.cpp, in one process, on the
// same files: how fast answers are written and prompts are read, and whether both
// say the same.
//
//	go run ./bench/llama [-kinds q8_0,q4_k] [-threads 1,2] [-rounds 5] [-lib DIR]
//
// With -backend it measures instead what the program costs that a miner runs llama.cpp in:
// aitbc-miner-gpu with a build in a folder of engines, beside the same build in this process,
// on the same processor or GPU.
//
//	go run ./bench/llama -backend cuda -engines ~/.aitbc/engines -program bin/aitbc-miner-gpu [-kinds q4_k] [-layers 22]
//
// llama.cpp's shared libraries come from npm (or from DIR, where aitbc-miner engine
// install has put them) and are called through purego. Weights are random, in the shape of models that people run, as no weights
// can be part of this repository; the embedded model is the one trained.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/llama"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2) //nolint:forbidigo // this is main
	case err != nil:
		fmt.Fprintln(os.Stderr, "llama:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

var kinds = []gguf.Type{gguf.Q8_0, gguf.Q4_0, gguf.Q4K, gguf.Q6K, gguf.F16, gguf.BF16}

type config struct {
	kinds   []gguf.Type
	threads []int
	rounds  int
	lib     string
	layers  int

	backend, engines, program string
	openFiles                 bool
}

// shape is a model whose speed is measured.
func (c config) shape(kind gguf.Type) shape {
	return shape{
		name: "llama 2048 × " + strconv.Itoa(c.layers), arch: "llama", width: 2048, heads: 32, kvHeads: 4, head: 64, hidden: 5632,
		layers: c.layers, vocabulary: 32000, context: 1024, kind: kind,
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	cfg, err := options(args, progress)
	if err != nil {
		return err
	}
	if cfg.backend != "" {
		return programs(ctx, cfg, out)
	}
	dir, err := os.MkdirTemp("", "aitbc-llama-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	lib, err := openLibrary(ctx, cfg.lib, dir)
	if err != nil {
		return err
	}
	p := &peer{lib: lib}
	for _, arch := range []string{"llama", "qwen2", "qwen3"} {
		if err := p.agree(ctx, filepath.Join(dir, "agree.gguf"), arch, out); err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
	}
	for _, kind := range cfg.kinds {
		if err := p.measure(ctx, filepath.Join(dir, "measure.gguf"), cfg.shape(kind), cfg, out); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func options(args []string, usage io.Writer) (config, error) {
	var cfg config
	var names, threads string
	f := flag.NewFlagSet("llama", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&names, "kinds", "q8_0,q4_0,q4_k,q6_k,f16,bf16", "types of weights, with commas between")
	f.StringVar(&threads, "threads", "1,2", "numbers of threads")
	f.IntVar(&cfg.rounds, "rounds", 5, "rounds of each measurement")
	f.IntVar(&cfg.layers, "layers", 8, "layers of the model: with 22 it is TinyLlama 1.1B")
	f.StringVar(&cfg.lib, "lib", "", "`folder` with llama.cpp's libraries (default: from npm)")
	f.StringVar(&cfg.backend, "backend", "", "measure the program of a miner with this build of llama.cpp: cpu, cuda, cuda12 or vulkan")
	f.StringVar(&cfg.engines, "engines", "", "with -backend: `folder` of engines with the build, such as HOME/engines")
	f.StringVar(&cfg.program, "program", "bin/"+llama.Program, "with -backend: `path` of the program")
	f.BoolVar(&cfg.openFiles, "without-landlock", false, "with -backend: go on where the kernel has no Landlock")
	if err := f.Parse(args); err != nil {
		return cfg, err
	}
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, k := range kinds {
			if k.String() == name {
				cfg.kinds, found = append(cfg.kinds, k), true
			}
		}
		if !found {
			return cfg, fmt.Errorf("weights of type %q are unknown: want some of %v", name, kinds)
		}
	}
	for text := range strings.SplitSeq(threads, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return cfg, fmt.Errorf("threads are %q, want numbers", text)
		}
		cfg.threads = append(cfg.threads, n)
	}
	if f.NArg() > 0 || cfg.rounds < 1 || cfg.layers < 1 {
		return cfg, errors.New("llama takes flags only; rounds and layers are at least 1")
	}
	return cfg, nil
}
