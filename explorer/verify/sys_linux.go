package verify

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes put a compiler into a group of its own, which dies with us.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// fileMost is how large a file a compiler may write, which has nothing to write.
const fileMost = 1 << 20

// bound sets what a process may take: its own memory, not what it only reserves, as
// engines of WebAssembly do by the terabyte.
func bound(pid int, memory uint64) error {
	for what, most := range map[int]uint64{unix.RLIMIT_DATA: memory, unix.RLIMIT_FSIZE: fileMost, unix.RLIMIT_CORE: 0} {
		err := unix.Prlimit(pid, what, &unix.Rlimit{Cur: most, Max: most}, nil)
		if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended already
			return err
		}
	}
	return nil
}
