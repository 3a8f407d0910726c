package gpu

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// makers are the PCI numbers of those whose drivers tell of their devices in sysfs.
var makers = map[string]Vendor{"0x1002": AMD, "0x8086": Intel}

// fromSysfs reads the GPUs of AMD and Intel out of the machine's file system, as the kernel's documentation of amdgpu, i915
// and xe describes it. A GPU that has no memory of its own, as in most processors of Intel, is none that a miner would sell.
func fromSysfs(root fs.FS) []Device {
	nodes, err := fs.Glob(root, "sys/class/drm/renderD*")
	if err != nil {
		return nil
	}
	slices.SortFunc(nodes, func(a, b string) int { return number(a) - number(b) })
	var list []Device
	for _, node := range nodes {
		dir := path.Join(node, "device")
		vendor, ok := makers[text(root, dir, "vendor")]
		if !ok {
			continue
		}
		d := Device{Index: number(node) - firstRender, Vendor: vendor, Source: "sysfs", Bus: bus(root, dir), Driver: driver(root, dir)}
		memory := vram(root, dir)
		if memory == nil {
			continue
		}
		d.MemoryTotal = *memory
		d.Name = name(root, dir, vendor)
		d.MemoryUsed = whole(root, dir, "mem_info_vram_used")
		d.Busy = whole(root, dir, "gpu_busy_percent")
		if hot, err := fs.Glob(root, path.Join(dir, "hwmon", "hwmon*")); err == nil && len(hot) > 0 {
			d.Temperature = scaled(whole(root, hot[0], "temp1_input"), 1000) // from thousandths of a degree
			d.SlowdownAt = scaled(whole(root, hot[0], "temp1_crit"), 1000)
			d.Power = scaled(first(whole(root, hot[0], "power1_average"), whole(root, hot[0], "power1_input")), 1000) // from microwatts
			d.limits(root, hot[0])
			d.Clock = scaled(whole(root, hot[0], "freq1_input"), 1_000_000) // from hertz
		}
		if ras := text(root, dir, "ras/umc_err_count"); ras != "" {
			d.Errors = uncorrected(ras)
		}
		list = append(list, d)
	}
	return list
}

// limits reads the power limit of a device out of its folder of sensors: amdgpu has power1_cap with its bounds, i915 and xe
// have power1_max, which takes no more than power1_rated_max and is switched off at zero. All are in microwatts.
func (d *Device) limits(root fs.FS, sensors string) {
	if file := limitFile(root, sensors); file != "" {
		d.PowerLimitSet = scaled(whole(root, sensors, file), 1000)
	}
	if d.PowerLimitSet != nil && *d.PowerLimitSet > 0 {
		d.PowerLimit = d.PowerLimitSet
	}
	d.PowerLimitMin = scaled(whole(root, sensors, "power1_cap_min"), 1000)
	d.PowerLimitMax = scaled(first(whole(root, sensors, "power1_cap_max"), whole(root, sensors, "power1_rated_max")), 1000)
}

// limitFile is the file of a folder of sensors that holds the power limit, "" if there is none.
func limitFile(root fs.FS, sensors string) string {
	for _, name := range []string{"power1_cap", "power1_max"} {
		if there(root, path.Join(sensors, name)) {
			return name
		}
	}
	return ""
}

// firstRender is the number of the first render node.
const firstRender = 128

func number(node string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(path.Base(node), "renderD"))
	return n
}

func text(root fs.FS, dir, file string) string {
	raw, err := fs.ReadFile(root, path.Join(dir, file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

func whole(root fs.FS, dir, file string) *uint64 {
	v, err := strconv.ParseUint(text(root, dir, file), 10, 63)
	if err != nil {
		return nil
	}
	return &v
}

func scaled(v *uint64, by uint64) *uint64 {
	if v == nil {
		return nil
	}
	return new(*v / by)
}

func first(of ...*uint64) *uint64 {
	for _, v := range of {
		if v != nil {
			return v
		}
	}
	return nil
}

// vram is the memory of the device's own: amdgpu names it, xe has it for each tile.
func vram(root fs.FS, dir string) *uint64 {
	if v := whole(root, dir, "mem_info_vram_total"); v != nil {
		return v
	}
	if v := whole(root, dir, "lmem_total_bytes"); v != nil {
		return v
	}
	tiles, err := fs.Glob(root, path.Join(dir, "tile*", "physical_vram_size_bytes"))
	if err != nil || len(tiles) == 0 {
		return nil
	}
	var sum uint64
	for _, t := range tiles {
		v, err := strconv.ParseUint(strings.TrimPrefix(text(root, path.Dir(t), path.Base(t)), "0x"), 16, 63)
		if err != nil {
			return nil
		}
		sum += v
	}
	return &sum
}

// name is the product's name where the driver has it, else the numbers by which it can be looked up.
func name(root fs.FS, dir string, v Vendor) string {
	if product := text(root, dir, "product_name"); product != "" {
		return product
	}
	return fmt.Sprintf("%s %s", map[Vendor]string{AMD: "AMD GPU", Intel: "Intel GPU"}[v], strings.TrimPrefix(text(root, dir, "device"), "0x"))
}

// bus and driver stand in the device's uevent.
func bus(root fs.FS, dir string) string    { return uevent(root, dir, "PCI_SLOT_NAME") }
func driver(root fs.FS, dir string) string { return uevent(root, dir, "DRIVER") }

func uevent(root fs.FS, dir, key string) string {
	for line := range strings.Lines(text(root, dir, "uevent")) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return v
		}
	}
	return ""
}

// uncorrected reads amdgpu's counts: "ue: 0" and "ce: 0".
func uncorrected(counts string) *uint64 {
	for line := range strings.Lines(counts) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "ue:"); ok {
			return reading(v, 1)
		}
	}
	return nil
}
