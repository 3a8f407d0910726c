package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// magic begins a snapshot in one file: then come the manifest and the chunks, each after its length in four bytes.
const magic = "AITBCSNP"

// Export writes a snapshot of the store into one file.
func Export(to io.Writer, s *Store, e Entry) error {
	if _, err := io.WriteString(to, magic); err != nil {
		return fmt.Errorf("export snapshot: %w", err)
	}
	if err := part(to, e.Raw); err != nil {
		return err
	}
	for i := range e.Manifest.Chunks {
		raw, err := s.Chunk(e.Manifest.Height, uint32(i))
		if err != nil {
			return err
		}
		if err := part(to, raw); err != nil {
			return err
		}
	}
	return nil
}

func part(to io.Writer, raw []byte) error {
	_, err := to.Write(binary.BigEndian.AppendUint32(nil, uint32(len(raw)))) //nolint:gosec // bounded by MaxChunk
	if err == nil {
		_, err = to.Write(raw)
	}
	if err != nil {
		return fmt.Errorf("export snapshot: %w", err)
	}
	return nil
}

// File is a snapshot in one file, open for reading. Nothing in it has been checked but its outline.
type File struct {
	Manifest *Manifest
	Entry    Entry

	f       *os.File
	offsets []int64
	sizes   []uint32
	buf     []byte
}

// OpenFile opens what Export wrote. It returns ErrCorrupt or ErrFormat for anything else.
func OpenFile(path string) (*File, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	s, err := outline(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open snapshot %s: %w", path, err), f.Close())
	}
	return s, nil
}

func outline(f *os.File) (*File, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &File{f: f}
	head := make([]byte, len(magic))
	if _, err := f.ReadAt(head, 0); err != nil || string(head) != magic {
		return nil, fmt.Errorf("%w: it does not begin as a snapshot does", ErrCorrupt)
	}
	at := int64(len(magic))
	raw, at, err := s.part(at, maxManifest, st.Size())
	if err != nil {
		return nil, err
	}
	s.Entry.Raw = make([]byte, raw.size)
	if _, err := f.ReadAt(s.Entry.Raw, raw.offset); err != nil {
		return nil, err
	}
	if s.Manifest, err = ParseManifest(s.Entry.Raw); err != nil {
		return nil, err
	}
	s.Entry.Manifest = s.Manifest
	if s.Entry.Hash, err = s.Manifest.Hash(); err != nil {
		return nil, err
	}
	for range s.Manifest.Chunks {
		var p span
		if p, at, err = s.part(at, MaxChunk, st.Size()); err != nil {
			return nil, err
		}
		s.offsets, s.sizes = append(s.offsets, p.offset), append(s.sizes, p.size)
		s.Entry.Bytes += int64(p.size)
	}
	if at != st.Size() {
		return nil, fmt.Errorf("%w: %d bytes follow it", ErrCorrupt, st.Size()-at)
	}
	return s, nil
}

// span is a part's place in the file.
type span struct {
	offset int64
	size   uint32
}

func (s *File) part(at int64, limit uint32, end int64) (span, int64, error) {
	var size [4]byte
	if _, err := s.f.ReadAt(size[:], at); err != nil {
		return span{}, 0, fmt.Errorf("%w: it is cut off", ErrCorrupt)
	}
	p := span{offset: at + 4, size: binary.BigEndian.Uint32(size[:])}
	if p.size > limit || p.offset+int64(p.size) > end {
		return span{}, 0, fmt.Errorf("%w: it is cut off", ErrCorrupt)
	}
	return p, p.offset + int64(p.size), nil
}

// Chunk reads a chunk; it is valid until the next call.
func (s *File) Chunk(index int) ([]byte, error) {
	if cap(s.buf) < int(s.sizes[index]) {
		s.buf = make([]byte, s.sizes[index])
	}
	s.buf = s.buf[:s.sizes[index]]
	if _, err := s.f.ReadAt(s.buf, s.offsets[index]); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return s.buf, nil
}

// Close closes the file.
func (s *File) Close() error { return s.f.Close() }
