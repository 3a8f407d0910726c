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

// Source is where a package's archive comes from: one of the two.
type Source struct {
	// Registry is the URL of an npm registry.
	Registry string
	// From is a file or a URL of the archive itself.
	From string
}

// url is where to fetch the archive, "" for a file.
func (s Source) url(b Build) string {
	if s.From != "" {
		if strings.HasPrefix(s.From, "https://") || strings.HasPrefix(s.From, "http://") {
			return s.From
		}
		return ""
	}
	return strings.TrimRight(s.Registry, "/") + "/" + b.Package + "/-/" + path.Base(b.Package) + "-" + packageVersion + ".tgz"
}

// Install puts the build below a folder of engines, unless it is there already, and
// returns its folder. The archive is checked before anything is unpacked, and what was
// unpacked before it gets its place. progress is told how many bytes have come.
func (b Build) Install(ctx context.Context, engines string, from Source, progress func(bytes int64)) (folder string, fetched bool, err error) {
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
	archive := filepath.Join(work, "package.tgz")
	if err := b.Fetch(ctx, from, archive, progress); err != nil {
		return "", false, err
	}
	fresh := filepath.Join(work, "libraries")
	if err := unpack(archive, fresh); err != nil {
		return "", false, fmt.Errorf("unpack %s: %w", b.Package, err)
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

// Fetch writes the package's archive to a new file and checks its hash. What is another archive
// gives an error that wraps [ErrUnknown].
func (b Build) Fetch(ctx context.Context, from Source, to string, progress func(int64)) error {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	in, err := open(ctx, from, b)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", b.Package, err)
	}
	defer func() { _ = in.Close() }()                                     // it was only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // in a folder of ours
	if err != nil {
		return fmt.Errorf("fetch %s: %w", b.Package, err)
	}
	sum := &counter{hash: sha512.New(), progress: progress}
	_, err = io.Copy(io.MultiWriter(out, sum), io.LimitReader(in, b.Bytes+1))
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("fetch %s: %w", b.Package, err)
	}
	if got := base64.StdEncoding.EncodeToString(sum.hash.Sum(nil)); got != b.sha512 {
		return fmt.Errorf("%s: %w: %d bytes came with SHA-512 %s, want %d with %s", b.Package, ErrUnknown, sum.bytes, got, b.Bytes, b.sha512)
	}
	return nil
}

func open(ctx context.Context, from Source, b Build) (io.ReadCloser, error) {
	url := from.url(b)
	if url == "" {
		return os.Open(from.From)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
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

// unpack takes the libraries that llama.cpp itself is made of out of an archive; beside
// them there is what Node.js needs.
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
	if err := os.Mkdir(to, 0o750); err != nil {
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
