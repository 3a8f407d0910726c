//go:build unix

package exact

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// readAside reads a file into memory that the garbage collector does not count: else
// it would let as much garbage gather as a model is large. free gives the memory back.
func readAside(path string) (data []byte, free func(), err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() || size == 0 || size != int64(int(size)) {
		return nil, nil, fmt.Errorf("%s is no file that can be read as a whole", path)
	}
	// A copy, and no view of the file: whoever changes the file does not change answers.
	data, err = syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("memory for %d bytes: %w", size, err)
	}
	free = func() { _ = syscall.Munmap(data) }
	if _, err := io.ReadFull(f, data); err != nil {
		free()
		return nil, nil, err
	}
	return data, free, nil
}
