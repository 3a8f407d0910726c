package library

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/aitbc/aitbc/internal/atomicfile"
)

const (
	fetchWithin = time.Hour // on a slow line
	mostFile    = 1 << 29   // bytes of one library
)

// Source is where a build's archives come from: one of the two.
type Source struct {
	// Registry is the URL of an npm registry.
	Registry string
	// From are files or URLs of the archives themselves, in the order of the build's.
	From []string
}

// of is where to fetch an archive of the build, a file or a URL.
func (s Source) of(b Build, i int) (string, error) {
	if len(s.From) == 0 {
		name := b.Archives[i].Package
		return strings.TrimRight(s.Registry, "/") + "/" + name + "/-/" + path.Base(name) + "-" + packageVersion + ".tgz", nil
	}
	if len(s.From) != len(b.Archives) {
		return "", fmt.Errorf("llama.cpp for %s has %d archives, those of %s: %d are given", b.Backend, len(b.Archives), b.Packages(), len(s.From))
	}
	return s.From[i], nil
}

// Install puts the build below a folder of engines, unless it is there already, and
// returns its folder. The archive is checked before anything is unpacked, and what was
// unpacked before it gets its place. progress is told how many bytes of an archive have come.
func (b Build) Install(ctx context.Context, engines string, from Source, progress func(a Archive, bytes int64)) (folder string, fetched bool, err error) {
	folder = b.Folder(engines)
	if b.Check(folder) == nil {
		return folder, false, nil
	}
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o750); err != nil {
		return "", false, fmt.Errorf("install llama.cpp: %w", err)
	}
	work, err := os.MkdirTemp(parent, ".install-")
	if err != nil {
		return "", false, fmt.Errorf("install llama.cpp: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	fresh := filepath.Join(work, "libraries")
	if err := os.Mkdir(fresh, 0o750); err != nil {
		return "", false, fmt.Errorf("install llama.cpp: %w", err)
	}
	for i, a := range b.Archives {
		archive := filepath.Join(work, fmt.Sprintf("package-%d.tgz", i))
		if err := b.Fetch(ctx, from, i, archive, progress); err != nil {
			return "", false, err
		}
		if err := unpack(archive, fresh); err != nil {
			return "", false, fmt.Errorf("unpack %s: %w", a.Package, err)
		}
	}
	if err := b.Check(fresh); err != nil {
		return "", false, err
	}
	if err := replace(folder, fresh, filepath.Join(work, "old")); err != nil {
		// Another process may have been faster.
		if b.Check(folder) == nil {
			return folder, false, nil
		}
		return "", false, fmt.Errorf("install llama.cpp: %w", err)
	}
	return folder, true, nil
}

// replace gives fresh the name folder; what had it goes to old.
func replace(folder, fresh, old string) error {
	if err := os.Rename(folder, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, folder); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(folder))
}

// Fetch writes one of the build's archives to a new file and checks its hash. What is another
// archive gives an error that wraps [ErrUnknown].
func (b Build) Fetch(ctx context.Context, from Source, i int, to string, progress func(a Archive, bytes int64)) error {
	a := b.Archives[i]
	at, err := from.of(b, i)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	in, err := open(ctx, at)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", a.Package, err)
	}
	defer func() { _ = in.Close() }()                                     // it was only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // in a folder of ours
	if err != nil {
		return fmt.Errorf("fetch %s: %w", a.Package, err)
	}
	sum := &counter{hash: sha512.New()}
	if progress != nil {
		sum.progress = func(n int64) { progress(a, n) }
	}
	_, err = io.Copy(io.MultiWriter(out, sum), io.LimitReader(in, a.Bytes+1))
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("fetch %s: %w", a.Package, err)
	}
	if got := base64.StdEncoding.EncodeToString(sum.hash.Sum(nil)); got != a.sha512 {
		return fmt.Errorf("%s: %w: %d bytes came with SHA-512 %s, want %d with %s", a.Package, ErrUnknown, sum.bytes, got, a.Bytes, a.sha512)
	}
	return nil
}

func open(ctx context.Context, from string) (io.ReadCloser, error) {
	if !strings.HasPrefix(from, "https://") && !strings.HasPrefix(from, "http://") {
		return os.Open(from) //nolint:gosec // the caller names it
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: fetchWithin}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", from, resp.Status)
	}
	return resp.Body, nil
}

// counter hashes what is written to it, and tells how much it was.
type counter struct {
	hash     hash.Hash
	bytes    int64
	progress func(int64)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.hash.Write(p)
	if c.bytes += int64(n); c.progress != nil {
		c.progress(c.bytes)
	}
	return n, err
}

// unpack takes the libraries that llama.cpp itself is made of out of an archive, in the place of
// those that are there; beside them there is what Node.js needs.
func unpack(archive, to string) error {
	f, err := os.Open(archive) //nolint:gosec // in a folder of ours
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return atomicfile.SyncDir(to)
		}
		if err != nil {
			return err
		}
		name := path.Base(h.Name)
		if h.Typeflag != tar.TypeReg || !strings.HasPrefix(name, "lib") || !strings.HasSuffix(name, ".so") || strings.Contains(name, "common") {
			continue
		}
		if h.Size > mostFile {
			return fmt.Errorf("%s has %d bytes", name, h.Size)
		}
		if err := os.Remove(filepath.Join(to, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := writeFile(filepath.Join(to, name), io.LimitReader(t, mostFile)); err != nil {
			return err
		}
	}
}

func writeFile(to string, in io.Reader) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // in a folder of ours
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return errors.Join(out.Sync(), out.Close())
}
