package archtest_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	goTest  = regexp.MustCompile("`(Test\\w+)`")
	solTest = regexp.MustCompile("`(test_\\w+)`")
	link    = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
)

// A row of docs/SPEC.md that names a test must name one that there is.
func TestSpecNamesRealTests(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	each(t, func(s source) {
		if !s.test {
			return
		}
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				known[f.Name.Name] = true
			}
		}
	})
	contracts, err := filepath.Glob(filepath.Join(root, "contracts", "test", "*.t.sol"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range contracts {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`function (test_\w+)`).FindAllStringSubmatch(string(b), -1) {
			known[m[1]] = true
		}
	}
	spec, err := os.ReadFile(filepath.Join(root, "docs", "SPEC.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := append(goTest.FindAllStringSubmatch(string(spec), -1), solTest.FindAllStringSubmatch(string(spec), -1)...)
	if len(named) < 20 {
		t.Fatalf("docs/SPEC.md names only %d tests", len(named))
	}
	for _, m := range named {
		if !known[m[1]] {
			t.Errorf("docs/SPEC.md names %s, which does not exist", m[1])
		}
	}
}

// Links between the repository's documents lead somewhere.
func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md", "chain/docs/*.md", "contracts/*.md", "training/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	for _, path := range documents {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links %s, which does not exist", path, m[1])
			}
		}
	}
}
