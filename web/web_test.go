package web_test

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/web"
)

func get(h http.Handler, target, encoding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func text(t *testing.T, r *httptest.ResponseRecorder) string {
	t.Helper()
	var body io.Reader = r.Body
	if r.Header().Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every file that the page names is there, kept for ever by its hash, and the
// same packed and not.
func TestPageAndItsFilesAreServed(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Handler{"explorer": web.Explorer(), "marketplace": web.Marketplace()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			served(t, h)
		})
	}
}

func served(t *testing.T, h http.Handler) {
	t.Helper()
	page := get(h, "/block/7", "gzip")
	body := text(t, page)
	if page.Code != http.StatusOK || page.Header().Get("Cache-Control") != "no-cache" || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", page.Code, page.Header())
	}
	named := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(named) < 3 {
		t.Fatalf("the page names %d files", len(named))
	}
	for _, m := range named {
		packed, plain := get(h, m[1], "br, gzip"), get(h, m[1], "")
		if packed.Code != http.StatusOK || packed.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v, and plain %v", m[1], packed.Code, packed.Header(), plain.Header())
		}
		if text(t, packed) != text(t, plain) {
			t.Errorf("%s is another file packed", m[1])
		}
		if strings.HasPrefix(m[1], "/assets/") && !strings.Contains(packed.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s", m[1], packed.Header().Get("Cache-Control"))
		}
	}
	if strings.Contains(body, "://") || strings.Contains(body, "<script>") || strings.Contains(body, "style=") {
		t.Error("the page names another origin, or holds what the content policy forbids")
	}
}

func TestWhatIsNoFileIsNotServed(t *testing.T) {
	t.Parallel()
	h := web.Explorer()
	for _, target := range []string{"/assets/none.js", "/assets/", "/index.html.gz", "/../web.go", "/x.php", "/assets/..%2f..%2fweb.go"} {
		if r := get(h, target, "gzip"); r.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, r.Code)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// What a first visit loads stays small, and nothing that is built lacks its packed form.
func TestFirstLoadIsSmall(t *testing.T) {
	t.Parallel()
	for _, app := range []string{"explorer", "marketplace"} {
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			small(t, os.DirFS("dist/"+app))
		})
	}
}

func small(t *testing.T, root fs.FS) {
	t.Helper()
	const most = 200 << 10
	page, err := fs.ReadFile(root, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	var first int64
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".gz") {
			return err
		}
		info, err := fs.Stat(root, name+".gz")
		if err != nil {
			return err
		}
		if name == "index.html" || strings.Contains(string(page), path.Base(name)) {
			first += info.Size()
		}
		return nil
	})
	if err != nil || first > most || first == 0 {
		t.Errorf("%d bytes, at most %d, %v", first, most, err)
	}
}
