package cli

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/settings"
)

// What runs on this machine's GPUs is offered with their name; what does not, or may not, is not.
func TestOffersNameTheGPUThatTheyRunOn(t *testing.T) {
	t.Parallel()
	list := []gpu.Device{{Index: 0, Name: "A", MemoryTotal: 24 * gib}, {Index: 1, Name: "B", MemoryTotal: 80*gib - 1}}
	server := settings.Engine{Kind: settings.KindOpenAI, URL: "http://localhost:11434/v1"}
	for what, c := range map[string]struct {
		says   settings.Machine
		engine settings.Engine
		used   []int
		part   float64
		want   settings.Machine
	}{
		"the first":           {engine: server, want: settings.Machine{GPU: "A", VRAMGB: 24}},
		"a part of it":        {engine: server, part: 0.75, want: settings.Machine{GPU: "A", VRAMGB: 18}},
		"the server's own":    {engine: settings.Engine{Kind: settings.KindOpenAI, URL: server.URL, GPUs: []int{1}}, used: []int{0}, want: settings.Machine{GPU: "B", VRAMGB: 79}},
		"the container's own": {engine: settings.Engine{Kind: settings.KindContainer, GPUs: []int{1}}, used: []int{0}, want: settings.Machine{GPU: "B", VRAMGB: 79}},
		"no GPU in it":        {engine: settings.Engine{Kind: settings.KindContainer}},
		"the one in use":      {engine: server, used: []int{1}, want: settings.Machine{GPU: "B", VRAMGB: 79}},
		"none in use is here": {engine: server, used: []int{2}},
		"the owner's word":    {says: settings.Machine{GPU: "C", VRAMGB: 1, Region: "eu"}, engine: server, want: settings.Machine{GPU: "C", VRAMGB: 1, Region: "eu"}},
		"our own engine":      {engine: settings.Engine{Kind: settings.KindExact}},
		"another machine":     {engine: settings.Engine{Kind: settings.KindOpenAI, URL: "http://10.0.0.7:8000/v1"}},
		"loopback":            {engine: settings.Engine{Kind: settings.KindOpenAI, URL: "http://[::1]:8000/v1"}, want: settings.Machine{GPU: "A", VRAMGB: 24}},
	} {
		set := &settings.Settings{Machine: c.says}
		set.Mining.GPUDevices, set.Mining.GPUMemoryFraction = c.used, cmp.Or(c.part, 1)
		if got := describe(set, c.engine, list); got != c.want {
			t.Errorf("%s: %+v, want %+v", what, got, c.want)
		}
	}
}

// machine is one with a GPU that is very hot.
func machine() gpu.Inventory {
	return gpu.Inventory{Root: fstest.MapFS{"dev/nvidia1": {}}, Run: func(_ context.Context, name string, _ ...string) ([]byte, error) {
		if name != "nvidia-smi" {
			return nil, exec.ErrNotFound
		}
		return []byte("0, X, GPU-1, 0:0, 580, 100, 1, 37, 99, 1, 2, 3, 0, 2, 1, 3\n"), nil
	}}
}

// The pages have the GPUs as they are, and docs/OBSERVABILITY.md has their metrics and no other.
func TestPagesShowTheGPUs(t *testing.T) {
	t.Parallel()
	w := &gpu.Watch{Inventory: machine(), Log: slog.New(slog.DiscardHandler)}
	w.Look(t.Context())
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "miner's "+r.URL.Path+"\n") })
	srv := httptest.NewServer(withGPUs(pages, w))
	defer srv.Close()
	read := func(path string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // it is read
		raw, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
		}
		return string(raw)
	}
	if text := read("/gpus"); !strings.Contains(text, `"temperature":99`) {
		t.Errorf("/gpus: %s", text)
	}
	if text := read("/health"); text != "miner's /health\n" {
		t.Errorf("/health: %s", text)
	}
	metrics := read("/metrics")
	if !strings.HasPrefix(metrics, "miner's /metrics\n") {
		t.Errorf("the miner's own metrics are gone: %s", metrics)
	}
	doc, err := os.ReadFile("../../../docs/OBSERVABILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	names := func(text, pattern string) (out []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	if served, documented := names(metrics, `(?m)^# TYPE (aitbc_miner_gpu_\S+) `), names(string(doc), "`(aitbc_miner_gpu_\\w+)`"); !slices.Equal(served, documented) || len(served) == 0 {
		t.Errorf("served\n%v, documented\n%v", served, documented)
	}
}

