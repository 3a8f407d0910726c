package cli

import (
	"cmp"
	"context"
	"os"
	"strings"

	"github.com/aitbc/aitbc/engine/container"
	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/openai"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/miner/settings"
)

// engine looks at one of the settings' engines.
func (d *doctor) engine(ctx context.Context, e settings.Engine) {
	check := "engine " + e.Kind
	if e.Kind == settings.KindExact {
		if e.Path == "" {
			d.say(check, good, "", "the embedded model")
		} else if _, err := os.Stat(e.Path); err != nil {
			d.say(check, bad, "correct the engine's path", "%v", err)
		} else {
			d.say(check, good, "", "%s", e.Path)
		}
		return
	}
	if e.Kind == settings.KindLlama {
		d.llama(e)
		return
	}
	if e.Kind == settings.KindContainer {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		m, err := container.Open(ctx, containerConfig(d.set, e))
		if err != nil {
			d.say(check, bad, "start Docker, let this user use "+e.Socket+", and load the image there", "%s: %v", e.Name, err)
			return
		}
		_ = m.Close() // it holds connections only
		d.say(check, good, "", "%s is %s", e.Name, e.Image)
		return
	}
	cfg := openai.Config{BaseURL: e.URL}
	if e.APIKeyFile != "" {
		key, err := secret.ReadFile(e.APIKeyFile)
		if err != nil {
			d.say(check, bad, "correct the engine's api_key_file", "%v", err)
			return
		}
		cfg.APIKey = key
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	server, err := openai.New(cfg)
	if err != nil {
		d.say(check, bad, "correct the engine's url", "%v", err)
		return
	}
	has, err := server.Models(ctx)
	if err != nil {
		d.say(check, bad, "start the model server, or correct the engine's url", "%s does not answer: %v", e.URL, err)
		return
	}
	for _, name := range e.Models {
		if !serves(has, name) {
			d.say(check, bad, "load it there, or take it out of the engine's models", "%s has no model %q, but %s", e.URL, name, cmp.Or(strings.Join(has, ", "), "none"))
			return
		}
	}
	d.say(check, good, "", "%s has %s", e.URL, strings.Join(e.Models, ", "))
}

// llama looks at an engine of llama.cpp, without starting it.
func (d *doctor) llama(e settings.Engine) {
	check := "engine " + e.Kind
	if _, err := os.Stat(e.Path); err != nil {
		d.say(check, bad, "correct the engine's path", "%v", err)
		return
	}
	b, err := library.Find(cmp.Or(e.Backend, "cpu"))
	if err == nil {
		err = b.Check(b.Folder(d.engines))
	}
	if err != nil {
		d.say(check, bad, "aitbc-miner engine install --backend "+cmp.Or(e.Backend, "cpu"), "%v", err)
		return
	}
	d.say(check, good, "", "%s, by llama.cpp %s for %s", e.Path, library.Version, b.Backend)
}
