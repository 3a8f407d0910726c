package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/container"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/openai"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/settings"
)

// load makes the models of the settings' engines ready. The returned function
// closes them.
func load(ctx context.Context, set *settings.Settings, at local, gpus []gpu.Device, log *slog.Logger) (all []miner.Offering, closeAll func() error, err error) {
	closeAll = func() error {
		var errs []error
		for _, o := range all {
			errs = append(errs, o.Model.Close())
		}
		return errors.Join(errs...)
	}
	if err := sweep(ctx, set, log); err != nil {
		return nil, nil, err
	}
	chooseBackends(set, at.engines)
	for i, e := range set.Engines {
		machine := describe(set, e, gpus)
		models, err := open(ctx, set, at, e, log)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("engine %d: %w", i+1, err), closeAll())
		}
		for _, m := range models {
			info := m.Info()
			log.InfoContext(ctx, "model ready", "model", info.Name, "class", info.Class, "parameters", info.Parameters, "context", info.ContextLength)
			all = append(all, miner.Offering{
				Model: m, Rates: e.Rates(), MaxTokens: e.MaxTokens, MaxSeconds: e.MaxSeconds, GPUs: devices(set, e, gpus),
				GPU: machine.GPU, VRAMGB: machine.VRAMGB, Region: machine.Region,
			})
		}
	}
	return all, closeAll, nil
}

// sweep removes what a miner that did not stop left in containers.
func sweep(ctx context.Context, set *settings.Settings, log *slog.Logger) error {
	swept := map[string]bool{}
	for _, e := range set.Engines {
		if e.Kind != settings.KindContainer || swept[e.Socket] {
			continue
		}
		swept[e.Socket] = true
		n, err := container.Sweep(ctx, e.Socket, set.Keys.Address.Hex())
		if err != nil {
			return &hinted{err, "start Docker, see that this user may use " + e.Socket + ", or take the container out of the settings"}
		}
		if n > 0 {
			log.WarnContext(ctx, "containers of an earlier run were removed", "socket", e.Socket, "containers", n)
		}
	}
	return nil
}

func containerConfig(set *settings.Settings, e settings.Engine) container.Config {
	return container.Config{
		Socket: e.Socket, Owner: set.Keys.Address.Hex(), Name: e.Name, Image: e.Image, CPUs: e.CPUs, Memory: e.MemoryMB << 20, Disk: e.DiskMB << 20,
		Pids: e.Processes, Longest: time.Duration(e.MaxSeconds) * time.Second, Output: e.OutputKB << 10, GPUs: e.GPUs, //nolint:gosec // a day at most
	}
}

func open(ctx context.Context, set *settings.Settings, at local, e settings.Engine, log *slog.Logger) ([]engine.Model, error) {
	switch e.Kind {
	case settings.KindExact:
		cfg := exact.Config{Name: e.Name, Threads: e.Threads}
		if e.Path == "" {
			return one(exact.Embedded(cfg))
		}
		return one(exact.Open(e.Path, cfg))
	case settings.KindLlama:
		return openLlama(ctx, set, at, e, log)
	case settings.KindOpenAI:
		return openServer(ctx, e, log)
	case settings.KindContainer:
		cfg := containerConfig(set, e)
		cfg.Log = log
		m, err := container.Open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return []engine.Model{m}, nil
	}
	return nil, fmt.Errorf("kind %q is unknown", e.Kind)
}

func one(m *exact.Model, err error) ([]engine.Model, error) {
	if err != nil {
		return nil, err
	}
	return []engine.Model{m}, nil
}

func openServer(ctx context.Context, e settings.Engine, log *slog.Logger) ([]engine.Model, error) {
	cfg := openai.Config{BaseURL: e.URL}
	if e.APIKeyFile != "" {
		key, err := secret.ReadFile(e.APIKeyFile)
		if err != nil {
			return nil, err
		}
		cfg.APIKey = key
	}
	server, err := openai.New(cfg)
	if err != nil {
		return nil, err
	}
	var models []engine.Model
	for _, name := range e.Models {
		m, err := server.Describe(ctx, name)
		if err != nil { // a server that starts later is no reason not to start
			log.WarnContext(ctx, "the model server does not show a model: it is offered as claimed", "url", e.URL, "model", name, "err", err)
			m = server.Model(name, 0)
		}
		models = append(models, m)
	}
	return models, nil
}

// serves says whether a server that lists these models has one; Ollama adds a tag to names that have none.
func serves(has []string, name string) bool {
	return slices.Contains(has, name) || slices.Contains(has, name+":latest")
}
