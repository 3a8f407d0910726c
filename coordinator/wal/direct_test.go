package wal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unsafe"
)

// Past the system's cache or through it, the files begin with the same bytes: whatever
// the lengths, wherever a block ends, and over what an earlier turn left there.
func TestBothWaysWriteTheSame(t *testing.T) {
	t.Parallel()
	past, err := Open(filepath.Join(t.TempDir(), "log"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close() //nolint:errcheck // a test ends here
	if past.direct[0] == nil {
		t.Skip("no direct writes here")
	}
	through, err := Open(filepath.Join(t.TempDir(), "log"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer through.Close() //nolint:errcheck // a test ends here
	for i, d := range through.direct {
		if err := d.file.Close(); err != nil {
			t.Fatal(err)
		}
		through.direct[i] = nil
	}
	dice := rand.New(rand.NewPCG(3, 4))
	number := uint64(0)
	var since []uint64 // in each turn
	for turn := range 6 {
		if turn > 0 {
			past.Switch()
			through.Switch()
		}
		first := number + 1
		for range 20 {
			var buf []byte
			for range 1 + dice.IntN(4) {
				number++
				size := []int{dice.IntN(100), dice.IntN(9000), block - header, 0}[dice.IntN(4)]
				if dice.IntN(80) == 0 {
					size = keep + dice.IntN(keep)
				}
				buf = Append(buf, 1, number, func(b []byte) []byte {
					return append(b, bytes.Repeat([]byte{byte(number)}, size)...)
				})
			}
			if err := errors.Join(past.Write(buf), through.Write(buf)); err != nil {
				t.Fatal(err)
			}
		}
		since = append(since, first)
		a, b := begin(t, past.files[past.current], past.Used()), begin(t, through.files[through.current], through.Used())
		if past.Used() != through.Used() || !bytes.Equal(a, b) {
			t.Fatalf("turn %d: %d and %d bytes, which differ", turn, past.Used(), through.Used())
		}
		rest, err := read(io.NewSectionReader(past.files[past.current], 0, past.size[past.current]), 1)
		if err != nil || rest[0].number != first || rest[len(rest)-1].number != number {
			t.Fatalf("turn %d: %d records, %v", turn, len(rest), err)
		}
	}
	next := since[len(since)-2]
	err = past.Replay(1, next-1, func(n uint64, payload []byte) error {
		if n != next || len(payload) > 0 && payload[0] != byte(n) {
			t.Errorf("record %d, want %d", n, next)
		}
		next++
		return nil
	})
	if err != nil || next != number+1 {
		t.Errorf("to %d of %d: %v", next-1, number, err)
	}
}

func begin(t *testing.T, f *os.File, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMemoryForDirectWritesIsAligned(t *testing.T) {
	t.Parallel()
	for _, size := range []int{block, 3 * block, keep} {
		b := aligned(size, []byte("begin"))
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(b))); at%block != 0 || len(b) != size || string(b[:5]) != "begin" {
			t.Errorf("%d bytes at %x", len(b), at)
		}
	}
}
