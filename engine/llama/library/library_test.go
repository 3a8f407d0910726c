package library_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/llama/librarytest"
)

func cpu(t *testing.T) library.Build {
	t.Helper()
	b, err := library.Find("cpu")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOnlyTheVeryFilesPass(t *testing.T) {
	t.Parallel()
	b, installed := cpu(t), librarytest.CPU(t)
	for name, change := range map[string]func(dir string) error{
		"a file was changed": func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, "libggml-base.so"), os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte{1}, 5000)
			return errors.Join(err, f.Close())
		},
		"18 files":      func(dir string) error { return os.WriteFile(filepath.Join(dir, "libggml-evil.so"), nil, 0o600) },
		"16 files":      func(dir string) error { return os.Remove(filepath.Join(dir, "libggml-base.so")) },
		"not installed": func(dir string) error { return os.RemoveAll(dir) },
	} {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(installed)); err != nil {
			t.Fatal(err)
		}
		if err := b.Check(dir); err != nil {
			t.Fatal(err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if err := b.Check(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestInstallRepairsAndDoesNotRepeat(t *testing.T) {
	t.Parallel()
	b, archive, engines := cpu(t), librarytest.Archive(t), t.TempDir()
	served := http.FileServer(http.Dir(filepath.Dir(archive)))
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/" + filepath.Base(archive)
		served.ServeHTTP(w, r)
	}))
	defer registry.Close()
	install := func(from library.Source, want bool) {
		t.Helper()
		last := int64(0)
		folder, fetched, err := b.Install(t.Context(), engines, from, func(_ library.Archive, n int64) { last = n })
		if err != nil || fetched != want || folder != b.Folder(engines) || (last == b.Archives[0].Bytes) != want {
			t.Fatalf("%s, %v, %d bytes, %v", folder, fetched, last, err)
		}
		if err := b.Check(folder); err != nil {
			t.Error(err)
		}
	}
	if got := library.Installed(engines); len(got) != 0 {
		t.Errorf("installed before: %v", got)
	}
	install(library.Source{Registry: registry.URL}, true)
	install(library.Source{From: []string{"/does/not/exist"}}, false)
	if err := os.WriteFile(filepath.Join(b.Folder(engines), "libggml-base.so"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	install(library.Source{From: []string{registry.URL + "/archive.tgz"}}, true)
	if got := library.Installed(engines); len(got) != 1 || got[0].Backend != "cpu" {
		t.Errorf("installed: %v", got)
	}
}

// A registry that hands out another archive, or none, leaves nothing behind.
func TestAnotherArchiveIsNotInstalled(t *testing.T) {
	t.Parallel()
	asked := ""
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked = r.URL.Path; strings.Contains(asked, "cuda") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("something else"))
	}))
	defer registry.Close()
	engines := t.TempDir()
	_, _, err := cpu(t).Install(t.Context(), engines, library.Source{Registry: registry.URL + "/npm/"}, nil)
	if !errors.Is(err, library.ErrUnknown) || asked != "/npm/@node-llama-cpp/linux-x64/-/linux-x64-3.22.1.tgz" {
		t.Errorf("asked for %q, got %v", asked, err)
	}
	cuda, err := library.Find("cuda")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := cuda.Install(t.Context(), engines, library.Source{Registry: registry.URL}, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("not found: got %v", err)
	}
	if _, _, err := cpu(t).Install(t.Context(), engines, library.Source{From: []string{filepath.Join(engines, "none.tgz")}}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	both, err := library.Find("cuda12")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := both.Install(t.Context(), engines, library.Source{From: []string{"one.tgz"}}, nil); err == nil ||
		!strings.Contains(err.Error(), "has 2 archives, those of @node-llama-cpp/linux-x64-cuda and @node-llama-cpp/linux-x64-cuda-ext: 1 are given") {
		t.Errorf("half of two: got %v", err)
	}
	left, err := os.ReadDir(filepath.Join(engines, "llama.cpp"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWhereTheRegistryIsSaid(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".npmrc"), []byte("# ours\nfund = false\nregistry = \"https://npm.example/a\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir) // without npm
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"environment": {map[string]string{"NPM_CONFIG_REGISTRY": "https://npm.example/b", "HOME": dir}, "https://npm.example/b"},
		"file":        {map[string]string{"HOME": dir}, "https://npm.example/a"},
		"nowhere":     {map[string]string{"HOME": filepath.Join(dir, "none")}, ""},
	} {
		got, err := library.Registry(context.WithoutCancel(t.Context()), func(key string) string { return c.env[key] })
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, library.ErrNoRegistry) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	scoped := []byte("registry=https://npm.example/a\n@node-llama-cpp:registry=https://npm.example/c\n")
	if err := os.WriteFile(filepath.Join(dir, ".npmrc"), scoped, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := library.Registry(t.Context(), func(string) string { return dir })
	if err != nil || got != dir { // the environment comes first
		t.Errorf("%q, %v", got, err)
	}
	got, err = library.Registry(t.Context(), func(key string) string {
		if key == "HOME" {
			return dir
		}
		return ""
	})
	if err != nil || got != "https://npm.example/c" {
		t.Errorf("scoped: %q, %v", got, err)
	}
}