// A GPU that is not well is no reason to stop what runs on the processor.
func TestOnlyWhatRunsOnGPUsStopsForThem(t *testing.T) {
	t.Parallel()
	own := settings.Engine{Kind: settings.KindExact}
	far, near := settings.Engine{Kind: settings.KindOpenAI, URL: "http://10.0.0.7:8000/v1"}, settings.Engine{Kind: settings.KindOpenAI, URL: "http://127.0.0.1:8000/v1"}
	other := near
	other.GPUs = []int{1}
	for what, c := range map[string]struct {
		engines []settings.Engine
		want    verdict
		holds   bool // the watch may hold models
	}{
		"our own engine":      {[]settings.Engine{own}, minor, false},
		"another machine":     {[]settings.Engine{own, far}, minor, false},
		"another GPU":         {[]settings.Engine{near, other}, minor, true},
		"one beside ours":     {[]settings.Engine{own, near}, minor, true},
		"nothing but the GPU": {[]settings.Engine{near}, bad, true},
	} {
		set := &settings.Settings{Engines: c.engines}
		d := &doctor{set: set}
		d.gpus(t.Context(), machine())
		if len(d.findings) != 1 || d.findings[0].Verdict != c.want {
			t.Errorf("%s: %+v", what, d.findings)
		}
		if holds := watch(set, nil, slog.New(slog.DiscardHandler)).Hold != nil; holds != c.holds {
			t.Errorf("%s: the watch holds models: %v", what, holds)
		}
	}
}

// What is used of a GPU's memory beyond the part that may be is found by the doctor, with what to do.
func TestTheDoctorNamesAGPUWhoseMemoryIsFull(t *testing.T) {
	t.Parallel()
	set := &settings.Settings{Engines: []settings.Engine{{Kind: settings.KindOpenAI, URL: "http://127.0.0.1:8000/v1"}}}
	set.Mining.GPUMemoryFraction = 0.5
	full := gpu.Inventory{Root: fstest.MapFS{}, Run: func(_ context.Context, name string, _ ...string) ([]byte, error) {
		if name != "nvidia-smi" {
			return nil, exec.ErrNotFound
		}
		return []byte("0, X, GPU-1, 0:0, 580, 81920, 61440, 37, 40, 1, 2, 3, 0, 2, 1, 3\n"), nil
	}}
	d := &doctor{set: set}
	d.gpus(t.Context(), full)
	if len(d.findings) != 1 || d.findings[0].Verdict != bad || d.findings[0].Found != "GPU 0 has 60.0 GiB of its memory in use, at most 40.0 are allowed" || !strings.Contains(d.findings[0].Do, "gpu_memory_fraction") {
		t.Errorf("%+v", d.findings)
	}
}

func TestTheTableShowsWhatIsKnown(t *testing.T) {
	t.Parallel()
	n := func(v uint64) *uint64 { return &v }
	text := gpuTable([]gpu.Device{
		{Index: 0, Name: "H100", MemoryTotal: 80 * gib, PowerLimit: n(300_000), PowerLimitSet: n(300_000), PowerLimitMin: n(200_000), PowerLimitMax: n(700_000), Source: "nvml"},
		{Index: 1, Name: "Apple M2 Max", MemoryTotal: 64 * gib, Cores: n(38), Shared: true, Source: "system_profiler"},
		{Index: 2, Name: "Old", MemoryTotal: gib, PowerLimit: n(75_000), Source: "nvidia-smi"},
	})
	for _, want := range []string{`0 +H100 +80\.0 GiB .* 300 W \(200–700\) .* nvml`, `1 +Apple M2 Max, 38 cores +64\.0 GiB shared .* – .* system_profiler`, `2 +Old +1\.0 GiB .* 75 W +– +nvidia-smi`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// The GPUs that an engine runs on are those that it names, else those in use, else all; those in use include what engines name.
func TestEnginesRunOnTheGPUsThatTheyName(t *testing.T) {
	t.Parallel()
	list := []gpu.Device{{Index: 0}, {Index: 1}, {Index: 3}}
	server := settings.Engine{Kind: settings.KindOpenAI, URL: "http://[::1]:8000/v1"}
	named := server
	named.GPUs = []int{3}
	set := &settings.Settings{Engines: []settings.Engine{server, named}}
	if got := devices(set, server, list); !slices.Equal(got, []int{0, 1, 3}) || len(inUse(set)) != 0 {
		t.Errorf("of all: %v, in use %v", got, inUse(set))
	}
	set.Mining.GPUDevices = []int{1, 0, 1}
	if got := devices(set, server, list); !slices.Equal(got, []int{0, 1}) || !slices.Equal(inUse(set), []int{0, 1, 3}) {
		t.Errorf("of those in use: %v, in use %v", got, inUse(set))
	}
	if got := devices(set, named, list); !slices.Equal(got, []int{3}) {
		t.Errorf("of its own: %v", got)
	}
	if got := devices(set, settings.Engine{Kind: settings.KindExact}, list); got != nil {
		t.Errorf("of the processor: %v", got)
	}
}
