package network

import "syscall"

// dieWithParent has the kernel stop a process when this one is gone.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
