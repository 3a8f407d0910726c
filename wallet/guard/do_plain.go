//go:build !goexperiment.runtimesecret

package guard

import "runtime/debug"

// Erasing tells whether [Do] erases what is left on the heap too: programs are
// built with GOEXPERIMENT=runtimesecret for that.
const Erasing = false

// Do calls f. Without the experiment nothing is erased but what f itself clears.
func Do(f func()) { f() }

// Sweep gives free memory back to the system.
func Sweep() { debug.FreeOSMemory() }
