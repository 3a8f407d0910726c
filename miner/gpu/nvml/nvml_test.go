//go:build linux

package nvml_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/gpu/nvml"
)

// library compiles a library of C for a test.
func library(t *testing.T, source string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "libfake.so")
	flags = append(flags, "-shared", "-fPIC", "-o", out)
	cmd := exec.CommandContext(t.Context(), "gcc", append(flags, "-x", "c", "-")...)
	if strings.HasSuffix(source, ".c") {
		cmd = exec.CommandContext(t.Context(), "gcc", append(flags, source)...)
	} else {
		cmd.Stdin = strings.NewReader(source)
	}
	if words, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, words)
	}
	return out
}

func TestDevicesAreReadThroughTheLibrary(t *testing.T) {
	t.Parallel()
	list, err := nvml.Devices(library(t, filepath.Join("testdata", "fake.c")))
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %d devices", err, len(list))
	}
	for i, want := range []string{
		`{"index":0,"vendor":"nvidia","name":"NVIDIA H100 80GB HBM3","uuid":"GPU-0f1e","bus":"00000000:18:00.0","driver":"580.82.07","source":"nvml",` +
			`"memory_total":85520809984,"memory_used":524288,"busy":37,"temperature":41,"slowdown_at":87,"power":118250,"power_limit":700000,"power_limit_set":700000,"power_limit_min":200000,"power_limit_max":700000,"clock":1980,"errors":2}`,
		`{"index":1,"vendor":"nvidia","name":"Quadro P400","bus":"00000000:3B:00.0","driver":"580.82.07","source":"nvml",` +
			`"memory_total":2147483648,"memory_used":1048576,"temperature":33,"clock":139}`,
	} {
		if got, err := json.Marshal(list[i]); err != nil || string(got) != want {
			t.Errorf("device %d: %v\n%s\nwant\n%s", i, err, got, want)
		}
	}
}

func TestAPowerLimitIsSetWithinItsBounds(t *testing.T) {
	t.Parallel()
	ours := library(t, filepath.Join("testdata", "fake.c"))
	if err := nvml.SetPowerLimit(ours, 0, 300_000); err != nil {
		t.Fatal(err)
	}
	list, err := nvml.Devices(ours)
	if err != nil || *list[0].PowerLimitSet != 300_000 || *list[0].PowerLimit != 300_000 {
		t.Fatalf("%v, %+v", err, list)
	}
	for _, c := range []struct {
		library            string
		device, milliwatts uint32
		want               string
	}{
		{ours, 0, 199_999, "takes a power limit of 200000 to 700000 mW, not of 199999"},
		{ours, 0, 700_001, "takes a power limit of 200000 to 700000 mW"},
		{ours, 1, 300_000, "bounds of its power limit: NVML says 3, Not Supported"},
		{ours, 2, 300_000, "device 2: NVML says 2"},
		{library(t, least), 0, 300_000, "tells no bounds"},
		{filepath.Join(t.TempDir(), "none.so"), 0, 1, "none.so"},
	} {
		if err := nvml.SetPowerLimit(c.library, c.device, c.milliwatts); err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, nvml.ErrDenied) {
			t.Errorf("device %d, %d mW: %v, not %q", c.device, c.milliwatts, err, c.want)
		}
	}
	if list, err := nvml.Devices(ours); err != nil || *list[0].PowerLimitSet != 300_000 {
		t.Errorf("what was refused was set: %v, %d mW", err, *list[0].PowerLimitSet)
	}
}

func TestAPowerLimitIsRootsToSet(t *testing.T) {
	t.Parallel()
	err := nvml.SetPowerLimit(library(t, filepath.Join("testdata", "fake.c"), "-DDENIED"), 0, 300_000)
	if !errors.Is(err, nvml.ErrDenied) || !strings.Contains(err.Error(), "NVML says 4, Insufficient Permissions") {
		t.Error(err)
	}
}

func TestWhatIsNoLibraryIsNamed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "none.so"):                                "none.so",
		library(t, "int nothing(void) { return 0; }"):                        "is not NVIDIA's management library",
		library(t, strings.ReplaceAll(least, "return 0", "return 9")):        "NVML says 9",
		library(t, strings.Replace(least, "*n = 1", "*n = 1; return 15", 1)): "count devices: NVML says 15",
	} {
		var list []gpu.Device
		list, err := nvml.Devices(path)
		if err == nil || !strings.Contains(err.Error(), want) || list != nil {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

// least is the least library that there may be.
const least = `
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { return 0; }
int nvmlDeviceGetName(void *h, char *text, unsigned size) { text[0] = 'x'; text[1] = 0; return 0; }
int nvmlDeviceGetMemoryInfo(void *h, void *m) { return 0; }
`
