package archtest_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// maxLines is more than any file needs. About 400 is long already.
const maxLines = 700

func TestEveryPackageIsDocumented(t *testing.T) {
	t.Parallel()
	documented, seen := map[string]bool{}, map[string]bool{}
	each(t, func(s source) {
		if s.test {
			return
		}
		seen[s.dir] = true
		if s.syntax.Doc == nil {
			return
		}
		text := strings.TrimSpace(s.syntax.Doc.Text())
		want := "Package " + s.syntax.Name.Name + " "
		if s.syntax.Name.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: the package comment does not begin with %q", s.path, want)
		}
		documented[s.dir] = true
	})
	for dir := range seen {
		if !documented[dir] {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	t.Parallel()
	each(t, func(s source) {
		if s.test || s.syntax.Name.Name == "main" {
			return
		}
		for _, d := range s.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !wellKnown[d.Name.Name] {
					t.Errorf("%s: %s has no comment", s.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if n, ok := spec.(*ast.TypeSpec); ok && n.Name.IsExported() && d.Doc == nil && n.Doc == nil && n.Comment == nil {
						t.Errorf("%s: %s has no comment", s.path, n.Name.Name)
					}
				}
			}
		}
	})
}

// wellKnown are methods whose meaning the standard library fixes.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "String": true, "ServeHTTP": true, "Len": true, "Less": true, "Swap": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true, "Read": true, "Write": true, "Close": true,
}

// exportedReceiver reports whether f is a function, or a method of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	e := f.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func TestFilesAreSmall(t *testing.T) {
	t.Parallel()
	each(t, func(s source) {
		if s.lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: split it", s.path, s.lines, maxLines)
		}
	})
}

var sql = regexp.MustCompile(`(?s)^\s*(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(TABLE|INDEX)\s|PRAGMA\s)`)

func TestSQLStaysInItsPackages(t *testing.T) {
	t.Parallel()
	each(t, func(s source) {
		// The explorer's index is the same few tables in both databases.
		if base := filepath.Base(s.dir); base == "sqlite" || base == "postgres" || s.dir == "explorer/store" || s.dir == "internal/archtest" {
			return
		}
		for _, imported := range s.imports {
			if imported == "database/sql" || strings.HasPrefix(imported, "modernc.org/sqlite") || strings.HasPrefix(imported, "github.com/jackc/pgx") {
				t.Errorf("%s imports %s: databases are opened in sqlite and postgres packages, and in explorer/store", s.path, imported)
			}
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(l.Value); err == nil && sql.MatchString(text) {
				t.Errorf("%s holds SQL: %.60q", s.path, text)
			}
			return true
		})
	})
}

// Tests wait for events, not for time to pass; within a synctest bubble time is fake.
func TestNoTestSleeps(t *testing.T) {
	t.Parallel()
	each(t, func(s source) {
		if !s.test {
			return
		}
		bubble := false
		for _, imported := range s.imports {
			bubble = bubble || imported == "testing/synctest"
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || f.Sel.Name != "Sleep" {
				return true
			}
			if x, ok := f.X.(*ast.Ident); ok && x.Name == "time" && !bubble {
				t.Errorf("%s calls time.Sleep: wait for a named event", s.path)
			}
			return true
		})
	})
}

// Only lifecycle, errgroup and their like start goroutines, so that somebody waits for each.
func TestNoBareGoroutines(t *testing.T) {
	t.Parallel()
	each(t, func(s source) {
		if s.test || s.dir == "lifecycle" {
			return
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s has a bare go statement: use errgroup, sync.WaitGroup.Go or lifecycle.Part", s.path)
			}
			return true
		})
	})
}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func TestNothingIsLeftForLater(t *testing.T) {
	t.Parallel()
	each(t, func(s source) {
		if s.dir == "internal/archtest" {
			return
		}
		for _, group := range s.syntax.Comments {
			if unfinished.MatchString(group.Text()) {
				t.Errorf("%s: a comment leaves something for later: %.80q", s.path, group.Text())
			}
		}
	})
}

// Both modules are built with the same toolchain and licence.
func TestModulesAgree(t *testing.T) {
	t.Parallel()
	goLine := regexp.MustCompile(`(?m)^go (\S+)$`)
	var versions []string
	for _, name := range []string{"go.mod", "chain/go.mod"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		m := goLine.FindStringSubmatch(string(b))
		if m == nil {
			t.Fatalf("%s has no go line", name)
		}
		versions = append(versions, m[1])
	}
	if versions[0] != versions[1] {
		t.Errorf("go lines differ: %v", versions)
	}
}
