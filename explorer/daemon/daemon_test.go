package daemon_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/explorer/daemon"
	"github.com/aitbc/aitbc/explorer/indextest"
)

// listener hears where the explorer serves.
type listener struct {
	slog.Handler
	serves chan<- string
}

func (listener) Enabled(context.Context, slog.Level) bool { return true }

func (l listener) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "addr" {
			l.serves <- a.Value.String()
		}
		return true
	})
	return nil
}

// A started explorer indexes the node and serves page and index, and stops though
// somebody watches the head.
func TestExplorerServesAndStops(t *testing.T) {
	t.Parallel()
	node := httptest.NewServer(indextest.New(30, 2))
	t.Cleanup(node.Close)
	cfg := daemon.Config{Host: "127.0.0.1", Index: filepath.Join(t.TempDir(), "new", "i.db"), RPCURL: node.URL, EthRPCURL: node.URL, Coordinator: node.URL}
	if err := cfg.Validate(); err == nil {
		t.Error("a configuration without port is taken") // the test has the system choose one
	}
	serves := make(chan string, 1)
	log := slog.New(listener{slog.DiscardHandler, serves})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- daemon.Run(ctx, cfg, "test", log) }()
	var base string
	select {
	case addr := <-serves:
		base = "http://" + addr
	case err := <-done:
		t.Fatalf("the explorer ended: %v", err)
	}
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if height(base) == 30 {
			tick.Stop()
			break
		}
		select {
		case <-tick.C:
		case err := <-done:
			t.Fatalf("the explorer ended: %v", err)
		case <-deadline:
			t.Fatal("the explorer does not get to the head")
		}
	}
	resp, err := http.Get(base + "/block/7")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(strings.ToLower(string(page)), "<!doctype html>") {
		t.Errorf("the page: %s, %v", page, err)
	}
	_ = resp.Body.Close()
	watch, err := http.Get(base + "/api/head")
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(watch.Body); err != nil {
		t.Errorf("who watched was cut off: %v", err)
	}
	_ = watch.Body.Close()
}

// height is what the explorer's health says, or 0.
func height(base string) uint64 {
	resp, err := http.Get(base + "/health")
	if err != nil {
		return 0
	}
	defer resp.Body.Close() //nolint:errcheck // a test's
	var out struct {
		Height uint64 `json:"height"`
	}
	if json.NewDecoder(resp.Body).Decode(&out) != nil {
		return 0
	}
	return out.Height
}
