//go:build unix

package weights

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// mapFile maps a file into memory, so that no more of it is there than is read.
func mapFile(f *os.File) (data []byte, done func(), err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("weights: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, nil, errors.New("weights: no plain file with something in it")
	}
	data, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("weights: map: %w", err)
	}
	return data, func() { _ = syscall.Munmap(data) }, nil
}
