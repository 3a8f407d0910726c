package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newest is the last system call that was known when the list below was written. Later
// ones do not exist for the process, as on an older kernel.
const newest = unix.SYS_LISTNS

// refused are the calls that fail with EPERM: those by which a process reaches others,
// networks and the system, and changes files without opening them.
var refused = []uint32{
	// networks and sockets, and what opens them in other ways
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
	unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	// programs and processes
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
	unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_PROCESS_MADVISE, unix.SYS_PROCESS_MRELEASE,
	unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_TKILL, unix.SYS_KCMP, unix.SYS_SETPGID, unix.SYS_SETSID, unix.SYS_SETPRIORITY,
	unix.SYS_IOPRIO_SET, unix.SYS_SETRLIMIT, unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES,
	unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SHMCTL, unix.SYS_SEMGET, unix.SYS_SEMOP, unix.SYS_SEMTIMEDOP, unix.SYS_SEMCTL,
	unix.SYS_MSGGET, unix.SYS_MSGSND, unix.SYS_MSGRCV, unix.SYS_MSGCTL, unix.SYS_MQ_OPEN, unix.SYS_MQ_UNLINK,
	// files, which Landlock does not keep all
	unix.SYS_CREAT, unix.SYS_TRUNCATE, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE, unix.SYS_CHMOD, unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2,
	unix.SYS_CHOWN, unix.SYS_FCHOWN, unix.SYS_LCHOWN, unix.SYS_FCHOWNAT, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_UTIMENSAT, unix.SYS_FUTIMESAT,
	unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR,
	unix.SYS_SETXATTRAT, unix.SYS_REMOVEXATTRAT, unix.SYS_FILE_SETATTR,
	unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINK, unix.SYS_LINKAT, unix.SYS_SYMLINK, unix.SYS_SYMLINKAT, unix.SYS_UNLINK,
	unix.SYS_UNLINKAT, unix.SYS_MKDIR, unix.SYS_MKDIRAT, unix.SYS_RMDIR, unix.SYS_MKNOD, unix.SYS_MKNODAT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT,
	unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK, unix.SYS_INOTIFY_ADD_WATCH,
	// the system
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG,
	unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_STATMOUNT, unix.SYS_LISTMOUNT,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT, unix.SYS_SYSLOG,
	unix.SYS_ACCT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT,
	unix.SYS_PERSONALITY, unix.SYS_VHANGUP, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID,
	unix.SYS_SETRESUID, unix.SYS_SETRESGID, unix.SYS_SETGROUPS, unix.SYS_SETFSUID, unix.SYS_SETFSGID, unix.SYS_CAPSET,
}

// The fields of struct seccomp_data that the filter looks at.
const (
	atCall  = 0
	atArch  = 4
	atFirst = 16 // low half of the first argument; the others follow every 8 bytes
)

const x32 = 0x40000000 // calls of the other convention for amd64

// filter assembles the program.
type filter []unix.SockFilter

func (f *filter) add(code int, k uint32) {
	*f = append(*f, unix.SockFilter{Code: uint16(code), K: k}) //nolint:gosec // small
}

// load takes a field.
func (f *filter) load(at uint32) { f.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, at) }

// jump compares what was loaded with k and skips so many instructions if that holds, others if not.
func (f *filter) jump(how int, k uint32, yes, no uint8) {
	*f = append(*f, unix.SockFilter{Code: uint16(unix.BPF_JMP | how | unix.BPF_K), Jt: yes, Jf: no, K: k}) //nolint:gosec // small
}

// end decides.
func (f *filter) end(action uint32) { f.add(unix.BPF_RET|unix.BPF_K, action) }

const (
	allowed = unix.SECCOMP_RET_ALLOW
	denied  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	absent  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOENT)
	unknown = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// when decides about a call by one of its arguments: it ends with yes if how holds, else with no.
func (f *filter) when(call, argument uint32, how int, k, yes, no uint32) {
	f.jump(unix.BPF_JEQ, call, 0, 4)
	f.load(atFirst + 8*argument)
	f.jump(how, k, 0, 1)
	f.end(yes)
	f.end(no)
}

