package cli

import (
	"context"
	"strings"
	"sync"
)

// recentLines bounds what of a log is kept in memory.
const recentLines = 2000

// recent keeps the newest lines of a log. It is safe for concurrent use.
type recent struct {
	mu      sync.Mutex // guards the fields below
	lines   []string
	first   int           // number of lines[0] since the start
	changed chan struct{} // closed at each line, then replaced
}

func newRecent() *recent { return &recent{changed: make(chan struct{})} }

// Write implements [io.Writer] for a log handler, which writes a line each time.
func (r *recent) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) == recentLines {
		copy(r.lines, r.lines[1:])
		r.lines = r.lines[:recentLines-1]
		r.first++
	}
	r.lines = append(r.lines, string(b))
	close(r.changed)
	r.changed = make(chan struct{})
	return len(b), nil
}

// last returns the newest n lines, and the number of the line to come.
func (r *recent) last(n int) (text string, next int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines[max(0, len(r.lines)-n):], ""), r.first + len(r.lines)
}

// from waits for lines from a number on. It returns ctx's error if none comes before.
func (r *recent) from(ctx context.Context, n int) (text string, next int, err error) {
	for {
		r.mu.Lock()
		have, wait := r.first+len(r.lines), r.changed
		if n < have {
			defer r.mu.Unlock()
			return strings.Join(r.lines[max(0, n-r.first):], ""), have, nil
		}
		r.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return "", n, ctx.Err()
		}
	}
}
