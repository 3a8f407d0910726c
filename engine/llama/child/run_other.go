//go:build !linux || !amd64

package child

import (
	"errors"

	"github.com/aitbc/aitbc/engine/llama/wire"
)

// Is says whether the program was called with a word of this package.
func Is(args []string) bool { return len(args) > 1 && args[1] == wire.Word }

// Run is the program; builds of llama.cpp are known for Linux on amd64.
func Run([]string) error { return errors.New("llama.cpp is run on Linux on amd64") }
