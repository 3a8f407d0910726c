//go:build linux

package nvml

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ebitengine/purego"

	"github.com/aitbc/aitbc/miner/gpu"
)

// Library is the name of the library in the driver.
const Library = "libnvidia-ml.so.1"

// The numbers of the API.
const (
	success          = 0
	notSupported     = 3
	sensorGPU        = 0
	thresholdSlow    = 1
	clockSM          = 1
	errorUncorrected = 1
	countVolatile    = 0
	memoryVersion    = 2<<24 | 40 // and the size of the structure
)

// textBytes is more than any text of the API takes.
const textBytes = 96

type (
	handle uintptr
	// memory is nvmlMemory_t, memory2 nvmlMemory_v2_t, which counts what the driver keeps for itself apart; utilization is
	// nvmlUtilization_t, pci nvmlPciInfo_t.
	memory  struct{ total, free, used uint64 } //nolint:unused // the library's
	memory2 struct {
		version                     uint32
		total, reserved, free, used uint64 //nolint:unused // the library's
	}
	utilization struct{ gpu, memory uint32 } //nolint:unused // the library's
	pci         struct {
		legacy                                [16]byte //nolint:unused // the library's
		domain, bus, device, ids, subsystemID uint32   //nolint:unused // the library's
		id                                    [32]byte
	}
)

// lib is the opened library: the functions that it lacks are nil.
type lib struct {
	initialize  func() int32
	shutdown    func() int32
	explain     func(code int32) string
	driver      func(text *byte, size uint32) int32
	count       func(n *uint32) int32
	byIndex     func(i uint32, h *handle) int32
	name        func(h handle, text *byte, size uint32) int32
	uuid        func(h handle, text *byte, size uint32) int32
	pci         func(h handle, p *pci) int32
	memory      func(h handle, m *memory) int32
	memory2     func(h handle, m *memory2) int32
	utilization func(h handle, u *utilization) int32
	temperature func(h handle, sensor uint32, v *uint32) int32
	threshold   func(h handle, which uint32, v *uint32) int32
	power       func(h handle, v *uint32) int32
	powerLimit  func(h handle, v *uint32) int32
	limit       func(h handle, v *uint32) int32
	limitBounds func(h handle, least, most *uint32) int32
	setLimit    func(h handle, v uint32) int32
	clock       func(h handle, which uint32, v *uint32) int32
	errors      func(h handle, kind, counter uint32, v *uint64) int32
}

// open opens the library at a path, or by its name where the system looks for libraries.
func open(path string) (*lib, error) {
	at, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	l := new(lib)
	for name, f := range map[string]any{
		"nvmlInit_v2": &l.initialize, "nvmlShutdown": &l.shutdown, "nvmlErrorString": &l.explain,
		"nvmlSystemGetDriverVersion": &l.driver, "nvmlDeviceGetCount_v2": &l.count, "nvmlDeviceGetHandleByIndex_v2": &l.byIndex,
		"nvmlDeviceGetName": &l.name, "nvmlDeviceGetUUID": &l.uuid, "nvmlDeviceGetPciInfo_v3": &l.pci,
		"nvmlDeviceGetMemoryInfo": &l.memory, "nvmlDeviceGetMemoryInfo_v2": &l.memory2, "nvmlDeviceGetUtilizationRates": &l.utilization,
		"nvmlDeviceGetTemperature": &l.temperature, "nvmlDeviceGetTemperatureThreshold": &l.threshold,
		"nvmlDeviceGetPowerUsage": &l.power, "nvmlDeviceGetEnforcedPowerLimit": &l.powerLimit,
		"nvmlDeviceGetPowerManagementLimit": &l.limit, "nvmlDeviceGetPowerManagementLimitConstraints": &l.limitBounds,
		"nvmlDeviceSetPowerManagementLimit": &l.setLimit,
		"nvmlDeviceGetClockInfo":            &l.clock, "nvmlDeviceGetTotalEccErrors": &l.errors,
	} {
		if symbol, err := purego.Dlsym(at, name); err == nil {
			purego.RegisterFunc(f, symbol)
		}
	}
	if l.initialize == nil || l.shutdown == nil || l.count == nil || l.byIndex == nil || l.name == nil || l.memory == nil {
		return nil, fmt.Errorf("%s is not NVIDIA's management library, or a very old one", path)
	}
	return l, nil
}

