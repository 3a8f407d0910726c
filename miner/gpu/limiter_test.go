package gpu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aitbc/aitbc/miner/gpu"
)

// cards are two H100, whose limits can be set as their driver would, and a card whose driver knows no limits.
type cards struct {
	limit  [2]uint64 // milliwatts
	denied bool      // the user has no right
	deaf   bool      // what is set is taken and not heeded
	child  bool      // it is there
	asked  []string
}

// status is an exit status.
type status int

func (s status) Error() string { return "exit status " + strconv.Itoa(int(s)) }
func (s status) ExitCode() int { return int(s) }

func (c *cards) run(_ context.Context, name string, args ...string) ([]byte, error) {
	switch {
	case name == gpu.Child && !c.child, name != gpu.Child && name != "nvidia-smi":
		return nil, exec.ErrNotFound
	case name == gpu.Child && len(args) == 3 && args[0] == gpu.ChildPowerLimit:
		c.asked = append(c.asked, "child "+args[1]+" "+args[2])
		if c.denied {
			return []byte(`{"devices":null,"error":"only root may","denied":true}`), nil
		}
		return []byte(`{"devices":null}`), c.set(args[1], args[2], 1)
	case name == gpu.Child:
		return nil, exec.ErrNotFound // the inventory is nvidia-smi's
	case len(args) == 4 && args[0] == "-i" && args[2] == "-pl":
		c.asked = append(c.asked, "nvidia-smi "+args[1]+" "+args[3])
		if c.denied {
			return nil, fmt.Errorf("nvidia-smi: %w: Insufficient Permissions", status(4))
		}
		return nil, c.set(args[1], args[3], 1000)
	}
	var out bytes.Buffer
	for i, mw := range c.limit {
		w := float64(mw) / 1000
		fmt.Fprintf(&out, "%d, H100, GPU-%d, 0:%d, 580, 80000, 1, 0, 30, 70, %.2f, 300, 0, %.2f, 200.00, 700.00\n", i, i, i, w, w)
	}
	fmt.Fprintln(&out, "2, Quadro, GPU-2, 0:2, 580, 2000, 1, 0, 30, [N/A], [N/A], 300, [N/A], [N/A], [N/A], [N/A]")
	return out.Bytes(), nil
}

func (c *cards) set(device, value string, unit float64) error {
	i, err := strconv.Atoi(device)
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(value, 64)
	if err == nil && !c.deaf {
		c.limit[i] = uint64(v * unit)
	}
	return err
}

// limiter is one of a miner that runs in a folder.
func (c *cards) limiter(dir string) (*gpu.Limiter, *bytes.Buffer) {
	var logs bytes.Buffer
	return &gpu.Limiter{
		Inventory: gpu.Inventory{Root: fstest.MapFS{}, Run: c.run}, File: filepath.Join(dir, "limits.json"), Log: slog.New(slog.NewTextHandler(&logs, nil)),
	}, &logs
}

func (c *cards) are(t *testing.T, when string, first, second uint64) {
	t.Helper()
	if c.limit != [2]uint64{first, second} {
		t.Errorf("%s: limits are %v, want %d and %d", when, c.limit, first, second)
	}
}

func forgotten(t *testing.T, l *gpu.Limiter) {
	t.Helper()
	if _, err := os.Stat(l.File); !errors.Is(err, fs.ErrNotExist) {
		raw, _ := os.ReadFile(l.File)
		t.Errorf("something is left to be put back: %v\n%s", err, raw)
	}
}

// apply is what a miner does at its start.
func apply(t *testing.T, l *gpu.Limiter, used []int, milliwatts uint64) {
	t.Helper()
	if err := l.Apply(t.Context(), used, milliwatts); err != nil {
		t.Fatal(err)
	}
}

