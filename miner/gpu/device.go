package gpu

// Vendor is who made a device.
type Vendor string

// The makers whose devices are known.
const (
	NVIDIA Vendor = "nvidia"
	AMD    Vendor = "amd"
	Intel  Vendor = "intel"
	Apple  Vendor = "apple"
)

// Device is a GPU as its driver describes it at one moment. What the driver does not say is nil.
type Device struct {
	// Index is the number by which mining.gpu_devices names it: NVIDIA's own number, or the place among the render nodes
	// of other makers.
	Index  int    `json:"index"`
	Vendor Vendor `json:"vendor"`
	Name   string `json:"name"`
	UUID   string `json:"uuid,omitempty"`
	Bus    string `json:"bus,omitempty"` // PCI address
	Driver string `json:"driver,omitempty"`
	// Source is who said all this: nvml, nvidia-smi, sysfs or system_profiler.
	Source string `json:"source"`

	Cores       *uint64 `json:"cores,omitempty"`
	MemoryTotal uint64  `json:"memory_total"` // bytes
	MemoryUsed  *uint64 `json:"memory_used,omitempty"`
	// Shared says that its memory is the machine's, which programs on the processor use too.
	Shared      bool    `json:"shared,omitempty"`
	Busy        *uint64 `json:"busy,omitempty"`        // percent of the last moments in which it computed
	Temperature *uint64 `json:"temperature,omitempty"` // degrees Celsius
	// SlowdownAt is the temperature at which the driver makes it slower.
	SlowdownAt *uint64 `json:"slowdown_at,omitempty"`
	Power      *uint64 `json:"power,omitempty"`       // milliwatts
	PowerLimit *uint64 `json:"power_limit,omitempty"` // milliwatts
	// PowerLimitSet, in milliwatts, is the limit that can be set, and zero if it is switched off. PowerLimit may be lower,
	// where the machine has others.
	PowerLimitSet *uint64 `json:"power_limit_set,omitempty"`
	// PowerLimitMin and PowerLimitMax, in milliwatts, are the bounds between which it can be set.
	PowerLimitMin *uint64 `json:"power_limit_min,omitempty"`
	PowerLimitMax *uint64 `json:"power_limit_max,omitempty"`
	Clock         *uint64 `json:"clock,omitempty"` // MHz, of the cores
	// Errors are memory errors since the driver started that nothing corrected.
	Errors *uint64 `json:"errors,omitempty"`
}
