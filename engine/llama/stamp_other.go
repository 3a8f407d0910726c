//go:build !linux

package llama

import (
	"fmt"
	"io/fs"
)

// stampOf takes the results of Stat.
func stampOf(info fs.FileInfo, err error) (stamp, error) {
	if err != nil {
		return stamp{}, err
	}
	return stamp{info: fmt.Sprint(info.Size(), info.ModTime().UnixNano())}, nil
}
