package guard

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NoCore makes the process leave no core dump, and keeps other processes of the
// same user from reading its memory.
func NoCore() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}

// hide keeps pages out of dumps and of children.
func hide(page []byte) {
	// An old kernel may not know these: NoCore holds all the same.
	_ = unix.Madvise(page, unix.MADV_DONTDUMP)
	_ = unix.Madvise(page, unix.MADV_DONTFORK)
}
