package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxLog is the size from which a log is set aside when its child starts.
const maxLog = 16 << 20

// openLog opens a log to append to, and moves one that has grown large to
// NAME.1 first.
func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("set log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // a path below our own data directory
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// Tail returns the last lines of a file, at most n, and nothing if it cannot be
// read. Very long lines are cut.
func Tail(path string, n int) []string {
	const window, width = 16 << 10, 300
	f, err := os.Open(path) //nolint:gosec // a path below our own data directory
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // only read
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	b := make([]byte, min(end, window))
	if m, err := f.ReadAt(b, end-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
		return nil
	} else {
		b = b[:m]
	}
	text := strings.TrimRight(string(b), "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, l := range lines {
		if len(l) > width {
			lines[i] = strings.ToValidUTF8(l[:width], "") + " …"
		}
	}
	return lines
}