func restore(t *testing.T, l *gpu.Limiter) {
	t.Helper()
	if err := l.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPowerLimitsArePutBackWhenTheMinerStops(t *testing.T) {
	t.Parallel()
	for name, child := range map[string]bool{"nvidia-smi": false, "the child": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &cards{limit: [2]uint64{700_000, 650_000}, child: child}
			l, logs := c.limiter(t.TempDir())
			apply(t, l, nil, 300_000)
			c.are(t, "started", 300_000, 300_000)
			want := "nvidia-smi 0 300"
			if child {
				want = "child 0 300000"
			}
			if len(c.asked) != 2 || c.asked[0] != want {
				t.Errorf("asked %q", c.asked)
			}
			if !strings.Contains(logs.String(), "GPU 2: its driver lets no power limit be set") {
				t.Errorf("the card without limits is not named: %s", logs)
			}
			restore(t, l)
			c.are(t, "stopped", 700_000, 650_000)
			forgotten(t, l)
		})
	}
}

func TestPowerLimitsOfAMinerThatWasKilledArePutBack(t *testing.T) {
	t.Parallel()
	c, dir := &cards{limit: [2]uint64{700_000, 650_000}}, t.TempDir()
	killed, _ := c.limiter(dir)
	apply(t, killed, nil, 300_000)
	second, _ := c.limiter(dir)
	apply(t, second, []int{1}, 400_000) // and killed again
	c.are(t, "started with one device in use", 700_000, 400_000)
	third, _ := c.limiter(dir)
	apply(t, third, []int{1}, 400_000)
	restore(t, third)
	c.are(t, "stopped", 700_000, 650_000)
	forgotten(t, third)

	apply(t, killed, nil, 300_000)
	without, _ := c.limiter(dir)
	apply(t, without, nil, 0)
	c.are(t, "started without the setting", 700_000, 650_000)
	forgotten(t, without)
}

func TestAPowerLimitThatSomebodyElseSetIsLeft(t *testing.T) {
	t.Parallel()
	c := &cards{limit: [2]uint64{700_000, 650_000}}
	l, _ := c.limiter(t.TempDir())
	apply(t, l, nil, 300_000)
	c.limit[0] = 500_000
	restore(t, l)
	c.are(t, "stopped", 500_000, 650_000)
	forgotten(t, l)

	apply(t, l, []int{0}, 300_000)
	c.limit[0] = 450_000 // by hand, and the miner was killed
	apply(t, l, []int{0}, 300_000)
	restore(t, l)
	c.are(t, "stopped again", 450_000, 650_000)

	c.limit[0] = 300_000 // an administrator has set what is wanted: it is not the miner's to take away
	apply(t, l, []int{0}, 300_000)
	forgotten(t, l)
}

func TestAPowerLimitBeyondTheBoundsChangesNothing(t *testing.T) {
	t.Parallel()
	c := &cards{limit: [2]uint64{700_000, 650_000}}
	l, _ := c.limiter(t.TempDir())
	apply(t, l, []int{0}, 300_000)
	for _, mw := range []uint64{199_000, 701_000} {
		err := l.Apply(t.Context(), nil, mw)
		b, ok := errors.AsType[*gpu.BoundsError](err)
		if !ok || b.Least != 200_000 || b.Most != 700_000 || !strings.Contains(err.Error(), fmt.Sprintf("GPU 1 (H100) takes a power limit of 200 to 700 W, not of %d", mw/1000)) {
			t.Errorf("%d mW: %v", mw, err)
		}
		c.are(t, "refused", 700_000, 650_000)
	}
	forgotten(t, l)
}

func TestWithoutTheRightTheMinerGoesOnAndSaysWhoCan(t *testing.T) {
	t.Parallel()
	for name, child := range map[string]bool{"nvidia-smi": false, "the child": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &cards{limit: [2]uint64{700_000, 650_000}, denied: true, child: child}
			l, logs := c.limiter(t.TempDir())
			apply(t, l, []int{0}, 250_500)
			c.are(t, "started", 700_000, 650_000)
			if !strings.Contains(logs.String(), `command="sudo nvidia-smi -i 0 -pl 250.5"`) || len(c.asked) != 1 {
				t.Errorf("asked %q, logged %s", c.asked, logs)
			}
			forgotten(t, l)

			// The right can be lost meanwhile: what is to be put back is not forgotten.
			c.denied = false
			apply(t, l, []int{0}, 250_000)
			c.denied = true
			restore(t, l)
			c.denied = false
			restore(t, l)
			c.are(t, "stopped", 700_000, 650_000)
			forgotten(t, l)
		})
	}
}

