//go:build unix && !linux

package supervise

import "syscall"

// attributes gives a child its own process group, so that Ctrl-C in a terminal
// reaches the supervisor alone.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
