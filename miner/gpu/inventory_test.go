package gpu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aitbc/aitbc/miner/gpu"
)

// smi is what nvidia-smi prints: the first line is of an H100 with driver 580, the second of a card that tells little.
const smi = `0, NVIDIA H100 80GB HBM3, GPU-ea410764-64f3-149c-463e-b37cf33b9ef7, 00000000:00:06.0, 580.159.04, 81559, 12, 0, 37, 73.16, 700.00, 345, 0, 700.00, 200.00, 700.00
1, Quadro P400, GPU-11, 00000000:3B:00.0, 580.159.04, 2048, 3, [N/A], 33, [Not Supported], [N/A], 139, [N/A], [N/A], [N/A], [N/A]
`

// machine is a file system with a GPU of AMD's, one of Intel's, and one that is part of an Intel processor.
func machine() fstest.MapFS {
	files := fstest.MapFS{"dev/nvidia0": {}}
	for name, text := range map[string]string{
		"renderD128/device/vendor": "0x8086\n", "renderD128/device/device": "0x46a6\n",

		"renderD129/device/vendor": "0x1002\n", "renderD129/device/device": "0x740f\n", "renderD129/device/product_name": "AMD Instinct MI210\n",
		"renderD129/device/uevent":              "DRIVER=amdgpu\nPCI_CLASS=38000\nPCI_SLOT_NAME=0000:63:00.0\n",
		"renderD129/device/mem_info_vram_total": "68702699520\n", "renderD129/device/mem_info_vram_used": "11071488\n",
		"renderD129/device/gpu_busy_percent": "99\n", "renderD129/device/ras/umc_err_count": "ue: 1\nce: 7\n",
		"renderD129/device/hwmon/hwmon4/temp1_input": "46000\n", "renderD129/device/hwmon/hwmon4/temp1_crit": "100000\n",
		"renderD129/device/hwmon/hwmon4/power1_average": "41000000\n", "renderD129/device/hwmon/hwmon4/power1_cap": "300000000\n",
		"renderD129/device/hwmon/hwmon4/freq1_input": "800000000\n",

		"renderD130/device/vendor": "0x8086\n", "renderD130/device/device": "0x56a0\n", "renderD130/device/uevent": "DRIVER=xe\nPCI_SLOT_NAME=0000:03:00.0\n",
		"renderD130/device/tile0/physical_vram_size_bytes": "0x3fa000000\n",
	} {
		files["sys/class/drm/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// says makes a runner that answers as the programs would.
func says(programs map[string]string) gpu.Run {
	return func(_ context.Context, name string, _ ...string) ([]byte, error) {
		if out, ok := programs[name]; ok {
			return []byte(out), nil
		}
		return nil, exec.ErrNotFound
	}
}

func list(t *testing.T, i gpu.Inventory, want ...string) {
	t.Helper()
	devices, err := i.Devices(t.Context())
	if err != nil || len(devices) != len(want) {
		t.Fatalf("%d devices: %v", len(devices), err)
	}
	for k, d := range devices {
		if got, err := json.Marshal(d); err != nil || string(got) != want[k] {
			t.Errorf("device %d: %v\n%s\nwant\n%s", k, err, got, want[k])
		}
	}
}

const (
	h100 = `{"index":0,"vendor":"nvidia","name":"NVIDIA H100 80GB HBM3","uuid":"GPU-ea410764-64f3-149c-463e-b37cf33b9ef7","bus":"00000000:00:06.0","driver":"580.159.04",` +
		`"source":"nvidia-smi","memory_total":85520809984,"memory_used":12582912,"busy":0,"temperature":37,"power":73160,"power_limit":700000,"power_limit_set":700000,"power_limit_min":200000,"power_limit_max":700000,"clock":345,"errors":0}`
	mi210 = `{"index":1,"vendor":"amd","name":"AMD Instinct MI210","bus":"0000:63:00.0","driver":"amdgpu","source":"sysfs","memory_total":68702699520,"memory_used":11071488,` +
		`"busy":99,"temperature":46,"slowdown_at":100,"power":41000,"power_limit":300000,"power_limit_set":300000,"clock":800,"errors":1}`
	arc = `{"index":2,"vendor":"intel","name":"Intel GPU 56a0","bus":"0000:03:00.0","driver":"xe","source":"sysfs","memory_total":17079205888}`
)

func TestEveryMakersDevicesAreListed(t *testing.T) {
	t.Parallel()
	first, second, _ := strings.Cut(smi, "\n")
	list(t, gpu.Inventory{Root: machine(), Run: says(map[string]string{"nvidia-smi": first + "\n"})}, h100, mi210, arc)
	list(t, gpu.Inventory{Root: fstest.MapFS{}, Run: says(map[string]string{"nvidia-smi": second})},
		`{"index":1,"vendor":"nvidia","name":"Quadro P400","uuid":"GPU-11","bus":"00000000:3B:00.0","driver":"580.159.04","source":"nvidia-smi","memory_total":2147483648,"memory_used":3145728,"temperature":33,"clock":139}`)
	list(t, gpu.Inventory{Root: fstest.MapFS{}, Run: says(nil)})
}

func TestTheLibraryIsAskedBeforeNvidiaSMI(t *testing.T) {
	t.Parallel()
	child := `{"devices":[{"index":0,"vendor":"nvidia","name":"X","source":"nvml","memory_total":1}]}`
	list(t, gpu.Inventory{Root: fstest.MapFS{}, Run: says(map[string]string{gpu.Child: child, "nvidia-smi": smi})},
		`{"index":0,"vendor":"nvidia","name":"X","source":"nvml","memory_total":1}`)
	first, _, _ := strings.Cut(smi, "\n")
	broken := says(map[string]string{gpu.Child: `{"devices":null,"error":"no library"}`, "nvidia-smi": first})
	list(t, gpu.Inventory{Root: fstest.MapFS{}, Run: broken}, h100)
}

func TestADeviceOfWhichNobodyTellsIsAnError(t *testing.T) {
	t.Parallel()
	for what, programs := range map[string]map[string]string{
		"executable file not found": nil,
		"no library":                {gpu.Child: `{"error":"no library"}`},
		"no table of 16 columns":    {"nvidia-smi": "Failed to initialize NVML: Driver/library version mismatch\n"},
		"has \"much\" of memory":    {"nvidia-smi": strings.Replace(smi, "81559", "much", 1)},
	} {
		devices, err := gpu.Inventory{Root: machine(), Run: says(programs)}.Devices(t.Context())
		if err == nil || !strings.Contains(err.Error(), what) || len(devices) != 2 {
			t.Errorf("%d devices, %v, not %q", len(devices), err, what)
		}
	}
}

func TestMetricsAreInBaseUnits(t *testing.T) {
	t.Parallel()
	devices, err := gpu.Inventory{Root: machine(), Run: says(map[string]string{"nvidia-smi": smi})}.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := gpu.Metrics(devices, map[int]string{1: "hot"})
	for _, want := range []string{
		"# TYPE aitbc_miner_gpu_power_watts gauge\n", `aitbc_miner_gpu_power_watts{gpu="0",vendor="nvidia",name="NVIDIA H100 80GB HBM3"} 73.16` + "\n",
		`aitbc_miner_gpu_busy_ratio{gpu="1",vendor="amd",name="AMD Instinct MI210"} 0.99` + "\n", `{gpu="1",vendor="amd",name="AMD Instinct MI210"} 8e+08` + "\n",
		`aitbc_miner_gpu_held{gpu="0",vendor="nvidia",name="NVIDIA H100 80GB HBM3"} 0` + "\n", `aitbc_miner_gpu_held{gpu="1",vendor="amd",name="AMD Instinct MI210"} 1` + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if gpu.Metrics(nil, nil) != "" {
		t.Error("metrics of nothing")
	}
}

// Each device is held for itself, and one of whose memory too much is in use until there is a little more room than needed.
func TestADeviceWhoseMemoryIsInUseGetsNoMoreWork(t *testing.T) {
	t.Parallel()
	var programs map[string]string
	var said []string
	w := &gpu.Watch{
		Inventory: gpu.Inventory{Root: fstest.MapFS{}, Run: func(ctx context.Context, name string, args ...string) ([]byte, error) {
			return says(programs)(ctx, name, args...)
		}},
		Limits: gpu.Limits{Memory: 0.8}, Hold: func(device int, reason string) { said = append(said, fmt.Sprintf("%d: %s", device, reason)) }, Log: slog.New(slog.DiscardHandler),
	}
	look := func(first, second string, want ...string) {
		t.Helper()
		said = nil
		programs = map[string]string{"nvidia-smi": "0, X, GPU-1, 0:0, 580, 102400, " + first + ", 0, 40, 1, 2, 3, 0, 2, 1, 3\n1, Y, GPU-2, 0:1, 580, 102400, " + second + ", 0, 40, 1, 2, 3, 0, 2, 1, 3\n"}
		w.Look(t.Context())
		if !slices.Equal(said, want) {
			t.Errorf("with %s and %s MiB in use: %q, want %q", first, second, said, want)
		}
	}
	look("81920", "0")
	look("81921", "0", "0: GPU 0 has 80.0 GiB of its memory in use, at most 80.0 are allowed")
	look("90000", "102400", "1: GPU 1 has 100.0 GiB of its memory in use, at most 80.0 are allowed")
	if held := w.Held(); len(held) != 2 || !strings.Contains(held[1], "GPU 1") {
		t.Errorf("held: %v", held)
	}
	look("79900", "102400") // hardly less than it may be
	look("79872", "102400", "0: ")
	look("[N/A]", "[N/A]", "1: ") // who does not say how much is in use is let be
	w.Limits.Memory = 1
	look("102400", "102400")
}

// A device that is too hot gets no more work until it has cooled down; one that has errors, or that is gone, gets none.
func TestADeviceThatIsNotWellGetsNoMoreWork(t *testing.T) {
	t.Parallel()
	var programs map[string]string
	var held []string
	w := &gpu.Watch{
		Inventory: gpu.Inventory{Root: fstest.MapFS{}, Run: func(ctx context.Context, name string, args ...string) ([]byte, error) {
			return says(programs)(ctx, name, args...)
		}},
		Used: []int{0}, Limits: gpu.Limits{Temperature: 80}, Hold: func(device int, reason string) {
			if device != 0 {
				t.Errorf("GPU %d is held, which is not in use: %s", device, reason)
			}
			held = append(held, reason)
		}, Log: slog.New(slog.DiscardHandler),
	}
	look := func(temperature, errs string, want ...string) {
		t.Helper()
		held = nil
		programs = map[string]string{"nvidia-smi": "0, X, GPU-1, 0:0, 580, 100, 1, 0, " + temperature + ", 1, 2, 3, " + errs + ", 2, 1, 3\n1, Y, GPU-2, 0:1, 580, 100, 1, 0, 99, 1, 2, 3, 4, 2, 1, 3\n"}
		if temperature == "" {
			programs = map[string]string{"nvidia-smi": "1, Y, GPU-2, 0:1, 580, 100, 1, 0, 99, 1, 2, 3, 4, 2, 1, 3\n"}
		}
		w.Look(t.Context())
		if len(held) != len(want) || len(want) > 0 && !strings.Contains(held[0], want[0]) {
			t.Errorf("at %s degrees and %s errors: held %q, want %q", temperature, errs, held, want)
		}
	}
	look("60", "4")
	look("80", "4", "GPU 0 has 80 °C, at most 80 is allowed")
	look("78", "4") // still
	look("74", "4", "")
	look("74", "5", "1 memory errors that nothing corrected")
	look("60", "5") // for good: until the miner is started again
	w = &gpu.Watch{Inventory: w.Inventory, Used: w.Used, Limits: w.Limits, Hold: w.Hold, Log: w.Log}
	look("60", "5")
	look("", "", "GPU 0 is gone")
	if len(w.Devices()) != 1 {
		t.Errorf("%d devices", len(w.Devices()))
	}
	programs = nil
	w.Look(t.Context())
	if got := errors.Join(t.Context().Err()); got != nil || len(w.Devices()) != 0 {
		t.Errorf("%v, %d devices", got, len(w.Devices()))
	}
}