func TestALimitThatTheDriverDoesNotHeedIsNoticed(t *testing.T) {
	t.Parallel()
	c := &cards{limit: [2]uint64{700_000, 650_000}, deaf: true}
	l, logs := c.limiter(t.TempDir())
	apply(t, l, []int{0}, 300_000)
	if !strings.Contains(logs.String(), "another power limit than it was given") {
		t.Errorf("logged %s", logs)
	}
	forgotten(t, l)
}

// The files of AMD's and Intel's drivers are written as they are read, in microwatts.
func TestPowerLimitsInSysfs(t *testing.T) {
	t.Parallel()
	const (
		mi210 = "sys/class/drm/renderD129/device/hwmon/hwmon4/power1_cap"
		arc   = "sys/class/drm/renderD130/device/hwmon/hwmon5/power1_max"
	)
	root := machine()
	delete(root, "dev/nvidia0")
	for name, text := range map[string]string{
		"renderD129/device/hwmon/hwmon4/power1_cap_min": "0\n", "renderD129/device/hwmon/hwmon4/power1_cap_max": "300000000\n",
		"renderD130/device/hwmon/hwmon5/power1_max": "0\n", "renderD130/device/hwmon/hwmon5/power1_rated_max": "225000000\n",
	} {
		root["sys/class/drm/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	mode := error(nil)
	i := gpu.Inventory{Root: root, Run: says(nil), Write: func(name string, data []byte) error {
		if mode != nil {
			return &fs.PathError{Op: "open", Path: name, Err: mode}
		}
		root[name].Data = data
		return nil
	}}
	var logs bytes.Buffer
	l := &gpu.Limiter{Inventory: i, File: filepath.Join(t.TempDir(), "limits.json"), Log: slog.New(slog.NewTextHandler(&logs, nil))}
	are := func(first, second string) {
		t.Helper()
		if got := [2]string{strings.TrimSpace(string(root[mi210].Data)), strings.TrimSpace(string(root[arc].Data))}; got != [2]string{first, second} {
			t.Errorf("limits are %v, want %s and %s", got, first, second)
		}
	}
	apply(t, l, nil, 200_000)
	are("200000000", "200000000")
	restore(t, l)
	are("300000000", "0") // switched off, as it was
	forgotten(t, l)
	if err := l.Apply(t.Context(), nil, 250_000); err == nil || !strings.Contains(err.Error(), "GPU 2 (Intel GPU 56a0) takes a power limit of 1 to 225 W, not of 250") || strings.Contains(err.Error(), "GPU 1") {
		t.Error(err)
	}
	mode = fs.ErrPermission
	apply(t, l, nil, 200_000)
	are("300000000", "0")
	if !strings.Contains(logs.String(), `command="echo 200000000 | sudo tee /`+mi210+`"`) || !strings.Contains(logs.String(), arc) {
		t.Errorf("logged %s", logs.String())
	}
	forgotten(t, l)
}

func TestALimitThatCannotBeRememberedIsNotSet(t *testing.T) {
	t.Parallel()
	c := &cards{limit: [2]uint64{700_000, 650_000}}
	l, _ := c.limiter(filepath.Join(t.TempDir(), "none"))
	if err := l.Apply(t.Context(), nil, 300_000); err == nil {
		t.Error("no error")
	}
	c.are(t, "nothing is kept", 700_000, 650_000)
	l, _ = c.limiter(t.TempDir())
	if err := os.WriteFile(l.File, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Apply(t.Context(), nil, 300_000); err == nil || !strings.Contains(err.Error(), l.File) {
		t.Error(err)
	}
	if _, ok := errors.AsType[*json.SyntaxError](l.Restore(t.Context())); !ok {
		t.Error("a broken file is no error")
	}
}
