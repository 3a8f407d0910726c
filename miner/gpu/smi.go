package gpu

import (
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// smiFields are what nvidia-smi is asked for, in this order.
var smiFields = []string{
	"index", "name", "uuid", "pci.bus_id", "driver_version", "memory.total", "memory.used", "utilization.gpu",
	"temperature.gpu", "power.draw", "enforced.power.limit", "clocks.sm", "ecc.errors.uncorrected.volatile.total",
	"power.limit", "power.min_limit", "power.max_limit",
}

// smiArgs are the arguments of nvidia-smi.
func smiArgs() []string {
	return []string{"--query-gpu=" + strings.Join(smiFields, ","), "--format=csv,noheader,nounits"}
}

// parseSMI reads what nvidia-smi prints for smiArgs: a line for each device, with [N/A] and the like for what it does not say.
func parseSMI(out string) ([]Device, error) {
	r := csv.NewReader(strings.NewReader(out))
	r.TrimLeadingSpace, r.FieldsPerRecord = true, len(smiFields)
	lines, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("nvidia-smi printed what is no table of %d columns: %w", len(smiFields), err)
	}
	var list []Device
	for _, l := range lines {
		index, err := strconv.Atoi(l[0])
		if err != nil {
			return nil, fmt.Errorf("nvidia-smi: %q is no number of a device", l[0])
		}
		memory := reading(l[5], 1<<20)
		if memory == nil {
			return nil, fmt.Errorf("nvidia-smi: device %d has %q of memory", index, l[5])
		}
		list = append(list, Device{
			Index: index, Vendor: NVIDIA, Name: l[1], UUID: l[2], Bus: l[3], Driver: l[4], Source: "nvidia-smi",
			MemoryTotal: *memory, MemoryUsed: reading(l[6], 1<<20), Busy: reading(l[7], 1), Temperature: reading(l[8], 1),
			Power: reading(l[9], 1000), PowerLimit: reading(l[10], 1000), Clock: reading(l[11], 1), Errors: reading(l[12], 1),
			PowerLimitSet: reading(l[13], 1000), PowerLimitMin: reading(l[14], 1000), PowerLimitMax: reading(l[15], 1000),
		})
	}
	return list, nil
}

// reading is a number times a unit, or nil for what is none.
func reading(text string, unit float64) *uint64 {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || v < 0 || v*unit > math.MaxInt64 || math.IsNaN(v) {
		return nil
	}
	return new(uint64(math.Round(v * unit)))
}
