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

// An engine that makes no folder of a fixed size, as Podman's, is refused before anything is offered.
func TestEnginesWithoutFoldersOfAFixedSizeAreRefused(t *testing.T) {
	t.Parallel()
	image := "sha256:" + strings.Repeat("a", 64)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.41/images/{name}/json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"Id":"` + image + `","Os":"linux","Architecture":"amd64"}`))
	})
	mux.HandleFunc("POST /v1.41/volumes/create", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"message":"volume options size and inodes not supported"}`))
	})
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close() }()
	_, err = container.Open(t.Context(), container.Config{
		Socket: socket, Owner: "0xminer", Name: "guest", Image: image, CPUs: 1, Memory: 64 << 20, Disk: 16 << 20, Pids: 64, Longest: time.Minute, Output: 1 << 20,
	})
	if err == nil || !strings.Contains(err.Error(), "no folders of a fixed size") || !strings.Contains(err.Error(), "not supported") {
		t.Errorf("it was taken: %v", err)
	}
}
