// Package settings is what a miner's owner can set: in a TOML file, the
// environment or flags.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/config"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
)

// Price is an amount per 10^6 tokens, or per second, that a person writes in AITBC, as in "0.5".
type Price struct{ market.Amount }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Price) UnmarshalText(b []byte) (err error) {
	p.Amount, err = market.ParseCoins(string(b))
	return err
}

// Kinds of engines.
const (
	KindExact  = "exact"  // pure Go, in this process
	KindOpenAI = "openai" // Ollama and any other server that speaks OpenAI's protocol
	// KindContainer runs clients' programs in containers of an image.
	KindContainer = "container"
	KindLlama     = "llama" // llama.cpp, in a program of its own
)

// Engine is one [[engine]] table: a way to run models, and their price.
type Engine struct {
	Kind           string   `toml:"kind"`
	Path           string   `toml:"path"`         // exact, llama: GGUF file; exact: empty for the embedded model
	Name           string   `toml:"name"`         // exact, llama: what clients call it, empty for the file's own name
	Threads        int      `toml:"threads"`      // exact, llama: of all its jobs together; 0: all
	URL            string   `toml:"url"`          // openai: server
	APIKeyFile     string   `toml:"api_key_file"` // openai: file of mode 0600
	Models         []string `toml:"models"`       // openai: models to offer
	PromptRate     Price    `toml:"prompt_rate"`
	CompletionRate Price    `toml:"completion_rate"`
	SecondRate     Price    `toml:"second_rate"`
	ItemRate       Price    `toml:"item_rate"`
	MaxTokens      uint64   `toml:"max_tokens"` // longest answer
	GPUs           []int    `toml:"gpus"`       // openai: that the server uses; container: that a program may use

	// Of llama.cpp.
	Backend         string `toml:"backend"`          // "cpu", "cuda", "cuda12" or "vulkan"; empty for what is installed
	Context         int    `toml:"context"`          // tokens of a job; 0: what the model was trained on, at most 8192
	GPULayers       *int   `toml:"gpu_layers"`       // on GPUs; left out: all
	Program         string `toml:"program"`          // aitbc-miner-gpu, if it is not beside the miner
	WithoutLandlock bool   `toml:"without_landlock"` // run it where the kernel does not keep it from files

	// Of a container; memory and GPUs of llama.cpp too.
	Socket     string  `toml:"socket"`      // of Docker's engine
	Image      string  `toml:"image"`       // "sha256:…" or repository@sha256:…
	MaxSeconds uint64  `toml:"max_seconds"` // longest run
	CPUs       float64 `toml:"cpus"`
	MemoryMB   int64   `toml:"memory_mb"`
	DiskMB     int64   `toml:"disk_mb"`
	OutputKB   int64   `toml:"output_kb"`
	Processes  int64   `toml:"processes"`
}

// Machine is what an owner says of the machine.
type Machine struct {
	GPU    string `toml:"gpu" env:"AITBC_GPU"`         // name, such as "NVIDIA H100"
	VRAMGB uint64 `toml:"vram_gb" env:"AITBC_VRAM_GB"` // memory of the GPU, in GiB
	Region string `toml:"region" env:"AITBC_REGION"`   // such as "eu-central"
}

// mostWatts is more than any device draws.
const mostWatts = 10_000

// Settings are all that can be set. An address left empty is the usual one,
// shifted by PortOffset.
type Settings struct {
	PortOffset int  `toml:"port_offset" flag:"port-offset"`
	Debug      bool `toml:"debug"`

	Mining struct {
		StakeAmount    uint64 `toml:"stake_amount" env:"AITBC_STAKE_AMOUNT"` // whole AITBC
		ComputeEnabled bool   `toml:"compute_enabled" env:"AITBC_COMPUTE_ENABLED"`
		GPUDevices     []int  `toml:"gpu_devices" env:"AITBC_GPU_DEVICES"`
		GPUMaxCelsius  uint64 `toml:"gpu_max_celsius" env:"AITBC_GPU_MAX_CELSIUS"` // no more work above; 0: what the driver says
		GPUPowerLimit  uint64 `toml:"gpu_power_limit" env:"AITBC_GPU_POWER_LIMIT"` // watts that each may draw; 0: as it is
		// GPUMemoryFraction is the part of each device's memory that may be in use, by whomever; 1: all of it. An engine that
		// the miner starts itself is to take no more.
		GPUMemoryFraction float64       `toml:"gpu_memory_fraction" env:"AITBC_GPU_MEMORY_FRACTION"`
		GPUSlots          int           `toml:"gpu_slots" env:"AITBC_GPU_SLOTS"` // jobs at a time on each device; 0: as many as Slots
		Slots             int           `toml:"slots" env:"AITBC_SLOTS"`         // jobs at a time
		Grace             time.Duration `toml:"grace"`                           // for jobs under way at a stop
		Benchmark         bool          `toml:"benchmark" env:"AITBC_BENCHMARK"` // measure models at the start
	} `toml:"mining"`
	// Machine is what clients may choose miners by.
	Machine     Machine `toml:"machine"`
	Coordinator struct {
		URL  string   `toml:"url" env:"AITBC_API_URL" flag:"coordinator"`
		More []string `toml:"more"` // URLs of others that the miner works for too
	} `toml:"coordinator"`
	Chain struct {
		RPCURL string `toml:"rpc_url" env:"AITBC_ETH_RPC_URL" flag:"rpc"`
	} `toml:"chain"`
	Keys struct {
		Dir            string         `toml:"dir"`
		PassphraseFile string         `toml:"passphrase_file"`
		Address        common.Address `toml:"address"`
	} `toml:"keys"`
	Server struct {
		Addr string `toml:"addr" env:"AITBC_MINER_ADDR"`
		// Public lets Addr be one that others reach: they may then read what the miner does, and change nothing.
		Public bool `toml:"public" env:"AITBC_MINER_PUBLIC"`
	} `toml:"server"`
	Engines []Engine `toml:"engine"`
}

