package settings

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/aitbc/aitbc/market"
)

// What a container has where the settings do not say otherwise.
const (
	usualSocket    = "/var/run/docker.sock"
	usualSeconds   = 600
	usualMemoryMB  = 512
	usualDiskMB    = 256
	usualOutputKB  = 4096
	usualProcesses = 128
	leastProcesses = 32   // of fewer, the engine's own, which starts the program, may lack threads
	mostOutputKB   = 8192 // so that the answer is no longer than a client takes
)

// mostContext is the longest context of llama.cpp, in tokens.
const mostContext = 1 << 20

// backends are the kinds of devices that llama.cpp has builds for.
var backends = []string{"cpu", "cuda", "cuda12", "vulkan"}

// given names the keys of an engine that are set, for those that belong to
// another kind.
func (e *Engine) given() map[string]bool {
	return map[string]bool{
		"path": e.Path != "", "threads": e.Threads != 0, "backend": e.Backend != "", "context": e.Context != 0, "gpu_layers": e.GPULayers != nil,
		"program": e.Program != "", "without_landlock": e.WithoutLandlock,
		"url": e.URL != "", "api_key_file": e.APIKeyFile != "", "models": len(e.Models) != 0,
		"prompt_rate": !e.PromptRate.IsZero(), "completion_rate": !e.CompletionRate.IsZero(), "max_tokens": e.MaxTokens != 0,
		"socket": e.Socket != "", "image": e.Image != "", "max_seconds": e.MaxSeconds != 0, "cpus": e.CPUs != 0,
		"memory_mb": e.MemoryMB != 0, "disk_mb": e.DiskMB != 0, "output_kb": e.OutputKB != 0, "processes": e.Processes != 0, "gpus": len(e.GPUs) != 0,
	}
}

// Keys that several kinds do not have.
var (
	ofServers    = []string{"url", "api_key_file", "models"}
	ofLlama      = []string{"backend", "context", "gpu_layers", "program", "without_landlock"}
	ofContainers = []string{"socket", "image", "max_seconds", "cpus", "disk_mb", "output_kb", "processes"}
)

// of another kind are these keys.
var foreign = map[string][]string{
	KindExact:     slices.Concat(ofServers, ofLlama, ofContainers, []string{"memory_mb", "gpus"}),
	KindLlama:     slices.Concat(ofServers, ofContainers),
	KindOpenAI:    slices.Concat([]string{"path", "threads"}, ofLlama, ofContainers, []string{"memory_mb"}),
	KindContainer: slices.Concat([]string{"path", "threads"}, ofServers, ofLlama, []string{"prompt_rate", "completion_rate", "max_tokens"}),
}

// validate checks an engine, and fills in what a container has usually.
func (e *Engine) validate() error {
	others, ok := foreign[e.Kind]
	if !ok {
		return fmt.Errorf("kind is %q: want %q, %q, %q or %q", e.Kind, KindExact, KindLlama, KindOpenAI, KindContainer)
	}
	given := e.given()
	var wrong []string
	for _, key := range others {
		if given[key] {
			wrong = append(wrong, key)
		}
	}
	if e.Kind == KindOpenAI && e.Name != "" {
		wrong = append(wrong, "name")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("kind %q has no %s", e.Kind, strings.Join(wrong, ", "))
	}
	if err := e.devices(); err != nil {
		return err
	}
	switch e.Kind {
	case KindOpenAI:
		if e.URL == "" || len(e.Models) == 0 {
			return errors.New("kind \"openai\" needs url and models")
		}
	case KindLlama:
		if err := e.llama(); err != nil {
			return err
		}
	case KindContainer:
		return e.container()
	}
	if e.MaxTokens == 0 || e.MaxTokens > 1<<20 {
		return fmt.Errorf("max_tokens is %d: want 1 to %d", e.MaxTokens, 1<<20)
	}
	if e.Threads < 0 || e.Threads > 1024 {
		return fmt.Errorf("threads is %d: want 0 to 1024", e.Threads)
	}
	return nil
}

