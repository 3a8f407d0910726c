package container

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/receipt/artifact"
)

// chunk is something that a program printed.
type chunk struct {
	data   []byte
	errors bool // on standard error
}

// maxFrame bounds one read of what a program printed.
const maxFrame = 32 << 10

// demux takes apart the frames in which an engine sends what a program prints:
// stream (1 byte), 3 bytes, length (u32), and that many bytes. It closes to at
// their end, and returns when ctx is done or from is closed.
func demux(ctx context.Context, from io.Reader, to chan<- chunk) {
	defer close(to)
	var head [8]byte
	for {
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return
		}
		for left := uint64(binary.BigEndian.Uint32(head[4:])); left > 0; {
			b := make([]byte, min(left, maxFrame))
			n, err := from.Read(b)
			if n > 0 {
				select {
				case to <- chunk{b[:n], head[0] == 2}:
				case <-ctx.Done():
					return
				}
			}
			if left -= uint64(n); err != nil { //nolint:gosec // of a read, not negative
				return
			}
		}
	}
}

// take returns all but the bytes of a character that is not complete.
func (t *text) take() string {
	b := t.raw.Bytes()
	n := len(b)
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		if first := b[len(b)-back]; utf8.RuneStart(first) {
			if !utf8.FullRune(b[len(b)-back:]) {
				n = len(b) - back
			}
			break
		}
	}
	return valid(t.raw.Next(n))
}

// rest returns all.
func (t *text) rest() string { return valid(t.raw.Next(t.raw.Len())) }

func valid(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// clip returns the beginning of a text, of at most n bytes and whole characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// input returns the archive of a job's folder as it is before the program runs.
func input(files []engine.File) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	uid, err := strconv.Atoi(nobody)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	made := map[string]bool{}
	var dir func(name string) error
	dir = func(name string) error {
		if name == "." || made[name] {
			return nil
		}
		if err := dir(path.Dir(name)); err != nil {
			return err
		}
		made[name] = true
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, Uid: uid, Gid: uid})
	}
	for _, name := range []string{"input", "output"} {
		if err := dir(name); err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
	}
	for _, f := range files {
		name := path.Join("input", f.Path)
		if err := dir(path.Dir(name)); err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(f.Data)), Uid: uid, Gid: uid}); err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	return b.Bytes(), nil
}

// files says the files that a program left, in parts, and returns what names
// them. Links and the like are left out: only their content could be meant, and
// it is not the job's. So is what would be more than the job may say.
func (r *run) files(ctx context.Context, keeper string) (list []artifact.File, skipped uint64, err error) {
	archive, err := r.m.d.get(ctx, keeper, folder+"/output")
	if refused(err, http.StatusNotFound) {
		return nil, 0, nil // the program took the folder away
	}
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = archive.Close() }() // perhaps before its end
	passed := int64(0)
	for t := tar.NewReader(archive); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%w: files: %w", engine.ErrUnavailable, err)
		}
		_, name, below := strings.Cut(h.Name, "/")
		switch {
		case h.Typeflag == tar.TypeDir:
			continue
		case !below || h.Typeflag != tar.TypeReg || !artifact.GoodPath(name) || len(list) == artifact.MaxFiles:
			skipped++
			continue
		case h.Size > r.left:
			skipped++
			if passed += min(h.Size, r.m.cfg.Disk+1); passed > r.m.cfg.Disk { // full of holes: it would take long to pass by
				return list, skipped, nil
			}
			continue
		}
		content, err := io.ReadAll(io.LimitReader(t, h.Size))
		if err != nil {
			return nil, 0, fmt.Errorf("%w: files: %w", engine.ErrUnavailable, err)
		}
		r.left -= int64(len(content))
		if slices.ContainsFunc(list, func(f artifact.File) bool { return f.Path == name }) {
			return nil, 0, fmt.Errorf("%w: files: one comes twice", engine.ErrUnavailable)
		}
		list = append(list, artifact.File{Path: name, Size: uint64(len(content)), SHA256: artifact.Sum(content)})
		for part := range parts(content) {
			if err := r.say(artifact.Line{File: &artifact.Part{Path: name, Data: part}}); err != nil {
				return nil, 0, err
			}
		}
	}
	return list, skipped, nil
}

// parts cuts a file's content; one that is empty has one part too.
func parts(content []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		if len(content) == 0 {
			yield(content)
			return
		}
		for p := range slices.Chunk(content, artifact.PartBytes) {
			if !yield(p) {
				return
			}
		}
	}
}
