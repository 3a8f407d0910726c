//go:build linux || darwin

package node

import "syscall"

// freeSpace is how many bytes an ordinary user may still write below a path.
func freeSpace(path string) (uint64, bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true //nolint:gosec // a block's size is positive
}
