//go:build goexperiment.runtimesecret

package guard

import (
	"runtime"
	"runtime/debug"
	"runtime/secret"
)

// Erasing tells whether [Do] erases what is left on the heap too: programs are
// built with GOEXPERIMENT=runtimesecret for that.
const Erasing = true

// Do calls f and erases registers and stack that it used; what it allocated is
// erased once nothing refers to it, at the latest by [Sweep].
func Do(f func()) { secret.Do(f) }

// Sweep has the collector find and erase what secrets left behind.
func Sweep() {
	runtime.GC()
	debug.FreeOSMemory() // collects once more: what finalizers held
}