// session opens the library at a path, or by its name, for as long as use takes.
func session(path string, use func(*lib) error) (err error) {
	l, err := open(path)
	if err != nil {
		return err
	}
	if code := l.initialize(); code != success {
		return fmt.Errorf("start NVML: %w", l.err(code))
	}
	defer func() {
		if code := l.shutdown(); code != success {
			err = errors.Join(err, fmt.Errorf("stop NVML: %w", l.err(code)))
		}
	}()
	return use(l)
}

// Devices asks the library at a path, or by its name, for all devices.
func Devices(path string) (list []gpu.Device, err error) {
	err = session(path, func(l *lib) error { list, err = l.devices(); return err })
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (l *lib) devices() (list []gpu.Device, err error) {
	var n uint32
	if code := l.count(&n); code != success {
		return nil, fmt.Errorf("count devices: %w", l.err(code))
	}
	driver := words(func(text *byte, size uint32) int32 {
		if l.driver == nil {
			return notSupported
		}
		return l.driver(text, size)
	})
	for i := range n {
		d, err := l.device(i)
		if err != nil {
			return nil, fmt.Errorf("device %d: %w", i, err)
		}
		d.Driver = driver
		list = append(list, d)
	}
	return list, nil
}

func (l *lib) device(i uint32) (gpu.Device, error) {
	var h handle
	if code := l.byIndex(i, &h); code != success {
		return gpu.Device{}, l.err(code)
	}
	d := gpu.Device{Index: int(i), Vendor: gpu.NVIDIA, Source: "nvml"}
	if d.Name = words(func(text *byte, size uint32) int32 { return l.name(h, text, size) }); d.Name == "" {
		return d, errors.New("it has no name")
	}
	if l.uuid != nil {
		d.UUID = words(func(text *byte, size uint32) int32 { return l.uuid(h, text, size) })
	}
	var p pci
	if l.pci != nil && l.pci(h, &p) == success {
		d.Bus = string(bytes.TrimRight(p.id[:], "\x00"))
	}
	var m memory
	if code := l.memory(h, &m); code != success {
		return d, fmt.Errorf("memory: %w", l.err(code))
	}
	d.MemoryTotal, d.MemoryUsed = m.total, &m.used
	m2 := memory2{version: memoryVersion}
	if l.memory2 != nil && l.memory2(h, &m2) == success {
		d.MemoryUsed = &m2.used
	}
	var u utilization
	if l.utilization != nil && l.utilization(h, &u) == success {
		d.Busy = wide(u.gpu)
	}
	d.Temperature = read(l.temperature != nil, func(v *uint32) int32 { return l.temperature(h, sensorGPU, v) })
	d.SlowdownAt = read(l.threshold != nil, func(v *uint32) int32 { return l.threshold(h, thresholdSlow, v) })
	d.Power = read(l.power != nil, func(v *uint32) int32 { return l.power(h, v) })
	d.PowerLimit = read(l.powerLimit != nil, func(v *uint32) int32 { return l.powerLimit(h, v) })
	d.PowerLimitSet = read(l.limit != nil, func(v *uint32) int32 { return l.limit(h, v) })
	if least, most, err := l.bounds(h); err == nil {
		d.PowerLimitMin, d.PowerLimitMax = wide(least), wide(most)
	}
	d.Clock = read(l.clock != nil, func(v *uint32) int32 { return l.clock(h, clockSM, v) })
	var bad uint64
	if l.errors != nil && l.errors(h, errorUncorrected, countVolatile, &bad) == success {
		d.Errors = &bad
	}
	return d, nil
}

func (l *lib) err(code int32) error {
	if l.explain == nil {
		return fmt.Errorf("NVML says %d", code)
	}
	return fmt.Errorf("NVML says %d, %s", code, l.explain(code))
}

// read returns what a function of the library that is there reads, or nil if it cannot.
func read(there bool, f func(*uint32) int32) *uint64 {
	var v uint32
	if !there || f(&v) != success {
		return nil
	}
	return wide(v)
}

func wide(v uint32) *uint64 {
	w := uint64(v)
	return &w
}

// words returns the text that a function of the library writes, or none.
func words(f func(text *byte, size uint32) int32) string {
	var text [textBytes]byte
	if f(&text[0], textBytes) != success {
		return ""
	}
	before, _, _ := bytes.Cut(text[:], []byte{0})
	return string(before)
}
