//go:build !linux

package llama

import (
	"os"
	"syscall"
)

// attributes are those of any program: there are no builds for this system.
func attributes() *syscall.SysProcAttr { return nil }

// killGroup ends a process.
func killGroup(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}
