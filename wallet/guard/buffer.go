package guard

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrWiped reports a buffer that was destroyed.
var ErrWiped = errors.New("the secret was wiped")

// A Buffer holds a secret in memory of its own: outside Go's heap, so that no
// collector copies it, and locked, so that it is never swapped. Its methods are
// safe for concurrent use.
type Buffer struct {
	page []byte // the whole mapping
	n    int

	mu    sync.Mutex // guards the following; not held while somebody uses the secret
	users int
	idle  chan struct{} // closed once nobody uses it any more; nil until it is to be destroyed
}

// NewBuffer moves secret into a new buffer and wipes the source. Where the
// system lets no more memory be locked, it returns an error.
func NewBuffer(secret []byte) (*Buffer, error) {
	defer clear(secret)
	size := (len(secret)/unix.Getpagesize() + 1) * unix.Getpagesize()
	page, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("reserve memory for a secret: %w", err)
	}
	if err := unix.Mlock(page); err != nil {
		return nil, errors.Join(fmt.Errorf("lock memory for a secret (raise the limit that ulimit -l shows): %w", err), unix.Munmap(page))
	}
	hide(page)
	copy(page, secret)
	return &Buffer{page: page, n: len(secret)}, nil
}

// Use calls f with the secret, which f must not keep. It returns f's error, or
// [ErrWiped], also while it is being destroyed. What f leaves on stack and heap
// is erased, as [Do] does.
func (b *Buffer) Use(f func(secret []byte) error) (err error) {
	b.mu.Lock()
	gone := b.idle != nil
	if !gone {
		b.users++
	}
	b.mu.Unlock()
	if gone {
		return ErrWiped
	}
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.users--; b.users == 0 && b.idle != nil {
			close(b.idle)
		}
	}()
	Do(func() { err = f(b.page[:b.n:b.n]) })
	return err
}

// Destroy wipes the secret and gives its memory back. It waits for those who
// use it, who must not call it. Again it does nothing.
func (b *Buffer) Destroy() error {
	b.mu.Lock()
	again := b.idle != nil
	if !again {
		b.idle = make(chan struct{})
		if b.users == 0 {
			close(b.idle)
		}
	}
	b.mu.Unlock()
	if again {
		return nil
	}
	<-b.idle
	clear(b.page)
	if err := unix.Munmap(b.page); err != nil { // unlocks it as well
		return fmt.Errorf("give back a secret's memory: %w", err)
	}
	return nil
}

const hidden = "[hidden]"

// String hides the secret.
func (*Buffer) String() string { return hidden }

// GoString hides the secret.
func (*Buffer) GoString() string { return hidden }

// Format hides the secret, for every verb.
func (*Buffer) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, hidden) } // as fmt does

// LogValue hides the secret.
func (*Buffer) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret.
func (*Buffer) MarshalText() ([]byte, error) { return []byte(hidden), nil }
