package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	root        = "../.."
	module      = "github.com/aitbc/aitbc/"
	chainModule = module + "chain/"
)

// source is one Go file of the repository.
type source struct {
	path    string // slash-separated, from the root of the repository
	dir     string // of the path
	test    bool
	lines   int
	syntax  *ast.File
	imports []string
}

// skipped are directories that hold no sources of ours.
var skipped = []string{"node_modules", "testdata", "bin", "out", "cache", "data"}

var sources = sync.OnceValues(func() ([]source, error) {
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skipped, d.Name()) || (strings.HasPrefix(d.Name(), ".") && path != root) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		s, err := read(path)
		all = append(all, s)
		return err
	})
	return all, err
})

func read(path string) (source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return source{}, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return source{}, err
	}
	rel = filepath.ToSlash(rel)
	s := source{path: rel, dir: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(rel, "_test.go"), lines: strings.Count(string(text), "\n")}
	if s.syntax, err = parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		return s, err
	}
	for _, spec := range s.syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return s, err
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}

// each calls f with every Go file of both modules.
func each(t *testing.T, f func(source)) {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found only %d sources", len(all))
	}
	for _, s := range all {
		f(s)
	}
}