// mostGPUs bounds the number of a device.
const mostGPUs = 1024

// devices checks the GPUs that an engine names.
func (e *Engine) devices() error {
	for i, g := range e.GPUs {
		if g < 0 || g >= mostGPUs || slices.Contains(e.GPUs[:i], g) {
			return fmt.Errorf("gpus is %v: want the numbers of devices, as aitbc-miner gpu shows them, each once", e.GPUs)
		}
	}
	if e.Kind == KindOpenAI && len(e.GPUs) > 0 && !e.Here() {
		return fmt.Errorf("gpus names devices of this machine, and %s is another: take gpus out", e.URL)
	}
	return nil
}

func (e *Engine) llama() error {
	switch {
	case e.Path == "":
		return errors.New("kind \"llama\" needs path")
	case e.Backend != "" && !slices.Contains(backends, e.Backend):
		return fmt.Errorf("backend is %q: want one of %s", e.Backend, strings.Join(backends, ", "))
	case e.Context < 0 || e.Context > mostContext:
		return fmt.Errorf("context is %d: want 0 to %d", e.Context, mostContext)
	case e.GPULayers != nil && (*e.GPULayers < 0 || *e.GPULayers > 10_000):
		return fmt.Errorf("gpu_layers is %d: want 0 to 10000, or left out for all", *e.GPULayers)
	case e.MemoryMB != 0 && (e.MemoryMB < 1024 || e.MemoryMB > 1<<24):
		return fmt.Errorf("memory_mb is %d: want 1024 to %d, or left out for no bound", e.MemoryMB, 1<<24)
	case e.MemoryMB != 0 && e.Backend != "" && e.Backend != "cpu":
		return fmt.Errorf("memory_mb does not go with backend %q: a GPU's driver reserves more addresses than it uses", e.Backend)
	}
	return nil
}

// Here says whether an engine is a server on this machine.
func (e *Engine) Here() bool {
	u, err := url.Parse(e.URL)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func (e *Engine) container() error {
	if e.Name == "" || e.Image == "" || e.SecondRate.IsZero() {
		return errors.New("kind \"container\" needs name, image and second_rate")
	}
	e.Socket = cmp.Or(e.Socket, usualSocket)
	e.MaxSeconds = cmp.Or(e.MaxSeconds, usualSeconds)
	e.CPUs = cmp.Or(e.CPUs, 1)
	e.MemoryMB, e.DiskMB = cmp.Or(e.MemoryMB, usualMemoryMB), cmp.Or(e.DiskMB, usualDiskMB)
	e.OutputKB, e.Processes = cmp.Or(e.OutputKB, usualOutputKB), cmp.Or(e.Processes, usualProcesses)
	switch {
	case e.MaxSeconds > 86_400:
		return fmt.Errorf("max_seconds is %d: want at most a day", e.MaxSeconds)
	case e.CPUs < 0.01 || e.CPUs > 1024:
		return fmt.Errorf("cpus is %v: want 0.01 to 1024", e.CPUs)
	case e.MemoryMB < 16 || e.MemoryMB > 1<<22 || e.DiskMB < 1 || e.DiskMB > 1<<22:
		return fmt.Errorf("memory_mb is %d and disk_mb %d: want at least 16 and 1", e.MemoryMB, e.DiskMB)
	case e.OutputKB < 1 || e.OutputKB > mostOutputKB:
		return fmt.Errorf("output_kb is %d: want 1 to %d", e.OutputKB, mostOutputKB)
	case e.Processes < leastProcesses || e.Processes > 1<<16:
		return fmt.Errorf("processes is %d: want %d to %d", e.Processes, leastProcesses, 1<<16)
	}
	e.MaxTokens = 1 // of which none is used
	return nil
}

// Rates are what the engine's work costs.
func (e *Engine) Rates() market.Rates {
	return market.Rates{Prompt: e.PromptRate.Amount, Completion: e.CompletionRate.Amount, Second: e.SecondRate.Amount, Item: e.ItemRate.Amount}
}
