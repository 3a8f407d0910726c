package gpu_test

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aitbc/aitbc/miner/gpu"
)

// What system_profiler SPDisplaysDataType -json prints on a machine with an Apple M2 Max, and on one of Intel's time, by the
// names of its fields.
const (
	m2 = `{
  "SPDisplaysDataType" : [
    {
      "_name" : "Apple M2 Max",
      "spdisplays_mtlgpufamilysupport" : "spdisplays_metal3",
      "spdisplays_ndrvs" : [ { "_name" : "Color LCD", "_spdisplays_pixels" : "3456 x 2234", "spdisplays_main" : "spdisplays_yes" } ],
      "spdisplays_vendor" : "sppci_vendor_Apple",
      "sppci_bus" : "spdisplays_builtin",
      "sppci_cores" : "38",
      "sppci_device_type" : "spdisplays_gpu",
      "sppci_model" : "Apple M2 Max"
    }
  ]
}
`
	older = `{ "SPDisplaysDataType" : [ { "_name" : "kHW_AMDRadeonPro5500MItem", "spdisplays_vendor" : "sppci_vendor_amd", "spdisplays_vram" : "8 GB", "sppci_model" : "AMD Radeon Pro 5500M" } ] }`
)

// mac is an inventory of a machine whose programs print this.
func mac(profile, memory string) gpu.Inventory {
	return gpu.Inventory{System: gpu.MacOS, Root: fstest.MapFS{}, Run: func(_ context.Context, name string, args ...string) ([]byte, error) {
		switch {
		case name == "system_profiler" && slices.Equal(args, []string{"SPDisplaysDataType", "-json"}) && profile != "":
			return []byte(profile), nil
		case name == "sysctl" && slices.Equal(args, []string{"-n", "hw.memsize"}) && memory != "":
			return []byte(memory), nil
		}
		return nil, exec.ErrNotFound
	}}
}

func TestApplesGPUsAreListed(t *testing.T) {
	t.Parallel()
	list(t, mac(m2, "68719476736\n"),
		`{"index":0,"vendor":"apple","name":"Apple M2 Max","source":"system_profiler","cores":38,"memory_total":68719476736,"shared":true}`)
	list(t, mac(older, "68719476736\n"))
	list(t, mac(strings.Replace(m2, `"sppci_cores" : "38",`, "", 1), "17179869184"),
		`{"index":0,"vendor":"apple","name":"Apple M2 Max","source":"system_profiler","memory_total":17179869184,"shared":true}`)
}

func TestAMacThatDoesNotTellIsAnError(t *testing.T) {
	t.Parallel()
	for want, i := range map[string]gpu.Inventory{
		"executable file not found":                    mac("", ""),
		"system_profiler printed what cannot be read":  mac("Usage:", ""),
		"no size of a memory":                          mac(m2, "much\n"),
		exec.ErrNotFound.Error():                       mac(m2, ""),
		"cannot be read: json: cannot unmarshal array": mac("[]", ""),
	} {
		if devices, err := i.Devices(t.Context()); err == nil || !strings.Contains(err.Error(), want) || devices != nil {
			t.Errorf("%v, %v, not %q", devices, err, want)
		}
	}
}

// A Mac has no device files: what is missing is what it does not list. Its power limit cannot be set.
func TestAppleDevicesAreThereWithoutAFile(t *testing.T) {
	t.Parallel()
	i := mac(m2, "68719476736")
	devices, err := i.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := i.Missing(devices, []int{0, 1}); !slices.Equal(got, []int{1}) {
		t.Errorf("missing %v", got)
	}
	if err := devices[0].CheckPowerLimit(30_000); !errors.Is(err, gpu.ErrNoPowerLimit) {
		t.Error(err)
	}
	if err := i.SetPowerLimit(t.Context(), devices[0], 30_000); !errors.Is(err, gpu.ErrNoPowerLimit) {
		t.Error(err)
	}
	var back gpu.Device
	raw, err := json.Marshal(devices[0])
	if err != nil || json.Unmarshal(raw, &back) != nil || !back.Shared || *back.Cores != 38 {
		t.Errorf("%s, %v", raw, err)
	}
}
