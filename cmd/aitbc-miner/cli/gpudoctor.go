package cli

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/aitbc/aitbc/miner/gpu"
)

// gpus looks at the GPUs.
func (d *doctor) gpus(ctx context.Context, inventory gpu.Inventory) {
	list, err := inventory.Devices(ctx)
	if err != nil {
		d.say("GPUs", minor, "install NVIDIA's driver with nvidia-smi, or put "+gpu.Child+" beside aitbc-miner", "%v", err)
	}
	for _, n := range inventory.Missing(list, named(d.set)) {
		d.say("GPUs", minor, "correct mining.gpu_devices or the engine's gpus, or look for the device with aitbc-miner gpu", "device %d is not in this machine", n)
	}
	unfit := map[int]bool{}
	for _, g := range list {
		t := g.Unfit(gpuLimits(d.set), nil)
		if t == nil {
			continue
		}
		unfit[g.Index] = true
		do := "let it cool down, look at its fans, or raise mining.gpu_max_celsius"
		if t.Ailment == gpu.Full {
			do = "have what else runs on it take less, give its model server less, or raise mining.gpu_memory_fraction"
		}
		d.say("GPUs", d.without(unfit, list), do, "%s", t.Why)
	}
	if well := len(list) - len(unfit); err == nil && well > 0 {
		d.say("GPUs", good, "", "%d found and well", well)
	}
	d.power(inventory, list)
}

// without says how bad it is that some GPUs get no work: without an engine that needs none of them no job comes.
func (d *doctor) without(unfit map[int]bool, list []gpu.Device) verdict {
	for _, e := range d.set.Engines {
		if !slices.ContainsFunc(devices(d.set, e, list), func(g int) bool { return unfit[g] }) {
			return minor
		}
	}
	return bad
}

// power looks whether the GPUs in use have the power limit that the settings want.
func (d *doctor) power(inventory gpu.Inventory, list []gpu.Device) {
	wanted, used := powerWanted(d.set), inUse(d.set)
	if wanted == 0 {
		return
	}
	for _, g := range list {
		if len(used) > 0 && !slices.Contains(used, g.Index) {
			continue
		}
		err := g.CheckPowerLimit(wanted)
		_, beyond := errors.AsType[*gpu.BoundsError](err)
		switch {
		case beyond:
			d.say("GPU power", bad, "correct mining.gpu_power_limit: the miner does not start with it", "%v", err)
		case err != nil:
			d.say("GPU power", minor, "take mining.gpu_power_limit out, or limit it by its maker's own means", "%v", err)
		case *g.PowerLimitSet == wanted:
			d.say("GPU power", good, "", "GPU %d may draw %d W", g.Index, wanted/1000)
		default:
			do := "an administrator can set it: " + inventory.PowerLimitCommand(g, wanted)
			if os.Geteuid() == 0 {
				do = "aitbc-miner start sets it; else " + inventory.PowerLimitCommand(g, wanted)
			}
			d.say("GPU power", minor, do, "GPU %d may draw %s, and mining.gpu_power_limit is %d W", g.Index, shown(g.PowerLimitSet, 1000, "%g W"), wanted/1000)
		}
	}
}
