package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrNoDevice reports that no Ledger is plugged in, or that this user may not use it.
var ErrNoDevice = errors.New("no Ledger is plugged in, or udev's rules for it are missing")

const vendor = "00002C97"

// confirmWithin is how long a person may take at the device.
const confirmWithin = 2 * time.Minute

// Open returns the first Ledger of this machine, by Linux's hidraw. It is closed
// when ctx ends. It returns [ErrNoDevice].
func Open(ctx context.Context) (io.ReadWriteCloser, error) {
	nodes, err := find("/sys/class/hidraw")
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range nodes {
		f, err := os.OpenFile(filepath.Join("/dev", name), os.O_RDWR, 0) //nolint:gosec // a name that the kernel gave
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_ = f.SetDeadline(time.Now().Add(confirmWithin)) // a kernel without it waits for ctx
		r := &raw{f: f}
		r.stop = context.AfterFunc(ctx, func() { _ = f.Close() }) // an error is the reader's too
		return r, nil
	}
	return nil, errors.Join(append([]error{ErrNoDevice}, errs...)...)
}

// find returns the device nodes of Ledgers below sysfs, in order: the first
// interface of each speaks with programs.
func find(sysfs string) (nodes []string, err error) {
	entries, err := os.ReadDir(sysfs)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoDevice
	}
	if err != nil {
		return nil, fmt.Errorf("look for a Ledger: %w", err)
	}
	for _, e := range entries {
		about, err := os.ReadFile(filepath.Join(sysfs, e.Name(), "device", "uevent")) //nolint:gosec // likewise
		if err != nil {
			continue // unplugged meanwhile
		}
		ours, first := false, true
		for line := range strings.Lines(string(about)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key {
			case "HID_ID": // bus:vendor:product
				parts := strings.Split(value, ":")
				ours = len(parts) == 3 && strings.EqualFold(parts[1], vendor)
			case "HID_PHYS":
				first = strings.HasSuffix(value, "/input0")
			}
		}
		if ours && first {
			nodes = append(nodes, e.Name())
		}
	}
	slices.Sort(nodes)
	return nodes, nil
}

// raw carries packets: hidraw wants the number of a report before each.
type raw struct {
	f    *os.File
	stop func() bool
}

// Write writes one packet.
func (r *raw) Write(packet []byte) (int, error) {
	n, err := r.f.Write(append([]byte{0}, packet...))
	return max(0, n-1), err
}

// Read reads one packet.
func (r *raw) Read(packet []byte) (int, error) { return r.f.Read(packet) }

// Close gives the device back.
func (r *raw) Close() error {
	r.stop()
	if err := r.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close the Ledger: %w", err)
	}
	return nil
}
