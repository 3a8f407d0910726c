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

// given names the keys of an engine that are set, for those that belong to
// another kind.
func (e *Engine) given() map[string]bool {
	return map[string]bool{
		"path": e.Path != "", "threads": e.Threads != 0,
		"url": e.URL != "", "api_key_file": e.APIKeyFile != "", "models": len(e.Models) != 0,
		"prompt_rate": !e.PromptRate.IsZero(), "completion_rate": !e.CompletionRate.IsZero(), "max_tokens": e.MaxTokens != 0,
		"socket": e.Socket != "", "image": e.Image != "", "max_seconds": e.MaxSeconds != 0, "cpus": e.CPUs != 0,
		"memory_mb": e.MemoryMB != 0, "disk_mb": e.DiskMB != 0, "output_kb": e.OutputKB != 0, "processes": e.Processes != 0, "gpus": len(e.GPUs) != 0,
	}
}

// of another kind are these keys.
var foreign = map[string][]string{
	KindExact:     {"url", "api_key_file", "models", "socket", "image", "max_seconds", "cpus", "memory_mb", "disk_mb", "output_kb", "processes", "gpus"},
	KindOpenAI:    {"path", "threads", "socket", "image", "max_seconds", "cpus", "memory_mb", "disk_mb", "output_kb", "processes"},
	KindContainer: {"path", "threads", "url", "api_key_file", "models", "prompt_rate", "completion_rate", "max_tokens"},
}

// validate checks an engine, and fills in what a container has usually.
func (e *Engine) validate() error {
	others, ok := foreign[e.Kind]
	if !ok {
		return fmt.Errorf("kind is %q: want %q, %q or %q", e.Kind, KindExact, KindOpenAI, KindContainer)
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