// emptying refuses a call that empties a file without opening it to write, in which Landlock
// before its version 3 sees nothing: the flags are those of open(2).
func (f *filter) emptying(call, flags uint32) {
	f.jump(unix.BPF_JEQ, call, 0, 6)
	f.load(atFirst + 8*flags)
	f.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, unix.O_TRUNC|unix.O_ACCMODE)
	f.jump(unix.BPF_JEQ, unix.O_TRUNC|unix.O_RDONLY, 1, 0)
	f.jump(unix.BPF_JEQ, unix.O_TRUNC|unix.O_ACCMODE, 0, 1)
	f.end(denied)
	f.end(allowed)
}

// listening are the calls that CUDA's driver makes for a socket on which another process could
// ask for its memory. What it can be asked is nothing: connections can be neither made nor taken.
var listening = []uint32{unix.SYS_SOCKET, unix.SYS_BIND, unix.SYS_LISTEN}

// socket allows such a socket, which is of the machine and has packets in order, and no other.
func (f *filter) socket() {
	const kind = 15 // the bits of the type, without its flags
	f.jump(unix.BPF_JEQ, unix.SYS_SOCKET, 0, 7)
	f.load(atFirst)
	f.jump(unix.BPF_JEQ, unix.AF_UNIX, 0, 4)
	f.load(atFirst + 8)
	f.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, kind)
	f.jump(unix.BPF_JEQ, unix.SOCK_SEQPACKET, 0, 1)
	f.end(allowed)
	f.end(denied)
}

// program is the filter for the process of that number. cuda lets files be opened as if to
// be made or emptied, which Landlock then decides alone, and a socket be made that leads nowhere.
func program(pid uint32, cuda bool) filter {
	var f filter
	f.load(atArch)
	f.jump(unix.BPF_JEQ, unix.AUDIT_ARCH_X86_64, 1, 0)
	f.end(unix.SECCOMP_RET_KILL_PROCESS)
	f.load(atCall)
	f.jump(unix.BPF_JGE, x32, 0, 1)
	f.end(unix.SECCOMP_RET_KILL_PROCESS)
	f.jump(unix.BPF_JGT, newest, 0, 1)
	f.end(unknown)
	if cuda {
		f.socket()
	}
	for _, call := range slices.Sorted(slices.Values(refused)) {
		answer := denied
		if cuda && slices.Contains(listening, call) {
			continue
		}
		if cuda && (call == unix.SYS_UNLINK || call == unix.SYS_CONNECT) {
			answer = absent // CUDA's driver tidies up and looks for its server, and starts if there is nothing
		}
		f.jump(unix.BPF_JEQ, call, 0, 1)
		f.end(answer)
	}
	// The C library falls back to calls whose arguments a filter can see.
	for _, call := range []uint32{unix.SYS_CLONE3, unix.SYS_OPENAT2} {
		f.jump(unix.BPF_JEQ, call, 0, 1)
		f.end(unknown)
	}
	const changes = unix.O_CREAT | unix.O_TRUNC
	f.when(unix.SYS_CLONE, 0, unix.BPF_JSET, unix.CLONE_THREAD, allowed, denied)
	for call, flags := range map[uint32]uint32{unix.SYS_OPEN: 1, unix.SYS_OPENAT: 2} {
		if cuda {
			f.emptying(call, flags)
		} else {
			f.when(call, flags, unix.BPF_JSET, changes, denied, allowed)
		}
	}
	f.when(unix.SYS_KILL, 0, unix.BPF_JEQ, pid, allowed, denied)
	f.when(unix.SYS_TGKILL, 0, unix.BPF_JEQ, pid, allowed, denied)
	// Limits of the process itself, which it cannot raise.
	f.when(unix.SYS_PRLIMIT64, 0, unix.BPF_JEQ, 0, allowed, denied)
	f.end(allowed)
	return f
}

// Seal has the kernel filter the system calls of this process and all its threads, and
// returns an error unless files and networks are then out of reach. The rules are those of
// [Enter].
func Seal(r Rules) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	f := program(uint32(os.Getpid()), r.CUDA)                                                                                                   //nolint:gosec // positive
	prog := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}                                                                                  //nolint:gosec // some hundred
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))) //nolint:gosec // a system call
	runtime.KeepAlive(f)
	if errno != 0 {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); !errors.Is(err, unix.EPERM) {
		_ = unix.Close(fd)
		return fmt.Errorf("the filter of system calls does not hold: a socket gives %w", err)
	}
	if r.OpenFiles && !r.CUDA {
		return nil
	}
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	if !errors.Is(err, unix.EACCES) {
		return errors.New("the rules of Landlock do not hold: the root folder can be read")
	}
	return nil
}
