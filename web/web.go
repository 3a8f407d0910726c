// Package web holds the built pages, and serves them: files whose names hold
// their hash for ever, and the page itself anew each time.
package web

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// types are the kinds of files that pages are made of. The machine's own table
// may say otherwise, or nothing.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
}

// Marketplace serves the marketplace's page.
func Marketplace() http.Handler { return handler{"dist/marketplace"} }

// Explorer serves the explorer's page.
func Explorer() http.Handler { return handler{"dist/explorer"} }

// handler serves the files below a directory, each from its gzip form, and the
// page for every other path: the page itself knows what is at it.
type handler struct{ root string }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this is read only", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	asset := strings.HasPrefix(r.URL.Path, "/assets/")
	if !asset && path.Ext(name) == "" {
		name = "index.html"
	}
	w.Header().Add("Vary", "Accept-Encoding")
	body, packed, err := h.read(name, strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	cache := "no-cache"
	if asset {
		cache = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("Content-Type", types[path.Ext(name)])
	if packed {
		w.Header().Set("Content-Encoding", "gzip")
	}
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the client is gone: nobody to tell
}

// read returns a file, in its gzip form if there is one and it is wanted.
func (h handler) read(name string, packed bool) ([]byte, bool, error) {
	if _, known := types[path.Ext(name)]; !known {
		return nil, false, fs.ErrNotExist
	}
	full := path.Join(h.root, name)
	if packed {
		if b, err := dist.ReadFile(full + ".gz"); err == nil {
			return b, true, nil
		}
	}
	b, err := dist.ReadFile(full)
	return b, false, err
}
