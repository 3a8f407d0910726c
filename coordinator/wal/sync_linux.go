package wal

import (
	"os"
	"syscall"
)

// datasync has the disk keep what was written, without a time of change that
// nobody reads.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// openDirect opens a file once more, so that a write goes past the system's cache
// and returns when the disk has it: open(2), O_DIRECT and O_DSYNC. It returns nil
// where the file system has no such writes.
func openDirect(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_DIRECT|syscall.O_DSYNC, 0) //nolint:gosec // the log's own file
	if noDirect(err) {
		return nil, nil
	}
	return f, err
}
