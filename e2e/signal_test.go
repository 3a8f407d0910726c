package e2e_test

import "syscall"

// A stopped process holds its connections and answers nobody.
const (
	stopSignal = syscall.SIGSTOP
	contSignal = syscall.SIGCONT
)
