package gpu

import (
	"fmt"
	"strings"
)

// Metrics writes devices in Prometheus' text format, in its base units. held says which should get no more work.
func Metrics(list []Device, held map[int]string) string {
	var b strings.Builder
	family := func(name, kind, help string, of func(Device) *uint64, by float64) {
		head := false
		for _, d := range list {
			v := of(d)
			if v == nil {
				continue
			}
			if !head {
				fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
				head = true
			}
			fmt.Fprintf(&b, "%s{gpu=\"%d\",vendor=%q,name=%q} %v\n", name, d.Index, d.Vendor, d.Name, float64(*v)/by)
		}
	}
	family("aitbc_miner_gpu_memory_bytes", "gauge", "Memory of a GPU.", func(d Device) *uint64 { return &d.MemoryTotal }, 1)
	family("aitbc_miner_gpu_memory_used_bytes", "gauge", "Memory of a GPU that is in use.", func(d Device) *uint64 { return d.MemoryUsed }, 1)
	family("aitbc_miner_gpu_busy_ratio", "gauge", "Part of the last moments in which a GPU computed.", func(d Device) *uint64 { return d.Busy }, 100)
	family("aitbc_miner_gpu_temperature_celsius", "gauge", "Temperature of a GPU.", func(d Device) *uint64 { return d.Temperature }, 1)
	family("aitbc_miner_gpu_power_watts", "gauge", "Power that a GPU draws.", func(d Device) *uint64 { return d.Power }, 1000)
	family("aitbc_miner_gpu_power_limit_watts", "gauge", "Power that a GPU may draw.", func(d Device) *uint64 { return d.PowerLimit }, 1000)
	family("aitbc_miner_gpu_clock_hertz", "gauge", "Clock of a GPU's cores.", func(d Device) *uint64 { return d.Clock }, 1e-6)
	family("aitbc_miner_gpu_held", "gauge", "Whether a GPU gets no more work.", func(d Device) *uint64 {
		if held[d.Index] != "" {
			return new(uint64(1))
		}
		return new(uint64(0))
	}, 1)
	family("aitbc_miner_gpu_memory_errors_total", "counter", "Memory errors of a GPU that nothing corrected, since its driver started.", func(d Device) *uint64 { return d.Errors }, 1)
	return b.String()
}
