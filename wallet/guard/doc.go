// Package guard keeps secrets out of swap, core dumps and memory that has been
// given back: buffers outside Go's heap that are locked and wiped, a process
// that leaves no core, and calls whose traces are erased.
package guard
