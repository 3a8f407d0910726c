package settings_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/config"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/settings"
)

var address = common.HexToAddress("0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b")

func write(t *testing.T, text string) home.Dir {
	t.Helper()
	d := home.Dir(t.TempDir())
	if err := os.MkdirAll(filepath.Dir(settings.File(d)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings.File(d), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func none(string) string { return "" }

func TestNewFileLoads(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(write(t, settings.Initial{Address: address, PortOffset: 200}.Text()), none, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Keys.Address != address || s.Server.Addr != "127.0.0.1:18201" || s.Coordinator.URL != "http://127.0.0.1:18200" || s.Chain.RPCURL != "http://127.0.0.1:8745" ||
		s.Mining.StakeAmount != 10000 || !s.Mining.ComputeEnabled || len(s.Engines) != 1 || s.Engines[0].CompletionRate.Amount != must(market.ParseCoins("0.5")) {
		t.Fatalf("%+v", s)
	}
}

func must(a market.Amount, err error) market.Amount {
	if err != nil {
		panic(err)
	}
	return a
}

func TestFlagsAndEnvironmentWin(t *testing.T) {
	t.Parallel()
	f := flag.NewFlagSet("t", flag.ContinueOnError)
	f.Int("port-offset", 0, "")
	if err := f.Parse([]string{"--port-offset=7"}); err != nil {
		t.Fatal(err)
	}
	env := func(k string) string {
		return map[string]string{"AITBC_API_URL": "http://elsewhere:1", "AITBC_GPU_DEVICES": "0,1"}[k]
	}
	d := write(t, settings.Initial{Address: address, PortOffset: 200, Coordinator: "http://file:1", RPC: "http://file:2", PassphraseFile: "/p"}.Text())
	s, err := settings.Load(d, env, f)
	if err != nil {
		t.Fatal(err)
	}
	if s.Server.Addr != "127.0.0.1:18008" || s.Coordinator.URL != "http://elsewhere:1" || s.Chain.RPCURL != "http://file:2" ||
		s.Keys.PassphraseFile != "/p" || !slices.Equal(s.Mining.GPUDevices, []int{0, 1}) {
		t.Fatalf("%+v", s)
	}
}

func TestTheExampleOfTheSpecificationLoads(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(write(t, "[mining]\nstake_amount = 10000\ncompute_enabled = true\ngpu_devices = [0]\n[keys]\naddress = '"+address.Hex()+"'\n[[engine]]\nkind='exact'\nmax_tokens=1\n"), none, nil)
	if err != nil || !slices.Equal(s.Mining.GPUDevices, []int{0}) {
		t.Fatalf("%+v, %v", s, err)
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	t.Parallel()
	good := settings.Initial{Address: address}.Text()
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":    {"slots = 1", "slot = 1", `"mining.slot"`},
		"unknown engine": {`kind = "exact"`, `kind = "magic"`, "engine 1: kind"},
		"no slots":       {"slots = 1", "slots = 0", "mining.slots"},
		"milliwatts":     {"gpu_power_limit = 0", "gpu_power_limit = 300000", "mining.gpu_power_limit is 300000: want watts"},
		"no memory":      {"gpu_memory_fraction = 1.0", "gpu_memory_fraction = 0.0", "mining.gpu_memory_fraction is 0"},
		"percent":        {"gpu_memory_fraction = 1.0", "gpu_memory_fraction = 80", "mining.gpu_memory_fraction is 80: want more than 0, and 1 for all"},
		"no number":      {"gpu_memory_fraction = 1.0", "gpu_memory_fraction = nan", "mining.gpu_memory_fraction is NaN"},
		"GPU slots":      {"gpu_slots = 0", "gpu_slots = -1", "mining.gpu_slots is -1"},
		"GPUs elsewhere": {"# [[engine]]\n# kind = \"openai\"", "[[engine]]\nkind = 'openai'\nurl = 'http://10.0.0.7:8000/v1'\nmodels = ['x']\nmax_tokens = 1\ngpus = [0]\n#", "engine 2: gpus names devices of this machine, and http://10.0.0.7:8000/v1 is another"},
		"a GPU twice":    {"# [[engine]]\n# kind = \"openai\"", "[[engine]]\nkind = 'openai'\nurl = 'http://[::1]:8000/v1'\nmodels = ['x']\nmax_tokens = 1\ngpus = [0, 0]\n#", "engine 2: gpus is [0 0]"},
		"GPUs of ours":   {`name = "aitbc-tiny"`, "gpus = [0]", `kind "exact" has no gpus`},
		"open server":    {`# addr = "127.0.0.1:18001"`, `addr = "0.0.0.0:18001"`, "server.addr"},
		"negative rate":  {`prompt_rate = "0.1"`, `prompt_rate = "-1"`, "not an amount"},
		"bad address":    {address.Hex(), "0x12", "want 40 for Address"},
		"wrong fields":   {`name = "aitbc-tiny"`, `url = "http://x"`, `kind "exact" has no url`},
		"image by name":  {"kind = \"exact\"\nname = \"aitbc-tiny\"\nprompt_rate = \"0.1\"\ncompletion_rate = \"0.5\"\nmax_tokens = 512", "kind = 'container'\nname = 'x'\nsecond_rate = '1'", "needs name, image and second_rate"},
		"twice":          {`# more = ["https://coordinator.example"]`, `more = ["http://127.0.0.1:18000/"]`, "named twice"},
		"port":           {"port_offset = 0", "port_offset = 60000", "port offset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatal("nothing changed")
			}
			d := write(t, text)
			_, err := settings.Load(d, none, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), settings.File(d)) {
				t.Fatalf("err = %v", err)
			}
			if name == "unknown key" && !errors.Is(err, config.ErrUnknownKey) {
				t.Fatalf("err = %v", err)
			}
		})
	}
}

func TestAnEngineOfLlama(t *testing.T) {
	t.Parallel()
	load := func(more string) (*settings.Settings, error) {
		return settings.Load(write(t, settings.Initial{Address: address}.Text()+"[[engine]]\nkind = 'llama'\nmax_tokens = 64\n"+more), none, nil)
	}
	s, err := load("path = '/m.gguf'\nbackend = 'cuda'\ngpu_layers = 0\ngpus = [1]\ncontext = 4096\nthreads = 2\n")
	if err != nil {
		t.Fatal(err)
	}
	e := s.Engines[1]
	if e.Path != "/m.gguf" || e.Backend != "cuda" || e.GPULayers == nil || *e.GPULayers != 0 || !slices.Equal(e.GPUs, []int{1}) || e.Context != 4096 {
		t.Errorf("%+v", e)
	}
	if s, err = load("path = '/m.gguf'\nmemory_mb = 2048\n"); err != nil || s.Engines[1].GPULayers != nil {
		t.Errorf("%+v, %v", s, err)
	}
	for more, want := range map[string]string{
		"":                               "needs path",
		"path = 'x'\nbackend = 'abacus'": `backend is "abacus": want one of cpu, cuda, cuda12, vulkan`,
		"path = 'x'\ncontext = -1":       "context is -1",
		"path = 'x'\ngpu_layers = -1":    "gpu_layers is -1",
		"path = 'x'\nmemory_mb = 5":      "memory_mb is 5",
		"path = 'x'\nmemory_mb = 2000\nbackend = 'cuda'": "memory_mb does not go with",
		"path = 'x'\nthreads = -1":                       "threads is -1",
		"path = 'x'\nimage = 'y'":                        `kind "llama" has no image`,
	} {
		if _, err := load(more + "\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", more, err)
		}
	}
}

