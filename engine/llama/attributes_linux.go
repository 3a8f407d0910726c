package llama

import "syscall"

// attributes give the program a process group of its own, and its end when the thread that
// started it ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup ends all of a process group.
func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }
