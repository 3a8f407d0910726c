// Package memlimit chooses how much memory a node's heap may grow to on the machine, or in the container, it runs on.
package memlimit

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

const (
	// Least is what a node needs to work at all.
	Least = 512 << 20
	// Most is what it has use for: more would only be garbage that nobody collects.
	Most = 4 << 30

	share = 60 // percent of what there is; the rest is for the database's own memory, the kernel's cache, and others
)

// Choose returns a limit from the files of the operating system below root (os.DirFS("/")), and what it was chosen by.
// Without such files it is Least.
func Choose(root fs.FS) (limit int64, by string) {
	total, by := memory(root), "the machine's memory"
	if group := cgroup(root); group > 0 && (total == 0 || group < total) {
		total, by = group, "the control group's limit"
	}
	if total == 0 {
		return Least, "the least that a node needs"
	}
	return min(max(total/100*share, Least), Most), by
}

// memory is the machine's, 0 if unknown.
func memory(root fs.FS) int64 {
	raw, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		rest, ok := strings.CutPrefix(line, "MemTotal:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil || kib <= 0 || kib > 1<<50 {
			return 0
		}
		return kib << 10
	}
	return 0
}

// cgroup is the smallest limit of the group that this process is in and of those around it, 0 if there is none.
func cgroup(root fs.FS) int64 {
	raw, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	var least int64
	for line := range strings.SplitSeq(string(raw), "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, file := "sys/fs/cgroup", "memory.max"
		switch {
		case parts[0] == "0" && parts[1] == "": // version 2
		case parts[1] == "memory":
			base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for dir := path.Join("/", parts[2]); ; dir = path.Dir(dir) {
			if n := number(root, path.Join(base, dir, file)); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if dir == "/" {
				break
			}
		}
	}
	return least
}

// number reads a limit; "max" and the nearly endless number of old kernels are none.
func number(root fs.FS, name string) int64 {
	raw, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil || n <= 0 || n > 1<<60 {
		return 0
	}
	return n
}
