package serve_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/wallet/daemon/serve"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*serve.Config)
		good   bool
	}{
		"default":      {func(*serve.Config) {}, true},
		"port":         {func(c *serve.Config) { c.Port = 0 }, false},
		"hosts":        {func(c *serve.Config) { c.AllowedHosts = []string{"Wallet.lan"} }, true},
		"any host":     {func(c *serve.Config) { c.AllowedHosts = []string{"*"} }, false},
		"with port":    {func(c *serve.Config) { c.AllowedHosts = []string{"a:1"} }, false},
		"origin":       {func(c *serve.Config) { c.AllowedOrigins = []string{"https://a.example"} }, true},
		"any origin":   {func(c *serve.Config) { c.AllowedOrigins = []string{"*"} }, false},
		"null origin":  {func(c *serve.Config) { c.AllowedOrigins = []string{"null"} }, false},
		"with a path":  {func(c *serve.Config) { c.AllowedOrigins = []string{"https://a.example/x"} }, false},
		"an extension": {func(c *serve.Config) { c.AllowedOrigins = []string{"chrome-extension://abcdef"} }, true},
	} {
		cfg := serve.Default(0)
		c.change(&cfg)
		if err := cfg.Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// serveOn runs a daemon on a unix socket until the test ends and waits for it.
func serveOn(t *testing.T, dir home.Dir, socket string) {
	t.Helper()
	cfg := serve.Default(0)
	cfg.Socket = socket
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	up := make(chan struct{})
	log := slog.New(notify{slog.DiscardHandler, up})
	go func() { ended <- serve.Run(ctx, dir, cfg, log) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-up:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
}

// notify closes a channel at the first record.
type notify struct {
	slog.Handler
	up chan struct{}
}

func (n notify) Enabled(context.Context, slog.Level) bool { return true }
func (n notify) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "wallet daemon answers" {
		close(n.up)
	}
	return nil
}

func TestASocketIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := home.Dir(t.TempDir())
	socket := filepath.Join(t.TempDir(), "s")
	// One that a killed daemon left is no obstacle.
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	serveOn(t, dir, socket)
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	for path, want := range map[string]int{"/health": 200, "/v1/wallet": 401} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://wallet"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != want {
			t.Errorf("%s: %d, %v", path, resp.StatusCode, err)
		}
	}
	// Our own clients reach it by the socket's URL.
	own, err := httpx.NewClient("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	var health struct{ Service string }
	if _, err := own.Do(t.Context(), httpx.Request{Method: http.MethodGet, Path: "/health"}, &health); err != nil || health.Service != "wallet" {
		t.Errorf("%+v, %v", health, err)
	}
	key, err := serve.Key(dir)
	if err != nil || !strings.HasPrefix(key.Reveal(), "wallet_") {
		t.Errorf("%v", err)
	}
	if info, err := os.Stat(serve.KeyFile(dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestAWideAddressNeedsNames(t *testing.T) {
	t.Parallel()
	cfg := serve.Default(0)
	cfg.Host = "0.0.0.0"
	err := serve.Run(t.Context(), home.Dir(t.TempDir()), cfg, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "must be a loopback address") {
		t.Errorf("%v", err)
	}
}
