package cli

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
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
		fmt.Fprintf(w, "%d\t%s\t%.1f GiB\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", d.Index, d.Name, float64(d.MemoryTotal)/gib,
			shown(d.MemoryUsed, gib, "%.1f GiB"), shown(d.Busy, 1, "%.0f %%"), shown(d.Temperature, 1, "%.0f °C"),
			shown(d.Power, 1000, "%.0f W"), shown(d.PowerLimit, 1000, "%.0f W"), shown(d.Errors, 1, "%.0f"), d.Source)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

func shown(v *uint64, by float64, format string) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf(format, float64(*v)/by)
}

// describe fills in what the settings leave out about the machine: the first GPU in use, for models that a server on this
// machine runs. Our own engine runs on the processor, and what another machine has nobody here knows.
func describe(m settings.Machine, e settings.Engine, used []int, list []gpu.Device) settings.Machine {
	if m.GPU != "" || !onGPU(e) {
		return m
	}
	if e.Kind == settings.KindContainer || len(e.GPUs) > 0 {
		used = e.GPUs
	}
	for _, d := range list {
		if len(used) > 0 && d.Index != used[0] {
			continue
		}
		m.GPU = d.Name
		m.VRAMGB = cmp.Or(m.VRAMGB, d.MemoryTotal/gib)
		return m
	}
	return m
}

// here says whether an address is this machine's.
func here(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// onGPU says whether an engine may run on this machine's GPUs: a server here, llama.cpp built for them, or a container that is
// given some. Our own engine runs on the processor.
func onGPU(e settings.Engine) bool {
	if e.Kind == settings.KindLlama {
		return e.Backend != "" && e.Backend != "cpu" && (e.GPULayers == nil || *e.GPULayers > 0)
	}
	return e.Kind == settings.KindOpenAI && here(e.URL) || e.Kind == settings.KindContainer && len(e.GPUs) > 0
}

// onGPUs says whether one of the engines may.
func onGPUs(engines []settings.Engine) bool { return slices.ContainsFunc(engines, onGPU) }

// watch looks at the GPUs while the miner runs. What does not run on them goes on however they are.
func watch(set *settings.Settings, svc *miner.Fleet, log *slog.Logger) *gpu.Watch {
	w := &gpu.Watch{
		Inventory: gpu.This(), Every: lookEvery, Used: set.Mining.GPUDevices, Limits: gpu.Limits{Temperature: set.Mining.GPUMaxCelsius}, Log: log,
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
		httpx.WriteJSON(rw, http.StatusOK, map[string]any{"gpus": append([]gpu.Device{}, w.Devices()...)})
		return nil
	}))
	mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, r *http.Request) {
		pages.ServeHTTP(rw, r)
		_, _ = bytes.NewBufferString(gpu.Metrics(w.Devices())).WriteTo(rw) // whoever has gone reads nothing
	})
	return mux
}
