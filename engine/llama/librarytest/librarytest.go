// Package librarytest gives tests a real build of llama.cpp.
package librarytest

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/aitbc/aitbc/engine/llama/library"
)

// Archive returns the archive of the build for processors, which is fetched from npm once for
// all tests of the user. Where npm cannot be reached the test is skipped, unless
// AITBC_REQUIRE_VECTORS says that what comes from npm must be there.
func Archive(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("builds of llama.cpp are known for Linux on amd64")
	}
	path := filepath.Join(cache(t), "llama.cpp-"+library.Version+"-cpu.tgz")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if testing.Short() {
		t.Skip("fetches 11 MB from npm")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	part := path + "." + rand.Text()
	defer func() { _ = os.Remove(part) }() // it has its name, or is of no use
	registry, err := library.Registry(t.Context(), os.Getenv)
	if err == nil {
		err = build(t).Fetch(t.Context(), library.Source{Registry: registry}, 0, part, nil)
	}
	if errors.Is(err, library.ErrUnknown) || err != nil && os.Getenv("AITBC_REQUIRE_VECTORS") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("llama.cpp cannot be had from npm: %v", err)
	}
	if err := os.Rename(part, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func cache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = t.TempDir()
	}
	return filepath.Join(dir, "aitbc-test")
}

func build(t *testing.T) library.Build {
	t.Helper()
	b, err := library.Find("cpu")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Engines returns a folder of engines with the build for processors, see [Archive].
func Engines(t *testing.T) string {
	t.Helper()
	engines, b := filepath.Join(cache(t), "engines"), build(t)
	if b.Check(b.Folder(engines)) == nil {
		return engines
	}
	if _, _, err := b.Install(t.Context(), engines, library.Source{From: []string{Archive(t)}}, nil); err != nil {
		t.Fatal(err)
	}
	return engines
}

// CPU returns the folder of the build for processors, see [Archive].
func CPU(t *testing.T) string {
	t.Helper()
	return build(t).Folder(Engines(t))
}
