// Package disk measures how fast a folder's disk makes a write durable: the
// ceiling of everything that promises to remember.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const (
	blockSize = 4096
	blocks    = 1024
)

// File is a preallocated file whose blocks are written again and again. It is
// safe for concurrent use.
type File struct {
	f    *os.File
	next atomic.Int64
	data [blockSize]byte
}

// Create makes the file in a folder.
func Create(dir string) (*File, error) {
	f, err := os.Create(filepath.Join(dir, "sync.bin")) //nolint:gosec // the caller names the folder
	if err != nil {
		return nil, fmt.Errorf("make file: %w", err)
	}
	_, err = f.Write(make([]byte, blocks*blockSize))
	if err = errors.Join(err, f.Sync()); err != nil {
		return nil, errors.Join(fmt.Errorf("fill %s: %w", f.Name(), err), f.Close())
	}
	out := &File{f: f}
	for i := range out.data {
		out.data[i] = byte(i) //nolint:gosec // any pattern does
	}
	return out, nil
}

// Sync writes one block of 4 KiB and returns when it is on the disk.
func (d *File) Sync() error {
	at := d.next.Add(1) % blocks
	if _, err := d.f.WriteAt(d.data[:], at*blockSize); err != nil {
		return fmt.Errorf("write block: %w", err)
	}
	return datasync(d.f)
}

// Measure syncs one block after another for some time and returns how long each took.
func (d *File) Measure(long time.Duration) ([]time.Duration, error) {
	var took []time.Duration
	for start := time.Now(); time.Since(start) < long; {
		t := time.Now()
		if err := d.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(t))
	}
	return took, nil
}

// Close closes the file.
func (d *File) Close() error { return d.f.Close() }
