package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoLandlock says that the kernel has no Landlock, or does not use it.
var ErrNoLandlock = errors.New("this kernel has no Landlock, which Linux has since 5.13: add landlock to the lsm= of its command line")

// Rules are what remains.
type Rules struct {
	// Read are files and folders to read, Devices those to write as well, and Run folders
	// with what a program needs to start. What is not there, or out of reach anyway, is left out.
	Read, Devices, Run []string
	// Files are open files that may be opened again to read.
	Files []*os.File
	// CUDA adds what NVIDIA's driver does not start without: the process may name its threads
	// through /proc, and make a socket of the machine on which it cannot take a connection. It
	// needs Landlock.
	CUDA bool
	// Memory bounds the address space, in bytes; 0 is no bound.
	Memory uint64
	// OpenFiles goes on without Landlock: files are then what the process's user may read.
	OpenFiles bool
}

const (
	readFile = unix.LANDLOCK_ACCESS_FS_READ_FILE
	readTree = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	runTree  = readTree | unix.LANDLOCK_ACCESS_FS_EXECUTE
)

// handled are the kinds of access that a version of Landlock can refuse.
func handled(version int) unix.LandlockRulesetAttr {
	a := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1} // all of version 1
	if version >= 2 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		a.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 5 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return a
}

// Enter binds this thread to the rules and replaces the process by the same program with
// other arguments, the first of which is its name. It returns only with an error, such as
// [ErrNoLandlock].
func Enter(r Rules, args, env []string) error {
	runtime.LockOSThread() // what follows binds a thread
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if err := limits(r.Memory); err != nil {
		return err
	}
	if err := r.restrict(); err != nil && (r.CUDA || !r.OpenFiles || !errors.Is(err, ErrNoLandlock)) {
		return err
	}
	return fmt.Errorf("start again: %w", unix.Exec("/proc/self/exe", args, env))
}

func limits(memory uint64) error {
	set := map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_MSGQUEUE: 0}
	if memory > 0 {
		set[unix.RLIMIT_AS] = memory
	}
	for resource, most := range set {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("set limit %d to %d: %w", resource, most, err)
		}
	}
	return nil
}

// restrict binds this thread.
func (r Rules) restrict() error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno == unix.ENOSYS || errno == unix.EOPNOTSUPP || errno == unix.EPERM { // the last in containers that forbid it
		return ErrNoLandlock
	}
	if errno != 0 {
		return fmt.Errorf("ask for Landlock: %w", errno)
	}
	all := handled(int(version))
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&all)), unsafe.Sizeof(all), 0) //nolint:gosec // a system call
	if errno != 0 {
		return fmt.Errorf("make Landlock's rules: %w", errno)
	}
	defer func() { _ = unix.Close(int(set)) }()
	device := uint64(readTree | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV)
	for _, rule := range []struct {
		paths  []string
		access uint64
	}{{r.Read, readTree}, {r.Devices, device}, {append(r.Run, "/proc/self/exe"), runTree}} {
		for _, path := range rule.paths {
			fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
			if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES) {
				continue
			}
			if err != nil {
				return fmt.Errorf("allow %s: %w", path, err)
			}
			err = allow(int(set), fd, rule.access&all.Handled_access_fs)
			if _ = unix.Close(fd); err != nil {
				return fmt.Errorf("allow %s: %w", path, err)
			}
		}
	}
	if r.CUDA {
		if err := names(int(set), all); err != nil {
			return err
		}
	}
	for _, f := range r.Files {
		if err := allow(int(set), int(f.Fd()), readFile); err != nil {
			return fmt.Errorf("allow %s: %w", f.Name(), err)
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return fmt.Errorf("bind to Landlock's rules: %w", errno)
	}
	return nil
}

// names allows to write below the folder of the process's threads, where the system lets it
// change their names and little else. The folder stays open, also in the program that
// follows: the rule is bound to what the kernel keeps in memory for it.
func names(set int, all unix.LandlockRulesetAttr) error {
	const threads = "/proc/self/task"
	fd, err := unix.Open(threads, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == nil {
		err = allow(set, fd, (readTree|unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_TRUNCATE)&all.Handled_access_fs)
	}
	if err != nil {
		return fmt.Errorf("allow %s: %w", threads, err)
	}
	return nil
}

// allow adds a rule for a file or for all below a folder.
func allow(set, fd int, access uint64) error {
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return err
	}
	if info.Mode&unix.S_IFMT != unix.S_IFDIR { // what only folders have is refused for files
		access &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}                                                               //nolint:gosec // a descriptor
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0) //nolint:gosec // a system call
	if errno != 0 {
		return errno
	}
	return nil
}
