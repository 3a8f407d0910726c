// Package librarytest gives tests a real build of llama.cpp.
package librarytest

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/aitbc/aitbc/engine/llama/library"
)

// Engines returns a folder of engines with the build for processors, which is fetched
// from npm once for all tests of the user. Where npm cannot be reached the test is
// skipped, unless AITBC_REQUIRE_VECTORS says that what comes from npm must be there.
func Engines(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("builds of llama.cpp are known for Linux on amd64")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	engines := filepath.Join(cache, "aitbc-test", "engines")
	b, err := library.Find("cpu")
	if err != nil {
		t.Fatal(err)
	}
	if b.Check(b.Folder(engines)) == nil {
		return engines
	}
	if testing.Short() {
		t.Skip("fetches 11 MB from npm")
	}
	registry, err := library.Registry(t.Context(), os.Getenv)
	if err == nil {
		_, _, err = b.Install(t.Context(), engines, library.Source{Registry: registry}, nil)
	}
	if errors.Is(err, library.ErrUnknown) || err != nil && os.Getenv("AITBC_REQUIRE_VECTORS") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("llama.cpp cannot be had from npm: %v", err)
	}
	return engines
}

// CPU returns the folder of the build for processors, see [Engines].
func CPU(t *testing.T) string {
	t.Helper()
	b, err := library.Find("cpu")
	if err != nil {
		t.Fatal(err)
	}
	return b.Folder(Engines(t))
}
