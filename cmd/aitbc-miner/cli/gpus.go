package cli

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/settings"
)

// gib is a GiB in bytes.
const gib = 1 << 30

// lookEvery is the time between two looks at the GPUs.
const lookEvery = 10 * time.Second

// lookSeldom is the same where nothing is told that changes.
const lookSeldom = 10 * time.Minute

func gpuCommand() command {
	return command{name: "gpu", short: "Show this machine's GPUs", setup: func(*flag.FlagSet) func(context.Context, *call) error {
		return func(ctx context.Context, c *call) error {
			list, err := gpu.This().Devices(ctx)
			if len(list) == 0 && err != nil {
				return &hinted{err, "install NVIDIA's driver with nvidia-smi, or put " + gpu.Child + " beside aitbc-miner"}
			}
			if err != nil {
				fmt.Fprintf(c.Stderr, "aitbc-miner: %v\n", err)
			}
			return c.print(struct {
				GPUs []gpu.Device `json:"gpus"`
			}{append([]gpu.Device{}, list...)}, gpuTable(list))
		}
	}}
}

// gpuTable writes devices for people.
func gpuTable(list []gpu.Device) string {
	if len(list) == 0 {
		return "no GPU is found: jobs run on the processor\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "GPU\tname\tmemory\tused\tbusy\ttemperature\tpower\tlimit\terrors\tby\t")
	for _, d := range list {
		fmt.Fprintf(w, "%d\t%s%s\t%.1f GiB%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", d.Index, d.Name, cores(d), float64(d.MemoryTotal)/gib, map[bool]string{true: " shared"}[d.Shared],
			shown(d.MemoryUsed, gib, "%.1f GiB"), shown(d.Busy, 1, "%.0f %%"), shown(d.Temperature, 1, "%.0f °C"),
			shown(d.Power, 1000, "%.0f W"), powerLimit(d), shown(d.Errors, 1, "%.0f"), d.Source)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// cores writes how many cores a device has, if it is known.
func cores(d gpu.Device) string {
	if d.Cores == nil {
		return ""
	}
	return fmt.Sprintf(", %d cores", *d.Cores)
}

// powerLimit writes the limit of a device's power with the bounds between which it can be set.
func powerLimit(d gpu.Device) string {
	limit := shown(d.PowerLimit, 1000, "%.0f W")
	if d.PowerLimitSet == nil || d.PowerLimitMin == nil && d.PowerLimitMax == nil {
		return limit
	}
	return fmt.Sprintf("%s (%s–%s)", limit, shown(d.PowerLimitMin, 1000, "%.0f"), shown(d.PowerLimitMax, 1000, "%.0f"))
}

func shown(v *uint64, by float64, format string) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf(format, float64(*v)/by)
}

// describe is what clients may choose an engine's models by. It fills in what the settings leave out about the machine: the
// first GPU that the engine uses, and of its memory the part that may be in use. Our own engine runs on the processor, and
// what another machine has nobody here knows.
func describe(set *settings.Settings, e settings.Engine, list []gpu.Device) settings.Machine {
	m, used := set.Machine, devices(set, e, list)
	if m.GPU != "" || len(used) == 0 {
		return m
	}
	at := slices.IndexFunc(list, func(d gpu.Device) bool { return d.Index == used[0] })
	if at < 0 {
		return m
	}
	m.GPU = list[at].Name
	m.VRAMGB = cmp.Or(m.VRAMGB, uint64(set.Mining.GPUMemoryFraction*float64(list[at].MemoryTotal))/gib)
	return m
}

// devices are the GPUs that an engine runs on, by their numbers: those that it names, else those of mining.gpu_devices, else
// all that there are; none for what does not run on this machine's GPUs.
func devices(set *settings.Settings, e settings.Engine, list []gpu.Device) []int {
	switch {
	case !onGPU(e):
		return nil
	case len(e.GPUs) > 0:
		return e.GPUs
	case len(set.Mining.GPUDevices) > 0:
		return slices.Compact(slices.Sorted(slices.Values(set.Mining.GPUDevices)))
	}
	var all []int
	for _, d := range list {
		all = append(all, d.Index)
	}
	return all
}

// named are the GPUs that the settings name, in mining.gpu_devices or in an engine.
func named(set *settings.Settings) []int {
	all := set.Mining.GPUDevices
	for _, e := range set.Engines {
		all = slices.Concat(all, e.GPUs)
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// inUse are the GPUs that the miner uses: all, and then it is empty, unless mining.gpu_devices says which.
func inUse(set *settings.Settings) []int {
	if len(set.Mining.GPUDevices) == 0 {
		return nil
	}
	return named(set)
}

// gpuLimits say when a GPU gets no more work.
func gpuLimits(set *settings.Settings) gpu.Limits {
	return gpu.Limits{Temperature: set.Mining.GPUMaxCelsius, Memory: set.Mining.GPUMemoryFraction}
}

// onGPU says whether an engine may run on this machine's GPUs: a server here, llama.cpp built for them, or a container that is
// given some. Our own engine runs on the processor.
func onGPU(e settings.Engine) bool {
	switch e.Kind {
	case settings.KindLlama:
		return e.Backend != "" && e.Backend != "cpu" && (e.GPULayers == nil || *e.GPULayers > 0)
	case settings.KindContainer:
		return len(e.GPUs) > 0
	default:
		return e.Kind == settings.KindOpenAI && e.Here()
	}
}

// onGPUs says whether one of the engines may.
func onGPUs(engines []settings.Engine) bool { return slices.ContainsFunc(engines, onGPU) }

// watch looks at the GPUs while the miner runs. What does not run on one goes on however it is.
func watch(set *settings.Settings, svc *miner.Fleet, log *slog.Logger) *gpu.Watch {
	w := &gpu.Watch{
		Inventory: gpu.This(), Every: lookEvery, Used: inUse(set), Limits: gpuLimits(set), Log: log,
	}
	if w.Inventory.System == gpu.MacOS {
		w.Every = lookSeldom
	}
	if onGPUs(set.Engines) {
		w.Hold = svc.Hold
	}
	return w
}

// withGPUs adds GET /gpus to a miner's pages, and the GPUs to its metrics.
func withGPUs(pages http.Handler, w *gpu.Watch) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle("GET /gpus", httpx.Handler(func(rw http.ResponseWriter, _ *http.Request) error {
		type shown struct {
			gpu.Device
			Held string `json:"held,omitempty"` // why it gets no more work
		}
		list, held := []shown{}, w.Held()
		for _, d := range w.Devices() {
			list = append(list, shown{d, held[d.Index]})
		}
		httpx.WriteJSON(rw, http.StatusOK, map[string]any{"gpus": list})
		return nil
	}))
	mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, r *http.Request) {
		pages.ServeHTTP(rw, r)
		_, _ = bytes.NewBufferString(gpu.Metrics(w.Devices(), w.Held())).WriteTo(rw) // whoever has gone reads nothing
	})
	return mux
}
