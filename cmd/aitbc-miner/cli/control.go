package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed" // for the page
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/settings"
)

// page shows the miner's status in a browser.
//
//go:embed page.html
var page []byte

// tokenFile holds what opens the miner's controls: whoever can read it may use them.
func (c *call) tokenFile() string { return c.home.Path("run", "miner.token") }

func (c *call) newToken() (secret.Text, error) {
	t := secret.New(rand.Text())
	return t, secret.WriteFile(c.tokenFile(), t)
}

// control is what the miner's owner may have it do.
type control interface {
	Drain(ctx context.Context, on bool)
	Status() miner.Status
}

// withControl adds the status page, and for whoever has the token POST /drain and GET /logs, until life is done.
func withControl(life context.Context, pages http.Handler, token secret.Text, svc control, log *recent) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'")
		_, _ = w.Write(page) // whoever has gone reads nothing
	})
	for _, f := range []struct{ path, kind, text string }{{"/page.js", "text/javascript; charset=utf-8", script}, {"/page.css", "text/css; charset=utf-8", style}} {
		mux.HandleFunc("GET "+f.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", f.kind)
			_, _ = io.WriteString(w, f.text) // whoever has gone reads nothing
		})
	}
	guarded := func(f func(http.ResponseWriter, *http.Request) error) http.Handler {
		return httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
			got, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if subtle.ConstantTimeCompare([]byte(got), []byte(token.Reveal())) != 1 {
				return apierr.New(apierr.Unauthorized, "this is for whoever can read HOME/run/miner.token")
			}
			return f(w, r)
		})
	}
	mux.Handle("POST /drain", guarded(func(w http.ResponseWriter, r *http.Request) error {
		svc.Drain(r.Context(), r.URL.Query().Get("off") == "")
		httpx.WriteJSON(w, http.StatusOK, svc.Status())
		return nil
	}))
	mux.Handle("GET /logs", guarded(func(w http.ResponseWriter, r *http.Request) error { return serveLogs(life, w, r, log) }))
	return mux
}

// serveLogs sends the newest lines, and those to come until the reader goes if it asks for them.
func serveLogs(life context.Context, w http.ResponseWriter, r *http.Request, log *recent) error {
	n, err := strconv.Atoi(r.URL.Query().Get("lines"))
	if err != nil || n < 0 {
		return apierr.New(apierr.Invalid, "lines is no number")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text, next := log.last(n)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(life, cancel)() // the miner does not wait for readers
	for {
		if _, err := io.WriteString(w, text); err != nil {
			return nil //nolint:nilerr // the reader went away
		}
		if r.URL.Query().Get("follow") == "" {
			return nil
		}
		_ = http.NewResponseController(w).Flush() // or the lines come later
		if text, next, err = log.from(ctx, next); err != nil {
			return nil //nolint:nilerr // the reader went away
		}
	}
}

// controls returns a client of the running miner's controls.
func (c *call) controls(set *settings.Settings) (*httpx.Client, error) {
	token, err := secret.ReadFile(c.tokenFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hinted{errors.New("no miner runs in " + string(c.home)), "aitbc-miner start runs one"}
	}
	if err != nil {
		return nil, err
	}
	client, err := httpx.NewClient("http://" + set.Server.Addr)
	if err != nil {
		return nil, err
	}
	client.Header.Set("Authorization", "Bearer "+token.Reveal())
	return client, nil
}

func drainCommand() command {
	return command{name: "drain", short: "Take no more jobs, and wait until none is running", setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
		declareAddresses(fs)
		off := fs.Bool("off", false, "take jobs again")
		noWait := fs.Bool("no-wait", false, "do not wait for the jobs under way")
		return func(ctx context.Context, c *call) error { return c.drain(ctx, *off, *noWait) }
	}}
}

// lookAgain is the time between two looks at jobs that are waited for.
const lookAgain = 500 * time.Millisecond

func (c *call) drain(ctx context.Context, off, noWait bool) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	client, err := c.controls(set)
	if err != nil {
		return err
	}
	path := "/drain"
	if off {
		path += "?off=1"
	}
	var st miner.Status
	if _, err := client.Do(ctx, httpx.Request{Method: http.MethodPost, Path: path}, &st); err != nil {
		return &hinted{fmt.Errorf("the miner does not answer: %w", err), "aitbc-miner start runs it"}
	}
	for !off && !noWait && len(st.Running) > 0 {
		fmt.Fprintf(c.Stderr, "aitbc-miner: %d jobs are under way\n", len(st.Running))
		for before := len(st.Running); len(st.Running) == before; {
			t := time.NewTimer(lookAgain)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return ctx.Err()
			}
			if _, err := client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/status"}, &st); err != nil {
				return err
			}
		}
	}
	return c.print(st, table(st))
}

func logsCommand() command {
	return command{name: "logs", short: "Show what the running miner logged", setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
		declareAddresses(fs)
		lines := fs.Int("n", 100, fmt.Sprintf("the newest `lines`, at most %d", recentLines))
		follow := fs.Bool("f", false, "go on with those to come")
		return func(ctx context.Context, c *call) error { return c.logs(ctx, *lines, *follow) }
	}}
}

func (c *call) logs(ctx context.Context, lines int, follow bool) error {
	if lines < 0 || lines > recentLines {
		return &usageError{fmt.Sprintf("logs: -n is %d: use 0 to %d", lines, recentLines)}
	}
	set, err := c.settings()
	if err != nil {
		return err
	}
	client, err := c.controls(set)
	if err != nil {
		return err
	}
	path := "/logs?lines=" + strconv.Itoa(lines)
	if follow {
		path += "&follow=1"
	}
	resp, err := client.Open(ctx, httpx.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return &hinted{fmt.Errorf("the miner does not answer: %w", err), "what a miner logged that runs no more is where its output went, such as journalctl -u aitbc-miner or HOME/logs/miner.log"}
	}
	defer func() { _ = resp.Body.Close() }() // a stream that was read
	_, err = io.Copy(c.Stdout, resp.Body)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("logs: %w", err)
	}
	return nil
}