// File returns the path of the settings in a data directory.
func File(d home.Dir) string { return filepath.Join(d.Miner(), "config.toml") }

// Load reads the settings of a data directory. flags may be nil.
func Load(d home.Dir, env func(string) string, flags *flag.FlagSet) (*Settings, error) {
	s := &Settings{}
	s.Mining.StakeAmount = 10_000
	s.Mining.ComputeEnabled = true
	s.Mining.Slots = 1
	s.Mining.GPUMemoryFraction = 1
	s.Mining.Benchmark = true
	s.Mining.Grace = 20 * time.Second
	s.Keys.Dir = d.Keystore()
	if err := config.Load(s, config.Source{File: File(d), Env: env, Flags: flags}); err != nil {
		return nil, err
	}
	return s, nil
}

// Validate checks the settings and fills in the usual addresses.
func (s *Settings) Validate() error {
	usual := func(set *string, prefix string, port int) error {
		if *set != "" {
			return nil
		}
		addr, err := home.Loopback(port, s.PortOffset)
		*set = prefix + addr
		return err
	}
	err := errors.Join(
		usual(&s.Coordinator.URL, "http://", home.PortCoordinator),
		usual(&s.Chain.RPCURL, "http://", home.PortEthRPC),
		usual(&s.Server.Addr, "", home.PortMiner),
	)
	if err != nil {
		return err
	}
	switch {
	case s.Mining.Slots < 1 || s.Mining.Slots > 1024:
		return fmt.Errorf("mining.slots is %d: want 1 to 1024", s.Mining.Slots)
	case s.Mining.GPUPowerLimit > mostWatts:
		return fmt.Errorf("mining.gpu_power_limit is %d: want watts, 0 to %d", s.Mining.GPUPowerLimit, mostWatts)
	case !(s.Mining.GPUMemoryFraction > 0 && s.Mining.GPUMemoryFraction <= 1): // nor NaN
		return fmt.Errorf("mining.gpu_memory_fraction is %v: want more than 0, and 1 for all of the memory", s.Mining.GPUMemoryFraction)
	case s.Mining.GPUSlots < 0 || s.Mining.GPUSlots > 1024:
		return fmt.Errorf("mining.gpu_slots is %d: want 1 to 1024, or 0 for as many as mining.slots", s.Mining.GPUSlots)
	case s.Mining.StakeAmount > 1e15:
		return fmt.Errorf("mining.stake_amount is %d: more AITBC than there can be", s.Mining.StakeAmount)
	case s.Mining.Grace < 0 || s.Mining.Grace > time.Hour:
		return fmt.Errorf("mining.grace is %s: want 0s to 1h", s.Mining.Grace)
	case len(s.Machine.GPU) > 100 || len(s.Machine.Region) > 32 || s.Machine.VRAMGB > 1<<12:
		return errors.New("machine: gpu has at most 100 bytes, region 32, and vram_gb is at most 4096")
	case s.Keys.Address == (common.Address{}):
		return errors.New("keys.address is missing: aitbc-miner init writes it")
	case len(s.Engines) == 0:
		return errors.New("there is no [[engine]]: aitbc-miner init writes one")
	}
	if err := httpx.CheckBind(s.Server.Addr, s.Server.Public); err != nil {
		return fmt.Errorf("server.addr: %w", err)
	}
	if err := s.distinct(); err != nil {
		return err
	}
	for i := range s.Engines {
		if err := s.Engines[i].validate(); err != nil {
			return fmt.Errorf("engine %d: %w", i+1, err)
		}
	}
	return nil
}

// distinct refuses a coordinator that is named twice: both would ask for the slots' work.
func (s *Settings) distinct() error {
	seen := map[string]bool{}
	for _, u := range append([]string{s.Coordinator.URL}, s.Coordinator.More...) {
		if u = strings.TrimRight(u, "/"); seen[u] {
			return fmt.Errorf("coordinator %s is named twice in coordinator.url and coordinator.more: take one out", u)
		}
		seen[u] = true
	}
	return nil
}
