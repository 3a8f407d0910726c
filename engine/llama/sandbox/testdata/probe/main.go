// Command probe enters the sandbox and tries what it must not do: it prints, as one JSON
// object, what each attempt came to.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/aitbc/aitbc/engine/llama/sandbox"
)

// The arguments are the word "enter" or "inside", a folder that may be read, one that may
// not, the number of another process, and "cuda" for a process that has what CUDA's driver needs.
// Descriptor 3 is a file that may be read.
func main() {
	open, closed := os.Args[2], os.Args[3]
	rules := sandbox.Rules{
		Read: []string{open, "/does/not/exist"}, Files: []*os.File{os.NewFile(3, "model")}, Memory: 8 << 30, CUDA: os.Args[5] == "cuda",
	}
	if os.Args[1] == "enter" {
		fmt.Fprintln(os.Stderr, sandbox.Enter(rules, append([]string{"probe", "inside"}, os.Args[2:]...), nil))
		os.Exit(1)
	}
	other, err := strconv.Atoi(os.Args[4])
	if err != nil {
		panic(err)
	}
	// Threads that are there before the filter is.
	hold := make(chan struct{})
	var threads sync.WaitGroup
	early := make(chan error, 8)
	for range cap(early) {
		threads.Go(func() {
			runtime.LockOSThread()
			<-hold
			_, err := os.ReadFile(filepath.Join(closed, "secret"))
			_, socket := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if errors.Is(err, unix.EACCES) && errors.Is(socket, unix.EPERM) {
				early <- nil
				return
			}
			early <- fmt.Errorf("%w, %w", err, socket)
		})
	}
	if err := sandbox.Seal(rules); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	close(hold)
	threads.Wait()
	said := map[string]string{}
	try := func(name string, err error) {
		if said[name] = "done"; err != nil {
			said[name] = err.Error()
		}
	}
	for range cap(early) {
		if err := <-early; err != nil {
			try("a thread that was there before", err)
		}
	}
	read := func(path string) error { _, err := os.ReadFile(path); return err }
	openFor := func(path string, flags int) error {
		f, err := os.OpenFile(path, flags, 0o600)
		if err == nil {
			_ = f.Close()
		}
		return err
	}
	call := func(number uintptr, args ...uintptr) error {
		args = append(args, 0, 0, 0, 0, 0, 0)
		if _, _, errno := unix.RawSyscall6(number, args[0], args[1], args[2], args[3], args[4], args[5]); errno != 0 {
			return errno
		}
		return nil
	}
	dial := func(network, address string) error {
		c, err := net.Dial(network, address)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	inside, secret := filepath.Join(open, "file"), filepath.Join(closed, "secret")

	try("ok: read the model", read("/proc/self/fd/3"))
	try("ok: read the folder", read(inside))

	name := func(path string) error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
		if err == nil {
			_, err = f.WriteString("name")
			err = errors.Join(err, f.Close())
		}
		return err
	}
	own := fmt.Sprintf("/proc/self/task/%d/comm", unix.Gettid())
	listen := func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("@aitbc-probe-%d", os.Getpid())}), unix.Listen(fd, 1))
			_, _, taken := unix.Accept(fd)
			try("take a connection", taken)
			_ = unix.Close(fd)
		}
		return err
	}
	if rules.CUDA {
		try("ok: name a thread", name(own))
		try("ok: listen to nobody", listen())
	} else {
		try("name a thread", name(own))
		try("listen", listen())
	}
	for what, kind := range map[string][2]int{"a stream": {unix.AF_UNIX, unix.SOCK_STREAM}, "packets of another family": {unix.AF_VSOCK, unix.SOCK_SEQPACKET}} {
		_, err := unix.Socket(kind[0], kind[1], 0)
		try("a socket for "+what, err)
	}
	try("a socket in a file", func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(open, "socket")})
			_ = unix.Close(fd)
		}
		return err
	}())
	try("name another's thread", name(fmt.Sprintf("/proc/%d/task/%d/comm", other, other)))
	try("empty the model without a mode", openFor("/proc/self/fd/3", os.O_TRUNC|unix.O_ACCMODE))
	try("empty and make a file inside", name(inside))

	try("read a file outside", read(secret))
	try("list a folder outside", func() error { _, err := os.ReadDir(closed); return err }())
	try("read /etc/passwd", read("/etc/passwd"))
	try("read another process's environment", read(fmt.Sprintf("/proc/%d/environ", other)))
	try("read another process's memory", read(fmt.Sprintf("/proc/%d/mem", other)))
	try("follow ..", read(filepath.Join(open, "..", filepath.Base(closed), "secret")))
	try("write a file outside", openFor(secret, os.O_WRONLY))
	try("make a file outside", openFor(filepath.Join(closed, "new"), os.O_WRONLY|os.O_CREATE))
	try("write a file inside", openFor(inside, os.O_WRONLY))
	try("make a file inside", openFor(filepath.Join(open, "new"), os.O_WRONLY|os.O_CREATE))
	try("empty the model", openFor("/proc/self/fd/3", os.O_RDONLY|os.O_TRUNC))
	try("empty a file", os.Truncate(inside, 0))
	try("remove a file", os.Remove(inside))
	try("rename a file", os.Rename(inside, inside+"2"))
	try("make a folder", os.Mkdir(filepath.Join(open, "folder"), 0o700))
	try("make a link", os.Symlink(secret, filepath.Join(open, "link")))
	try("change a mode", os.Chmod(secret, 0o777))
	try("change times", unix.Utime(secret, nil))
	try("set an attribute", unix.Setxattr(secret, "user.x", []byte("y"), 0))
	try("connect by TCP", dial("tcp", "127.0.0.1:1"))
	try("send by UDP", dial("udp", "127.0.0.1:53"))
	try("resolve a name", func() error { _, err := net.LookupHost("example.org"); return err }())
	try("connect to a unix socket", dial("unix", filepath.Join(closed, "socket")))
	try("connect to an abstract socket", dial("unix", "@aitbc"))
	try("make a raw socket", func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err }())
	try("make a netlink socket", func() error { _, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0); return err }())
	try("make a socket pair", func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }())
	try("use io_uring", call(unix.SYS_IO_URING_SETUP, 1))
	try("run a program", func() error {
		_, err := syscall.ForkExec("/proc/self/exe", []string{"x"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		return err
	}())
	try("become a program", syscall.Exec("/proc/self/exe", []string{"x"}, nil))
	try("fork", call(unix.SYS_CLONE, uintptr(unix.SIGCHLD)))
	try("fork anew", call(unix.SYS_CLONE3))
	try("signal another process", unix.Kill(other, 0))
	try("trace another process", unix.PtraceAttach(other))
	try("open a process", func() error { _, err := unix.PidfdOpen(other, 0); return err }())
	try("load a filter", call(unix.SYS_BPF))
	try("leave the namespaces", unix.Unshare(unix.CLONE_NEWUSER))
	try("call what is not known yet", call(5000))
	try("raise a limit", unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}))
	try("take more memory than the limit", func() error {
		_, err := unix.Mmap(-1, 0, 16<<30, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		return err
	}())
	_ = json.NewEncoder(os.Stdout).Encode(said)
}
