package gpu_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aitbc/aitbc/miner/gpu"
)

// What NVIDIA's library and nvidia-smi say of the GPUs of this machine is the same.
func TestTheLibraryAndNvidiaSMIAgreeOnARealGPU(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/nvidia0"); err != nil {
		t.Skip("there is no GPU of NVIDIA's here")
	}
	// AITBC_LLAMA_PROGRAM is aitbc-miner-gpu, if it was built before.
	child := os.Getenv("AITBC_LLAMA_PROGRAM")
	if child == "" {
		child = filepath.Join(t.TempDir(), gpu.Child)
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", child, "../../cmd/"+gpu.Child).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	by := func(only string) []gpu.Device {
		i := gpu.This()
		i.Run = func(ctx context.Context, name string, args ...string) ([]byte, error) {
			if name != only {
				return nil, exec.ErrNotFound
			}
			if name == gpu.Child {
				name = child
			}
			return exec.CommandContext(ctx, name, args...).Output()
		}
		list, err := i.Devices(t.Context())
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %d devices, %v", only, len(list), err)
		}
		return list
	}
	smi, library := by("nvidia-smi"), by(gpu.Child)
	if len(smi) != len(library) {
		t.Fatalf("nvidia-smi knows %d devices, the library %d", len(smi), len(library))
	}
	for i, a := range smi {
		b := library[i]
		t.Logf("%+v\n%+v", a, b)
		if a.Source != "nvidia-smi" || b.Source != "nvml" {
			t.Errorf("device %d: asked %s and %s", i, a.Source, b.Source)
		}
		if a.Index != b.Index || a.Name != b.Name || a.UUID != b.UUID || a.Bus != b.Bus || a.Driver != b.Driver || a.MemoryTotal != b.MemoryTotal {
			t.Errorf("device %d: nvidia-smi says %+v, the library %+v", i, a, b)
		}
		for name, pair := range map[string][2]*uint64{
			"limit": {a.PowerLimit, b.PowerLimit}, "limit that is set": {a.PowerLimitSet, b.PowerLimitSet}, "least limit": {a.PowerLimitMin, b.PowerLimitMin},
			"most limit": {a.PowerLimitMax, b.PowerLimitMax}, "errors": {a.Errors, b.Errors},
		} {
			if (pair[0] == nil) != (pair[1] == nil) || pair[0] != nil && *pair[0] != *pair[1] {
				t.Errorf("device %d: %s differs: %+v, %+v", i, name, a, b)
			}
		}
		// These change from one moment to the next.
		for name, pair := range map[string][2]*uint64{"temperature": {a.Temperature, b.Temperature}, "power": {a.Power, b.Power}, "memory in use": {a.MemoryUsed, b.MemoryUsed}, "clock": {a.Clock, b.Clock}} {
			if (pair[0] == nil) != (pair[1] == nil) {
				t.Errorf("device %d: one knows no %s: %+v, %+v", i, name, a, b)
			}
		}
	}
}
