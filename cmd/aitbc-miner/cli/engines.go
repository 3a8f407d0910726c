package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/openai"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/settings"
)

// load makes the models of the settings' engines ready. The returned function
// closes them.
func load(ctx context.Context, set *settings.Settings, gpus []gpu.Device, log *slog.Logger) (all []miner.Offering, closeAll func() error, err error) {
	closeAll = func() error {
		var errs []error
		for _, o := range all {
			errs = append(errs, o.Model.Close())
		}
		return errors.Join(errs...)
	}
	for i, e := range set.Engines {
		machine := describe(set.Machine, e, set.Mining.GPUDevices, gpus)
		models, err := open(ctx, e, log)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("engine %d: %w", i+1, err), closeAll())
		}
		for _, m := range models {
			info := m.Info()
			log.InfoContext(ctx, "model ready", "model", info.Name, "class", info.Class, "parameters", info.Parameters, "context", info.ContextLength)
			all = append(all, miner.Offering{
				Model: m, Rates: market.Rates{Prompt: e.PromptRate.Amount, Completion: e.CompletionRate.Amount, Second: e.SecondRate.Amount, Item: e.ItemRate.Amount}, MaxTokens: e.MaxTokens,
				GPU: machine.GPU, VRAMGB: machine.VRAMGB, Region: machine.Region,
			})
		}
	}
	return all, closeAll, nil
}

func open(ctx context.Context, e settings.Engine, log *slog.Logger) ([]engine.Model, error) {
	switch e.Kind {
	case settings.KindExact:
		cfg := exact.Config{Name: e.Name, Threads: e.Threads}
		if e.Path == "" {
			return one(exact.Embedded(cfg))
		}
		return one(exact.Open(e.Path, cfg))
	case settings.KindOpenAI:
		return openServer(ctx, e, log)
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
	// A server that starts later is no reason not to start.
	has, err := server.Models(ctx)
	if err != nil {
		log.WarnContext(ctx, "the model server does not answer yet", "url", e.URL)
	}
	var models []engine.Model
	for _, name := range e.Models {
		if err == nil && !serves(has, name) {
			log.WarnContext(ctx, "the model server does not list a model", "url", e.URL, "model", name)
		}
		models = append(models, server.Model(name, 0))
	}
	return models, nil
}

// serves says whether a server that lists these models has one; Ollama adds a tag to names that have none.
func serves(has []string, name string) bool {
	return slices.Contains(has, name) || slices.Contains(has, name+":latest")
}
