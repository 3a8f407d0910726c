package wal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
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
		t.Skip("this file system has no direct writes to compare with")
	}
	through, err := Open(filepath.Join(t.TempDir(), "log"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer through.Close() //nolint:errcheck // a test ends here
	buffer(t, through)
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

// buffer has a log write through the system's cache.
func buffer(t testing.TB, l *Log) {
	t.Helper()
	for i, d := range l.direct {
		if d == nil {
			continue
		}
		if err := d.file.Close(); err != nil {
			t.Fatal(err)
		}
		l.direct[i] = nil
	}
}

// A file system may let a file be opened for direct writes and refuse each of them, as
// here for memory that is not aligned: the records come through the cache then.
func TestDirectWritesThatAreRefused(t *testing.T) {
	t.Parallel()
	l, err := Open(filepath.Join(t.TempDir(), "log"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a test ends here
	if l.direct[0] == nil {
		t.Skip("this file system has no direct writes: every other test of the log goes the other way here")
	}
	l.direct[0].buf = aligned(2*block, nil)[1:]
	for number := uint64(1); number <= 2; number++ {
		if err := l.Write(Append(nil, 1, number, func(b []byte) []byte { return append(b, "text"...) })); err != nil {
			t.Fatal(err)
		}
	}
	if l.direct[0] != nil || l.direct[1] == nil {
		t.Error("it was not refused")
	}
	n := 0
	if err := l.Replay(1, 0, func(uint64, []byte) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d records, %v", n, err)
	}
}

// What a synced record of 1.5 KB costs, past the system's cache and through it.
func BenchmarkBothWays(b *testing.B) {
	for _, past := range []bool{true, false} {
		b.Run(map[bool]string{true: "past", false: "through"}[past], func(b *testing.B) {
			l, err := Open(filepath.Join(b.TempDir(), "log"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close() //nolint:errcheck // a benchmark ends here
			if !past {
				buffer(b, l)
			}
			record := bytes.Repeat([]byte{1}, 1500)
			var number uint64
			before := used(b)
			for b.Loop() {
				if number++; number%500 == 0 { // over what is there, as ever
					l.Switch()
				}
				if err := l.Write(Append(nil, 1, number, func(b []byte) []byte { return append(b, record...) })); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((used(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// used is the processor time that this process has taken.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