func TestAContainerHasItsUsualLimits(t *testing.T) {
	t.Parallel()
	text := settings.Initial{Address: address}.Text() + "[[engine]]\nkind = 'container'\nname = 'tool'\nimage = 'sha256:12'\nsecond_rate = '0.000001'\n"
	s, err := settings.Load(write(t, text), none, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := s.Engines[1]
	if rates := e.Rates(); rates != (market.Rates{Second: market.Units(1e12)}) {
		t.Errorf("rates %+v", rates)
	}
	if e.Socket != "/var/run/docker.sock" || e.MaxSeconds != 600 || e.CPUs != 1 || e.MemoryMB != 512 || e.DiskMB != 256 || e.OutputKB != 4096 || e.Processes != 128 {
		t.Errorf("%+v", e)
	}
}

func TestOthersReachTheStatusOnlyIfAllowed(t *testing.T) {
	t.Parallel()
	d := write(t, settings.Initial{Address: address}.Text())
	env := map[string]string{"AITBC_MINER_ADDR": "0.0.0.0:18001"}
	get := func(name string) string { return env[name] }
	if _, err := settings.Load(d, get, nil); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("an open address: %v", err)
	}
	env["AITBC_MINER_PUBLIC"] = "true"
	if s, err := settings.Load(d, get, nil); err != nil || s.Server.Addr != "0.0.0.0:18001" {
		t.Errorf("%+v, %v", s.Server, err)
	}
}
