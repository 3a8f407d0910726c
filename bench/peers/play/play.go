// Package play has a test's program play the roles that benchmarks start from it.
package play

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/bench/role"
	"github.com/aitbc/aitbc/bench/submits"
)

// Main is for TestMain: it plays a role, or runs the tests.
func Main(m *testing.M) int {
	if len(os.Args) < 3 || os.Args[1] != role.Word {
		return m.Run()
	}
	if os.Args[2] != submits.RoleCoordinator {
		fmt.Fprintf(os.Stderr, "there is no role %q\n", os.Args[2])
		return 1
	}
	if err := role.Play(context.Background(), rig.ServeCoordinator, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
