// Package deptest keeps programs light: it fails a test when the program it
// lives in links something that it must not.
//
// Call it from a test in the program's own package. The test binary then
// changes whenever a dependency does, and a cached pass stays honest.
package deptest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Limits bounds what a program may link.
type Limits struct {
	Forbid map[string]string // import path, with all below it => reason
	Max    int               // number of packages, the standard library included
	Env    []string          // settings of the build, such as CGO_ENABLED=0
}

// Check applies l to the package in the current directory.
func Check(t *testing.T, l Limits) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), l.Env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	for _, dep := range deps {
		for path, why := range l.Forbid {
			if dep == path || strings.HasPrefix(dep, path+"/") {
				t.Errorf("links %s: %s", dep, why)
			}
		}
	}
	if len(deps) > l.Max {
		t.Errorf("links %d packages, limit %d", len(deps), l.Max)
	}
	t.Logf("links %d packages, limit %d", len(deps), l.Max)
}
