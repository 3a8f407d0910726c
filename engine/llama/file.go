package llama

import (
	"fmt"
	"os"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/weights"
)

// stamp tells whether a file is still what it was, as far as its inode shows. The time of
// the last change of the inode cannot be set by hand.
type stamp struct {
	info  string
	inode uint64
}

// readSteady reads a file of weights that does not change meanwhile.
func readSteady(f *os.File) (w weights.File, at stamp, err error) {
	before, err := stampOf(f.Stat())
	if err != nil {
		return w, at, err
	}
	if w, err = weights.Read(f); err != nil {
		return w, at, err
	}
	at, err = stampOf(f.Stat())
	if err == nil && at != before {
		err = fmt.Errorf("%w: the file changed while it was read", engine.ErrChanged)
	}
	return w, at, err
}

// same returns nil if the file has still the weights that are on offer, else an error that
// wraps [engine.ErrChanged]. A file with another stamp is read again, once.
func (m *Model) same() error {
	m.mu.Lock()
	known, other, open := m.stamp, m.other, m.file
	m.mu.Unlock()
	now, err := stampOf(os.Stat(m.cfg.Path))
	if err != nil {
		return fmt.Errorf("%w: %w", engine.ErrChanged, err)
	}
	// The file that the program has open, if the path leads to another now.
	if mine, err := stampOf(open.Stat()); now == known && err == nil && mine == known {
		return nil
	}
	if now == other {
		return fmt.Errorf("%w: %s has other weights now", engine.ErrChanged, m.cfg.Path)
	}
	f, err := os.Open(m.cfg.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", engine.ErrChanged, err)
	}
	w, at, err := readSteady(f)
	if err != nil || w.Digest != m.info.Digest {
		_ = f.Close() // it was only read
		m.mu.Lock()
		m.other = now
		m.mu.Unlock()
		if err != nil {
			return fmt.Errorf("%w: %s: %w", engine.ErrChanged, m.cfg.Path, err)
		}
		return fmt.Errorf("%w: %s has other weights now", engine.ErrChanged, m.cfg.Path)
	}
	return m.adopt(f, at)
}

// steady says whether the file is what it was when it was hashed: what was loaded since is
// what the digest names.
func (m *Model) steady() error {
	m.mu.Lock()
	known, open := m.stamp, m.file
	m.mu.Unlock()
	if now, err := stampOf(open.Stat()); err != nil || now != known {
		return fmt.Errorf("%w: the file changed while it was loaded", engine.ErrChanged)
	}
	return nil
}

// adopt goes on with a file of the same weights. A program that has another file open is
// replaced, as nobody looks at that file any more.
func (m *Model) adopt(f *os.File, at stamp) error {
	m.mu.Lock()
	old, p := m.file, m.running
	if m.closed {
		m.mu.Unlock()
		return errClosed
	}
	replaced := m.stamp.inode != at.inode
	m.file, m.stamp, m.other = f, at, stamp{}
	m.mu.Unlock()
	if replaced && p != nil {
		p.kill(fmt.Errorf("%w: the model's file was replaced by one like it", engine.ErrUnavailable))
	}
	_ = old.Close() // it was only read
	return nil
}
