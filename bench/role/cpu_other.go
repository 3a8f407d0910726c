//go:build !unix

package role

import (
	"errors"
	"time"
)

func CPUTime() (time.Duration, error) {
	return 0, errors.New("processor time is not measured on this system")
}
