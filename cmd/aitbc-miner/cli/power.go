package cli

import (
	"errors"
	"log/slog"

	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/settings"
)

// limiter sets the GPUs' power limits for the miner of this home.
func (c *call) limiter(log *slog.Logger) *gpu.Limiter {
	return &gpu.Limiter{Inventory: gpu.This(), File: c.home.Path("miner", "power-limits.json"), Log: log}
}

// adviseOnPower adds to an error of the limiter what to do.
func adviseOnPower(l *gpu.Limiter, err error) error {
	if _, ok := errors.AsType[*gpu.BoundsError](err); ok {
		return &hinted{err, "correct mining.gpu_power_limit: aitbc-miner gpu shows the bounds"}
	}
	return &hinted{err, "mend " + l.File + ", or remove it: it says which power limits an earlier run has to put back"}
}

// powerWanted is the power limit of the settings in milliwatts, zero for none: a miner that takes no jobs sets none.
func powerWanted(set *settings.Settings) uint64 {
	if !set.Mining.ComputeEnabled {
		return 0
	}
	return set.Mining.GPUPowerLimit * 1000
}
