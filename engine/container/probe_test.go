//go:build linux

package container_test

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/engine/container"
)

// An engine that makes no folder of a fixed size, as Podman's, is refused before anything is offered, and so is an
// image that has folders of its own.
func TestWhatCannotBeBoundedIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, want string }{
		"volumes of the engine": {`{}`, "no folders of a fixed size"},
		"volumes of the image":  {`{"Volumes":{"/data":{}}}`, "declares volumes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := "sha256:" + strings.Repeat("a", 64)
			mux := http.NewServeMux()
			mux.HandleFunc("GET /v1.41/images/{name}/json", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"Id":"` + image + `","Os":"linux","Architecture":"amd64","Config":` + c.config + `}`))
			})
			mux.HandleFunc("POST /v1.41/volumes/create", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = w.Write([]byte(`{"message":"volume options size and inodes not supported"}`))
			})
			_, err := container.Open(t.Context(), container.Config{
				Socket: serve(t, mux), Owner: "0xminer", Name: "guest", Image: image,
				CPUs: 1, Memory: 64 << 20, Disk: 16 << 20, Pids: 64, Longest: time.Minute, Output: 1 << 20,
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it was taken: %v", err)
			}
		})
	}
}

// serve answers on a socket, whose path it returns.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return socket
}
