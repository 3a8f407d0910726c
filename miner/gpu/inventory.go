package gpu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// Child is the program that asks NVIDIA's library: it has to be linked dynamically, which a miner is not.
const Child = "aitbc-miner-gpu"

// patience bounds how long a program may take that is asked for devices.
const patience = 10 * time.Second

// Run runs a program and returns what it printed; exec.ErrNotFound for one that is not there.
type Run func(ctx context.Context, name string, args ...string) ([]byte, error)

// Inventory lists the GPUs of a machine, and sets their power limits.
type Inventory struct {
	System string // as Go calls it: [MacOS], or any other
	Root   fs.FS  // the machine's file system
	Run    Run
	// Write writes into a file of Root that is there. Without it nothing is set in sysfs.
	Write func(name string, data []byte) error
}

// This is the inventory of this machine. It finds the child beside the program that runs.
func This() Inventory {
	return Inventory{System: runtime.GOOS, Root: Machine(), Run: run, Write: write}
}

// Devices asks NVIDIA's library by way of the child, else nvidia-smi; AMD's and Intel's devices are read from sysfs. On macOS
// it asks system_profiler instead. It returns an error if there is a device of NVIDIA's of which nobody can tell, or if
// system_profiler does not.
func (i Inventory) Devices(ctx context.Context) ([]Device, error) {
	if i.System == MacOS {
		return i.fromMacOS(ctx)
	}
	list := fromSysfs(i.Root)
	nvidia, err := i.nvidia(ctx)
	list = append(list, nvidia...)
	slices.SortFunc(list, func(a, b Device) int { return a.Index - b.Index })
	if err != nil && there(i.Root, "dev/nvidia0") {
		return list, fmt.Errorf("there is a GPU of NVIDIA's, and nobody tells of it: %w", err)
	}
	return list, nil
}

// Missing returns which of the numbered devices the machine does not have: they are not in its list, and have no file.
func (i Inventory) Missing(list []Device, devices []int) []int {
	return slices.DeleteFunc(Missing(i.Root, devices), func(n int) bool {
		return slices.ContainsFunc(list, func(d Device) bool { return d.Index == n })
	})
}

func (i Inventory) nvidia(ctx context.Context) ([]Device, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, byChild := i.Run(ctx, Child)
	if byChild == nil {
		var r Report
		if byChild = json.Unmarshal(out, &r); byChild == nil && r.Error == "" {
			return r.Devices, nil
		}
		byChild = errors.Join(byChild, errors.New(r.Error))
	}
	out, bySMI := i.Run(ctx, "nvidia-smi", smiArgs()...)
	if bySMI == nil {
		return parseSMI(string(out))
	}
	return nil, errors.Join(byChild, bySMI)
}

// Report is what the child prints, as one JSON value.
type Report struct {
	Devices []Device `json:"devices"`
	Error   string   `json:"error,omitempty"`
	// Denied says that the error is one of rights: root may do it.
	Denied bool `json:"denied,omitempty"`
}

// run runs a program of this machine: one that lies beside this program, or on the path.
func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	if self, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), name); executable(beside) {
			name = beside
		}
	}
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // a name of ours
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		if text := bytes.TrimSpace(slices.Concat(problems.Bytes(), out.Bytes())); len(text) > 0 {
			return nil, fmt.Errorf("%s: %w: %.200s", name, err, text)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out.Bytes(), nil
}

// write writes into a file of this machine that is there.
func write(name string, data []byte) error {
	f, err := os.OpenFile(filepath.Join("/", name), os.O_WRONLY, 0) //nolint:gosec // a name of ours
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
