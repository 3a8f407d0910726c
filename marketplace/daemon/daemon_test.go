package daemon_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/marketplace/daemon"
)

// listener hears where the marketplace serves.
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

// A started marketplace serves page and market, notes what it sees, and stops
// though somebody follows a job.
func TestMarketplaceServesAndStops(t *testing.T) {
	t.Parallel()
	coordinator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			fmt.Fprint(w, `{"miners":[{"miner":"0x0700000000000000000000000000000000000000","state":"online","offers":[{"model":"m","prompt_rate":"1","completion_rate":"2"}]}]}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(coordinator.Close)
	cfg := daemon.Config{Host: "127.0.0.1", History: filepath.Join(t.TempDir(), "new", "h.db"), EthRPCURL: coordinator.URL, Coordinator: coordinator.URL, Explorer: coordinator.URL}
	serves := make(chan string, 1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- daemon.Run(ctx, cfg, nil, "test", slog.New(listener{slog.DiscardHandler, serves})) }() // the test has the system choose a port
	var base string
	select {
	case addr := <-serves:
		base = "http://" + addr
	case err := <-done:
		t.Fatalf("the marketplace ended: %v", err)
	}
	get := func(path string) string {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // a test's
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if body := get("/model/m"); !strings.Contains(strings.ToLower(body), "<!doctype html>") {
		t.Errorf("the page: %s", body)
	}
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		if body := get("/api/history?model=m&span=day"); strings.Contains(body, `"completion_rate":"2"`) {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nothing was noted of the market")
		}
	}
	follow, err := http.Get(base + "/coordinator/v1/jobs/1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Body.Close() //nolint:errcheck // a test's
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*daemon.Config){
		"port":    func(c *daemon.Config) { c.Port = 0 },
		"history": func(c *daemon.Config) { c.History = "a?b" },
		"hosts":   func(c *daemon.Config) { c.AllowedHosts = []string{"https://a"} },
		"api":     func(c *daemon.Config) { c.PublicAPI = "api.example" },
	} {
		cfg := daemon.Default(home.Dir(t.TempDir()), 0)
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		if change(&cfg); cfg.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
