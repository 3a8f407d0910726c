//go:build !unix

package role

import (
	"errors"
	"time"
)

// CPUTime returns what this process has used, where the system tells.
func CPUTime() (time.Duration, error) {
	return 0, errors.New("processor time is not measured on this system")
}
