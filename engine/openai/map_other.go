//go:build !unix

package openai

import (
	"fmt"
	"os"
)

// mapFile reads a file.
func mapFile(path string) (data []byte, done func(), err error) {
	data, err = os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("weights: %w", err)
	}
	return data, func() {}, nil
}
