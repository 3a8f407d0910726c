package wal

import (
	"os"
	"syscall"
)

// datasync has the disk keep what was written, without a time of change that
// nobody reads.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
