// Package gpu tells which of the accelerators that a miner's settings name are
// in the machine.
package gpu

import (
	"io/fs"
	"os"
	"strconv"
)

// Missing returns which of the numbered devices the machine, its file system
// rooted at root, does not have. Device n is NVIDIA's nvidia<n> or the n-th
// render node of any other maker.
func Missing(root fs.FS, devices []int) []int {
	var missing []int
	for _, n := range devices {
		if !there(root, "dev/nvidia"+strconv.Itoa(n)) && !there(root, "dev/dri/renderD"+strconv.Itoa(128+n)) {
			missing = append(missing, n)
		}
	}
	return missing
}

func there(root fs.FS, name string) bool {
	_, err := fs.Stat(root, name)
	return err == nil
}

// Machine returns this machine's file system.
func Machine() fs.FS { return os.DirFS("/") }
