package network

import "syscall"

// DieWithParent has the kernel stop a process when this one is gone. The thread that starts it must live as long.
func DieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
