package gpu

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// MacOS is the System of an [Inventory] on Apple's computers.
const MacOS = "darwin"

// displays is what system_profiler prints of SPDisplaysDataType with -json, as far as it is needed.
type displays struct {
	List []struct {
		Name   string `json:"_name"`
		Model  string `json:"sppci_model"`
		Vendor string `json:"spdisplays_vendor"`
		Cores  string `json:"sppci_cores"`
	} `json:"SPDisplaysDataType"`
}

// fromMacOS lists Apple's own GPUs, which share the machine's memory. Those of other makers, as older machines have, are none
// that a miner would sell. macOS tells nothing here that changes: no load, temperature or power.
func (i Inventory) fromMacOS(ctx context.Context) ([]Device, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := i.Run(ctx, "system_profiler", "SPDisplaysDataType", "-json")
	if err != nil {
		return nil, err
	}
	var all displays
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("system_profiler printed what cannot be read: %w", err)
	}
	var list []Device
	for _, d := range all.List {
		if d.Vendor != "sppci_vendor_Apple" {
			continue
		}
		device := Device{Index: len(list), Vendor: Apple, Name: d.Model, Source: "system_profiler", Shared: true}
		if device.Name == "" {
			device.Name = d.Name
		}
		if n, err := strconv.ParseUint(d.Cores, 10, 31); err == nil {
			device.Cores = &n
		}
		list = append(list, device)
	}
	if len(list) == 0 {
		return nil, nil
	}
	memory, err := i.Run(ctx, "sysctl", "-n", "hw.memsize")
	if err != nil {
		return nil, err
	}
	total, err := strconv.ParseUint(strings.TrimSpace(string(memory)), 10, 63)
	if err != nil {
		return nil, fmt.Errorf("sysctl: %.50q is no size of a memory", memory)
	}
	for k := range list {
		list[k].MemoryTotal = total
	}
	return list, nil
}
