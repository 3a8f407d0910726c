//go:build unix && !linux

package network

import "syscall"

// DieWithParent has a process stop when this one is gone, where the system can do that.
func DieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
