//go:build !linux

package llama

import "syscall"

// attributes are those of any program: there are no builds for this system.
func attributes() *syscall.SysProcAttr { return nil }
