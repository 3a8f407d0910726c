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
	if _, _, err := cpu(t).Install(t.Context(), engines, library.Source{From: filepath.Join(engines, "none.tgz")}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
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
