package cli

import (
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/aitbc/aitbc/config"
)

// settings fills a daemon's settings, which hold the defaults, from config.toml in
// its folder, the environment and flags, the later over the earlier.
func (c *call) settings(cfg config.Validator, dir string, flags *flag.FlagSet) error {
	return config.Load(cfg, config.Source{File: filepath.Join(dir, "config.toml"), Optional: true, Env: c.Getenv, Flags: flags})
}

// log is where a daemon writes what it does, from a level on. What uses slog's own
// functions writes there, too.
func (c *call) log(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log_level is %q: use debug, info, warn or error", level)
	}
	log := slog.New(slog.NewTextHandler(c.Stderr, &slog.HandlerOptions{Level: l}))
	slog.SetDefault(log)
	return log, nil
}
