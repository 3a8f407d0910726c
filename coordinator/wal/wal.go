// Package wal keeps a write-ahead log: checksummed records in two files that are
// written in turn, over and over, so that a record costs one write and one sync
// of blocks that the disk has given out already.
//
// Records are numbered without gaps within an epoch. Whoever opens the log reads
// what the last epoch left, brings it to where it belongs, and begins the next:
// from then on nothing that lies in the files is taken for a record.
package wal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

var (
	// ErrHeld reports a log that is open already, here or in another process.
	ErrHeld = errors.New("the log is open already")
	// ErrGap reports records that must be there and are not: the disk lost what it
	// had said to have.
	ErrGap = errors.New("records are missing")
	// ErrNewer reports a log that was written after what it is read for: a backup
	// was restored, and not all of it.
	ErrNewer = errors.New("the log is of a later time than the database")
)

const (
	// header is length and checksum (4 bytes each), epoch and number (8 each). The
	// checksum is over all that follows it.
	header = 24
	// chunk is by how much files grow. They never shrink.
	chunk = 1 << 20
	// longest bounds a record, so that a length that is none is not believed.
	longest = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Options of [Open].
type Options struct {
	// Volatile leaves out the syncs: a benchmark's twin, never a service.
	Volatile bool
}

// Log is an open log. One caller at a time may use it.
type Log struct {
	files    [2]*os.File
	direct   [2]*direct // nil where there are no such writes
	size     [2]int64
	current  int
	at       int64
	volatile bool
	err      error // of the write that failed: nothing is written after it
}

// Open opens the log at a path, to which it adds ".0" and ".1", or makes it. It
// returns [ErrHeld] while another has it open.
func Open(path string, o Options) (*Log, error) {
	l := &Log{volatile: o.Volatile}
	for i := range l.files {
		name := fmt.Sprintf("%s.%d", path, i)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the database
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open log: %w", err), l.Close())
		}
		l.files[i] = f
		if i == 0 {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = ErrHeld
			}
		}
		if err == nil {
			l.size[i], err = f.Seek(0, io.SeekEnd)
		}
		if err == nil && !o.Volatile {
			var past *os.File
			if past, err = openDirect(name); past != nil {
				l.direct[i] = &direct{file: past}
			}
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open log %s: %w", name, err), l.Close())
		}
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), l.Close())
	}
	return l, nil
}

func syncDir(name string) error {
	d, err := os.Open(name) //nolint:gosec // the database's folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close closes the files and lets others open them.
func (l *Log) Close() error {
	var errs []error
	for i, f := range l.files {
		if f == nil {
			continue
		}
		if i == 0 {
			// A child that is just being started has the file open, too, and would
			// keep the lock until it runs its own program.
			errs = append(errs, syscall.Flock(int(f.Fd()), syscall.LOCK_UN))
		}
		errs = append(errs, f.Close())
		if d := l.direct[i]; d != nil {
			errs = append(errs, d.file.Close())
		}
	}
	return errors.Join(errs...)
}

// record is one that was read.
type record struct {
	number  uint64
	payload []byte
}

// Replay calls fn with the records of an epoch whose number is above after, in
// order. What was torn at the end is no record. It returns [ErrGap] if some must
// be missing, [ErrNewer] if there are some of a later epoch, and fn's error.
func (l *Log) Replay(epoch, after uint64, fn func(number uint64, payload []byte) error) error {
	var runs [][]record
	for i, f := range l.files {
		run, err := read(io.NewSectionReader(f, 0, l.size[i]), epoch)
		if err != nil {
			return fmt.Errorf("read log %s: %w", f.Name(), err)
		}
		if len(run) > 0 {
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b []record) int {
		if a[0].number < b[0].number {
			return -1
		}
		return 1
	})
	for _, run := range runs {
		for _, r := range run {
			if r.number <= after {
				continue
			}
			if r.number != after+1 {
				return fmt.Errorf("%w: %d comes after %d", ErrGap, r.number, after)
			}
			if err := fn(r.number, r.payload); err != nil {
				return err
			}
			after = r.number
		}
	}
	return nil
}

// read returns the records at the beginning of a file that follow one another.
func read(from io.Reader, epoch uint64) ([]record, error) {
	r := bufio.NewReaderSize(from, 1<<16)
	var out []record
	var h [header]byte
	for {
		if _, err := io.ReadFull(r, h[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		n := binary.LittleEndian.Uint32(h[:])
		number := binary.LittleEndian.Uint64(h[16:])
		its := binary.LittleEndian.Uint64(h[8:])
		if n > longest || its < epoch || its == epoch && len(out) > 0 && number != out[len(out)-1].number+1 {
			return out, nil
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(r, payload); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if sum(h[:], payload) != binary.LittleEndian.Uint32(h[4:]) {
			return out, nil
		}
		if its > epoch {
			return nil, fmt.Errorf("%w: epoch %d, not %d", ErrNewer, its, epoch)
		}
		out = append(out, record{number, payload})
	}
}

// sum covers length, epoch, number and payload.
func sum(h, payload []byte) uint32 {
	c := crc32.Update(0, castagnoli, h[:4])
	return crc32.Update(crc32.Update(c, castagnoli, h[8:header]), castagnoli, payload)
}

// Append adds a record to what is to be written at once. encode adds the payload.
func Append(buf []byte, epoch, number uint64, encode func([]byte) []byte) []byte {
	start := len(buf)
	buf = encode(append(buf, make([]byte, header)...))
	h, payload := buf[start:start+header], buf[start+header:]
	binary.LittleEndian.PutUint32(h, uint32(len(payload)))
	binary.LittleEndian.PutUint64(h[8:], epoch)
	binary.LittleEndian.PutUint64(h[16:], number)
	binary.LittleEndian.PutUint32(h[4:], sum(h, payload))
	return buf
}

// Write writes records that follow what was written last, and returns when they
// are on the disk. After an error it is not known what of them is, and nothing
// more is written.
func (l *Log) Write(records []byte) error {
	if l.err == nil {
		if l.err = l.write(records); l.err != nil {
			l.err = fmt.Errorf("write log: %w", l.err)
		}
	}
	return l.err
}

func (l *Log) write(records []byte) error {
	f, end := l.files[l.current], l.at+int64(len(records))
	if size := l.size[l.current]; end > size {
		more := (end - size + chunk - 1) / chunk * chunk
		if _, err := f.WriteAt(make([]byte, more), size); err != nil {
			return err
		}
		if !l.volatile {
			if err := datasync(f); err != nil { // the blocks are given out now, not with each write
				return err
			}
		}
		l.size[l.current] = size + more
	}
	if d := l.direct[l.current]; d != nil {
		err := d.write(records, l.at)
		if err == nil {
			l.at = end
			return nil
		}
		if !noDirect(err) {
			return err
		}
		// This file system takes such writes only when it opens files: nothing was written.
		l.direct[l.current] = nil
		if err := d.file.Close(); err != nil {
			return err
		}
	}
	if _, err := f.WriteAt(records, l.at); err != nil {
		return err
	}
	l.at = end
	if l.volatile {
		return nil
	}
	return datasync(f)
}

// Used is how many bytes of the file that is being written hold records.
func (l *Log) Used() int64 { return l.at }

// First reports whether the file that is being written is the first.
func (l *Log) First() bool { return l.current == 0 }

// Switch goes on in the other file, from its beginning: nothing in it may be
// needed any more.
func (l *Log) Switch() { l.current, l.at = 1-l.current, 0 }
