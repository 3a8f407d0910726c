// Package sandbox takes from a process, for ever, what a program does not need that reads
// a file, computes, and writes to the pipes that it was given: files, networks, other
// programs and processes.
//
// It works in two steps, since Landlock binds the thread that asks for it and Go's
// programs have many. [Enter] binds one thread and runs the same program again, whose
// every thread is bound then. That program calls [Seal], which has the kernel filter the
// system calls of all its threads, and tries whether both hold.
package sandbox
