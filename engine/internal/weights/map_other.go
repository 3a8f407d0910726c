//go:build !unix

package weights

import (
	"fmt"
	"io"
	"os"
)

// mapFile reads a file.
func mapFile(f *os.File) (data []byte, done func(), err error) {
	data, err = io.ReadAll(f)
	if err != nil {
		return nil, nil, fmt.Errorf("weights: %w", err)
	}
	return data, func() {}, nil
}
