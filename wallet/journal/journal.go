// Package journal keeps append-only files of records, each chained to the one
// before by its hash, and on the disk before [Journal.Append] returns.
//
// A line is {"n":1,"prev":"…","hash":"…","record":{…}}; hash is SHA-256 of
// "aitbc journal 1\n", n in decimal, "\n", prev, "\n" and the record's bytes.
package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/internal/atomicfile"
)

var (
	// ErrBroken reports a journal whose records are not a whole chain.
	ErrBroken = errors.New("the journal was changed: its records are not a whole chain")
	// ErrFailed reports a journal that could not be written before. Opening it
	// again may help.
	ErrFailed = errors.New("the journal could not be written, and what it has of the last record is not known")
)

// maxLine bounds one record.
const maxLine = 1 << 20

// A Head is the last record of a journal. The zero value is that of an empty one.
type Head struct {
	N    uint64 `json:"n"`
	Hash string `json:"hash"`
}

// Entry is one record with its place.
type Entry struct {
	N      uint64          `json:"n"`
	Prev   string          `json:"prev"`
	Hash   string          `json:"hash"`
	Record json.RawMessage `json:"record"`
}

func (e *Entry) sum() string {
	h := sha256.New()
	h.Write([]byte("aitbc journal 1\n" + strconv.FormatUint(e.N, 10) + "\n" + e.Prev + "\n"))
	h.Write(e.Record)
	return hex.EncodeToString(h.Sum(nil))
}

// Journal is an open file. Its methods are safe for concurrent use; no other
// process may append.
type Journal struct {
	mu     sync.Mutex // guards the following, and the file
	f      *os.File
	head   Head
	size   int64
	failed bool
}

// Open opens the journal at path, making it if need be, and calls each for
// every record. What a crash left of a record that was never acknowledged is
// cut off. It returns [ErrBroken], wrapped, and each's errors.
func Open(path string, each func(Entry) error) (_ *Journal, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // a path below our own data directory
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{f: f}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open journal %s: %w", path, err), f.Close())
		}
	}()
	torn, err := read(f, func(e Entry, size int64) error {
		j.head, j.size = Head{e.N, e.Hash}, size
		if each == nil {
			return nil
		}
		return each(e)
	})
	if err != nil {
		return nil, err
	}
	if torn {
		if err := errors.Join(f.Truncate(j.size), f.Sync()); err != nil {
			return nil, err
		}
	}
	if _, err := f.Seek(j.size, io.SeekStart); err != nil {
		return nil, err
	}
	return j, atomicfile.SyncDir(filepath.Dir(path))
}

// Verify reads the journal at path, which may be in use, and returns its head.
// A record that is being written meanwhile does not count. It returns
// [ErrBroken], wrapped.
func Verify(path string, each func(Entry) error) (head Head, err error) {
	f, err := os.Open(path) //nolint:gosec // a path below our own data directory
	if errors.Is(err, os.ErrNotExist) {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, fmt.Errorf("verify journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	_, err = read(f, func(e Entry, _ int64) error {
		head = Head{e.N, e.Hash}
		if each == nil {
			return nil
		}
		return each(e)
	})
	if err != nil {
		return head, fmt.Errorf("verify journal %s: %w", path, err)
	}
	return head, nil
}

// read checks the chain and calls each with every record and the file's size up
// to it. It reports whether the last line is torn.
func read(f io.Reader, each func(e Entry, size int64) error) (torn bool, err error) {
	r := bufio.NewReaderSize(f, maxLine)
	var last Head
	var size int64
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return len(line) > 0, nil
		}
		if err != nil {
			return false, fmt.Errorf("%w: after record %d: %w", ErrBroken, last.N, err)
		}
		size += int64(len(line))
		var e Entry
		if err := api.Decode(line, &e); err != nil || e.N != last.N+1 || e.Prev != last.Hash || e.Hash != e.sum() {
			return false, fmt.Errorf("%w: after record %d", ErrBroken, last.N)
		}
		last = Head{e.N, e.Hash}
		e.Record = bytes.Clone(e.Record)
		if err := each(e, size); err != nil {
			return false, err
		}
	}
}

// Append writes a record, on the disk when it returns. After an error it is not,
// and the next may be: a disk that was full has room again. Where what was
// written cannot be taken back either, the error is [ErrFailed], the record may
// be there when the journal is opened again, and the journal takes nothing more.
func (j *Journal) Append(record any) (Entry, error) {
	raw, err := json.Marshal(record)
	if err != nil {
		return Entry{}, fmt.Errorf("append to journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed {
		return Entry{}, ErrFailed
	}
	e := Entry{N: j.head.N + 1, Prev: j.head.Hash, Record: raw}
	e.Hash = e.sum()
	line, err := json.Marshal(e)
	if err != nil {
		return Entry{}, fmt.Errorf("append to journal: %w", err)
	}
	if len(line) >= maxLine {
		return Entry{}, errors.New("append to journal: the record is too long")
	}
	_, err = j.f.Write(append(line, '\n'))
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		if undone := j.cutBack(); undone != nil {
			j.failed = true
			return Entry{}, fmt.Errorf("%w: %w; %w", ErrFailed, err, undone)
		}
		return Entry{}, fmt.Errorf("append to journal: %w", err)
	}
	j.head, j.size = Head{e.N, e.Hash}, j.size+int64(len(line))+1
	return e, nil
}

// cutBack takes away what was written beyond the last record. It needs mu.
func (j *Journal) cutBack() error {
	if err := errors.Join(j.f.Truncate(j.size), j.f.Sync()); err != nil {
		return err
	}
	_, err := j.f.Seek(j.size, io.SeekStart)
	return err
}

// Head returns the last record's place.
func (j *Journal) Head() Head {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head
}

// Close closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = true
	if err := j.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
