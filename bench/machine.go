package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine says where and when figures were taken.
type machine struct {
	Date   string `json:"date"`
	Go     string `json:"go"`
	System string `json:"system"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory,omitempty"`
	Load   string `json:"load,omitempty"` // of 1, 5 and 15 minutes before the run
}

func thisMachine() machine {
	m := machine{Date: time.Now().UTC().Format(time.DateTime) + " UTC", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU()}
	m.CPU = value("/proc/cpuinfo", "model name")
	if kib, err := strconv.ParseInt(strings.TrimSuffix(value("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = strconv.FormatInt((kib+1<<19)>>20, 10) + " GiB"
	}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		if f := strings.Fields(string(raw)); len(f) > 3 {
			m.Load = strings.Join(f[:3], " ")
		}
	}
	return m
}

// value finds "key: value" in a file of the kernel's, or returns "".
func value(path, key string) string {
	raw, err := os.ReadFile(path) //nolint:gosec // of the kernel
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (m machine) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s, %d cores of %s, %s, %s %s, load %s\n", m.Date, m.Cores, m.CPU, m.Memory, m.Go, m.System, m.Load)
	return err
}
