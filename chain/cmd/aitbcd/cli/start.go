package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/internal/memlimit"
	"github.com/aitbc/aitbc/chain/node"
)

// errNoHome is a folder that holds no node.
var errNoHome = errors.New("there is no node in this folder")

func start(ctx context.Context, c *call) error {
	mode := c.flags.String("consensus-mode", "", "overrides CONSENSUS_MODE")
	block := c.flags.String("block-time", "", "overrides BLOCK_TIME")
	level := c.flags.String("log-level", "", "overrides LOG_LEVEL")
	if err := c.parse(); err != nil {
		return err
	}
	env := c.Getenv
	c.Getenv = func(name string) string {
		flags := map[string]string{"CONSENSUS_MODE": *mode, "BLOCK_TIME": *block, "LOG_LEVEL": *level}
		if v := flags[name]; v != "" {
			return v
		}
		return env(name)
	}
	h, conf, err := c.settings()
	if err != nil {
		return err
	}
	if err := exists(h); err != nil {
		return err
	}
	if err := os.WriteFile(offsetFile(h), []byte(strconv.Itoa(*c.offset)+"\n"), 0o600); err != nil {
		return fmt.Errorf("write port offset: %w", err)
	}
	lv, err := conf.Level()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.Stderr, &slog.HandlerOptions{Level: lv}))
	limitMemory(conf, env, log)
	return node.Run(ctx, node.Options{
		Home: h, Config: conf, Log: log, Version: Version(),
		Ready: func(d node.Doors) {
			if *c.json {
				_ = c.print(map[string]string{"rpc": d.RPC, "ws": d.WS, "eth_http": d.EthHTTP, "eth_ws": d.EthWS, "metrics": d.Metrics})
			}
		},
	})
}

// limitMemory makes the collector work harder before the process grows past a limit. GOMEMLIMIT, which the runtime has
// read itself, wins over the configuration, and that over what fits the machine.
func limitMemory(conf config.Config, env func(string) string, log *slog.Logger) {
	limit, by := int64(conf.MemoryLimit), "memory_limit"
	switch {
	case env("GOMEMLIMIT") != "":
		limit, by = debug.SetMemoryLimit(-1), "GOMEMLIMIT"
	case limit == 0:
		limit, by = memlimit.Choose(os.DirFS("/"))
		debug.SetMemoryLimit(limit)
	default:
		debug.SetMemoryLimit(limit)
	}
	log.Info("memory limit", "mib", limit>>20, "by", by)
}

func exists(h home.Home) error {
	if _, err := os.Stat(h.Genesis()); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w: %s", errNoHome, string(h))
		}
		return fmt.Errorf("look at home: %w", err)
	}
	return nil
}
