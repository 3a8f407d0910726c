package llama

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// stampOf takes the results of Stat.
func stampOf(info fs.FileInfo, err error) (stamp, error) {
	if err != nil {
		return stamp{}, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, errors.New("the file's inode cannot be seen")
	}
	return stamp{info: fmt.Sprint(s.Dev, s.Size, s.Mtim, s.Ctim), inode: s.Ino}, nil
}
