package supervise

import "syscall"

// attributes gives a child its own process group, so that Ctrl-C in a terminal
// reaches the supervisor alone, and SIGTERM when the supervisor dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
