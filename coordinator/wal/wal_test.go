package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/aitbc/aitbc/coordinator/wal"
)

func open(t testing.TB, path string) *wal.Log {
	t.Helper()
	l, err := wal.Open(path, wal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func text(n uint64) string {
	return fmt.Sprintf("record %d%s", n, bytes.Repeat([]byte("."), int(n%7)*10))
}

func write(t testing.TB, l *wal.Log, epoch, from, to uint64) {
	t.Helper()
	var buf []byte
	for n := from; n <= to; n++ {
		buf = wal.Append(buf, epoch, n, func(b []byte) []byte { return append(b, text(n)...) })
	}
	if err := l.Write(buf); err != nil {
		t.Fatal(err)
	}
}

// replay returns the numbers of the records that are there.
func replay(t testing.TB, l *wal.Log, epoch, after uint64) []uint64 {
	t.Helper()
	var got []uint64
	err := l.Replay(epoch, after, func(n uint64, payload []byte) error {
		if string(payload) != text(n) {
			t.Errorf("record %d is %q", n, payload)
		}
		got = append(got, n)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func numbers(from, to uint64) (out []uint64) {
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

func TestRecordsComeBackInOrderFromBothFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	write(t, l, 3, 1, 5)
	l.Switch()
	write(t, l, 3, 6, 8)
	l.Switch() // what it held is not needed any more
	write(t, l, 3, 9, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	if got := replay(t, l, 3, 5); !slices.Equal(got, numbers(6, 10)) {
		t.Errorf("%v", got)
	}
	if got := replay(t, l, 3, 10); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := replay(t, l, 4, 0); len(got) != 0 {
		t.Errorf("records of an earlier epoch: %v", got)
	}
	if err := l.Replay(2, 0, func(uint64, []byte) error { return nil }); !errors.Is(err, wal.ErrNewer) {
		t.Errorf("records of a later epoch: %v", err)
	}
}

func TestTheSecondToOpenIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	if _, err := wal.Open(path, wal.Options{}); !errors.Is(err, wal.ErrHeld) {
		t.Fatalf("%v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// A child that was forked and has not run its program yet shares the open file.
// It must not keep the lock after its parent has closed the log.
func TestAChildBeingStartedDoesNotKeepTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(fds) == 0 {
		t.Skip("this system does not show which files are open")
	}
	shared := false
	for _, name := range fds {
		if file, err := os.Readlink(name); err != nil || file != path+".0" {
			continue
		}
		fd, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		if fd, err = syscall.Dup(fd); err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd) //nolint:errcheck // a test ends here
		shared = true
	}
	if !shared {
		t.Fatal("the log's file is not open")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// Wherever a crash cuts the file, the whole records before the cut are there and
// nothing else is; a byte that changed is as good as a cut.
func TestWhatIsTornIsNoRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	const n = 6
	var ends []int64
	for i := uint64(1); i <= n; i++ {
		write(t, l, 1, i, i)
		ends = append(ends, l.Used())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path + ".0")
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, cut int, content []byte) {
		if err := os.WriteFile(path+".0", content, 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, path)
		defer l.Close() //nolint:errcheck // a test ends here
		want := uint64(0)
		for _, end := range ends {
			if int64(cut) >= end {
				want++
			}
		}
		if got := replay(t, l, 1, 0); !slices.Equal(got, numbers(1, want)) {
			t.Errorf("%s at %d: %v, want %d records", what, cut, got, want)
		}
	}
	for cut := range int(ends[n-1]) + 1 {
		check("cut", cut, whole[:cut])
		zeroed := slices.Clone(whole)
		clear(zeroed[cut:])
		check("never written", cut, zeroed)
		if cut < int(ends[n-1]) {
			flipped := slices.Clone(whole)
			flipped[cut] ^= 0x10
			check("flipped", cut, flipped)
		}
	}
}

func TestALossIsNotPassedOver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	write(t, l, 1, 1, 4)
	l.Switch()
	write(t, l, 1, 6, 7)
	err := l.Replay(1, 0, func(uint64, []byte) error { return nil })
	if !errors.Is(err, wal.ErrGap) {
		t.Fatalf("%v", err)
	}
}

// What a former epoch left in the files is never taken for what this one wrote,
// even where it follows exactly.
func TestAnOldTailIsNotContinued(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	write(t, l, 1, 1, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	write(t, l, 2, 1, 1) // of the same length as the first of epoch 1
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := replay(t, open(t, path), 2, 0); !slices.Equal(got, numbers(1, 1)) {
		t.Fatalf("%v", got)
	}
}

func TestFilesGrow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	write(t, l, 1, 1, 40_000)
	write(t, l, 1, 40_001, 60_000)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := replay(t, open(t, path), 1, 0); len(got) != 60_000 {
		t.Fatalf("%d records", len(got))
	}
}

func BenchmarkWrite(b *testing.B) {
	l := open(b, filepath.Join(b.TempDir(), "log"))
	n := uint64(0)
	for b.Loop() {
		n++
		write(b, l, 1, n, n)
		if n%1000 == 0 {
			l.Switch()
		}
	}
}
