// Package pidlock lets one process at a time own a directory, and tells others
// who it is.
//
// The lock is the kernel's: it goes with the process, however that ends, and
// the kernel itself names the holder, so a stale file can mislead nobody.
package pidlock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// ErrHeld reports a lock that another process has.
var ErrHeld = errors.New("held by another process")

// Lock is a lock that this process holds.
type Lock struct{ f *os.File }

// Acquire takes the lock at path, creating the file if need be. It returns an
// error that wraps [ErrHeld] and names the holder's process id if there is one.
// A process must not acquire the same path twice.
func Acquire(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // a path below our own data directory
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	request := whole(syscall.F_WRLCK)
	err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &request)
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EAGAIN) {
		err = ErrHeld
		if pid, herr := Holder(path); herr == nil && pid != 0 {
			err = fmt.Errorf("%w: process %d", ErrHeld, pid)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return &Lock{f}, nil
}

// Release gives the lock back.
func (l *Lock) Release() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("unlock: %w", err)
	}
	return nil
}

// Holder returns the id of the process that holds the lock at path, zero if
// none does. The holder itself must not ask: it would lose the lock.
func Holder(path string) (int, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // a path below our own data directory
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read lock: %w", err)
	}
	defer f.Close() //nolint:errcheck // only asked
	question := whole(syscall.F_WRLCK)
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &question); err != nil {
		return 0, fmt.Errorf("read lock %s: %w", path, err)
	}
	if question.Type == syscall.F_UNLCK {
		return 0, nil
	}
	return int(question.Pid), nil
}

// whole is a lock request over a whole file.
func whole(kind int16) syscall.Flock_t {
	return syscall.Flock_t{Type: kind, Whence: io.SeekStart}
}
