package cli

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/librarytest"
	"github.com/aitbc/aitbc/miner/settings"
)

// A model of llama.cpp is offered beside the embedded one, with the build that is installed.
func TestAModelOfLlamaIsOffered(t *testing.T) {
	t.Parallel()
	engines := librarytest.Engines(t)
	program := filepath.Join(t.TempDir(), llama.Program)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../"+llama.Program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	set := &settings.Settings{Engines: []settings.Engine{
		{Kind: settings.KindExact, MaxTokens: 64},
		{Kind: settings.KindLlama, Path: "../../../engine/exact/model/aitbc-tiny.gguf", Program: program, Threads: 1, Context: 128, MaxTokens: 64},
	}}
	set.Mining.Slots = 2
	log := slog.New(slog.DiscardHandler)
	all, closeAll, err := load(t.Context(), set, local{engines: engines}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeAll(); err != nil {
			t.Error(err)
		}
	}()
	if len(all) != 2 || all[0].Model.Info().Digest != all[1].Model.Info().Digest {
		t.Fatalf("%+v", all)
	}
	info := all[1].Model.Info()
	if info.Name != "aitbc-tiny" || info.Class != "llama.cpp/v0.5.0;arch=llama;quant=q8_0;gpu=none;det=none" || info.ContextLength != 128 || onGPUs(set.Engines) {
		t.Errorf("%+v", info)
	}
	benchmark(t.Context(), all[1:], log)
	if b := all[1].Benchmark; b.TokensPerSecond <= 0 || b.MemoryMB == 0 {
		t.Errorf("measured %+v", b)
	}
	r, err := all[1].Model.Generate(t.Context(), engine.Request{Prompt: "Once", MaxTokens: 4}, func(engine.Token) error { return nil })
	if err != nil || r.CompletionTokens != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What is missing comes with what to do.
func TestLlamaSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	set := &settings.Settings{}
	_, err := openLlama(t.Context(), set, local{engines: t.TempDir()}, settings.Engine{Kind: settings.KindLlama, Path: "x", Backend: "cuda"}, nil)
	h, ok := errors.AsType[*hinted](err)
	if !ok || !strings.Contains(h.hint, "aitbc-miner engine install --backend cuda") {
		t.Errorf("%v", err)
	}
	if onGPU(settings.Engine{Kind: settings.KindLlama, Backend: "cpu"}) || !onGPU(settings.Engine{Kind: settings.KindLlama, Backend: "cuda"}) ||
		onGPU(settings.Engine{Kind: settings.KindLlama, Backend: "cuda", GPULayers: new(int)}) {
		t.Error("what runs on GPUs is not known")
	}
}
