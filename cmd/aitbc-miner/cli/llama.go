package cli

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/miner/settings"
)

// chooseBackends fills in what engines of llama.cpp do not say: the build that is installed, the one
// for GPUs first.
func chooseBackends(set *settings.Settings, engines string) {
	installed := library.Installed(engines)
	for i := range set.Engines {
		e := &set.Engines[i]
		if e.Kind == settings.KindLlama && e.Backend == "" && len(installed) > 0 {
			e.Backend = installed[0].Backend
		}
	}
}

// local is where this machine has what engines need.
type local struct {
	engines   string // folder of what aitbc-miner engine install has put there
	libraries string // LD_LIBRARY_PATH
}

func openLlama(ctx context.Context, set *settings.Settings, at local, e settings.Engine, log *slog.Logger) ([]engine.Model, error) {
	gpus := e.GPUs
	if len(gpus) == 0 && len(set.Mining.GPUDevices) > 0 {
		gpus = set.Mining.GPUDevices
	}
	m, err := llama.Open(ctx, llama.Config{
		Name: e.Name, Path: e.Path, Engines: at.engines, LibraryPath: at.libraries, Backend: e.Backend, Program: e.Program, Length: e.Context, Slots: min(set.Mining.Slots, mostSlots),
		Threads: e.Threads, GPULayers: e.GPULayers, GPUs: gpus, Memory: uint64(e.MemoryMB) << 20, OpenFiles: e.WithoutLandlock, Log: log, //nolint:gosec // not negative
	})
	if err != nil {
		return nil, &hinted{err, llamaHint(e, err)}
	}
	return []engine.Model{m}, nil
}

// mostSlots is how many jobs of a model llama.cpp runs at a time; others wait.
const mostSlots = 64

// llamaHint says what to do about an engine that does not start.
func llamaHint(e settings.Engine, err error) string {
	switch {
	case errors.Is(err, library.ErrMissing):
		return "aitbc-miner engine install --backend " + cmp.Or(e.Backend, "cpu") + " fetches it"
	case errors.Is(err, os.ErrNotExist):
		return "correct the engine's path"
	case errors.Is(err, engine.ErrUnavailable):
		return "aitbc-miner engine list says whether its libraries are sound; a smaller context, or fewer gpu_layers, need less memory; " +
			"where the kernel has no Landlock, without_landlock = true goes on without, but for CUDA"
	}
	return "aitbc-miner doctor looks at each engine"
}
