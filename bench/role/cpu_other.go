//go:build !unix

package role

import (
	"errors"
	"time"
)

// CPUTime returns the processor time that this process has used.
func CPUTime() (time.Duration, error) {
	return 0, errors.New("processor time is not measured on this system")
}
