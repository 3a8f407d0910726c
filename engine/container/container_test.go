//go:build linux

package container_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/container"
	"github.com/aitbc/aitbc/internal/dockertest"
	"github.com/aitbc/aitbc/receipt/artifact"
)

// bench is an engine with an image on offer.
type bench struct {
	e     *dockertest.Engine
	image string
}

func newBench(t *testing.T) *bench {
	e := dockertest.Start(t)
	return &bench{e, e.Guest(t)}
}

func (b *bench) config() container.Config {
	return container.Config{
		Socket: b.e.Socket, Owner: "0xminer", Name: "guest", Image: b.image, CPUs: 1, Memory: 64 << 20, Disk: 16 << 20, Pids: 64, Longest: 60 * time.Second, Output: 2 << 20,
	}
}

func (b *bench) open(t *testing.T, change func(*container.Config)) *container.Model {
	t.Helper()
	cfg := b.config()
	if change != nil {
		change(&cfg)
	}
	m, err := container.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// guest runs the guest with arguments and returns what came, which is complete.
func guest(ctx context.Context, m *container.Model, req engine.Request, args ...string) (artifact.Result, engine.Result, error) {
	if req.Container == nil {
		req.Container = &engine.Container{}
	}
	req.Container.Command = append([]string{"/guest"}, args...)
	var text strings.Builder
	res, err := m.Generate(ctx, req, func(t engine.Token) error {
		if len(t.Text) > 60<<10 {
			return fmt.Errorf("a line of %d bytes", len(t.Text))
		}
		text.WriteString(t.Text)
		return nil
	})
	if err != nil {
		return artifact.Result{}, res, err
	}
	r, err := artifact.Read(text.String())
	return r, res, err
}

func (b *bench) run(t *testing.T, m *container.Model, args ...string) artifact.Result {
	t.Helper()
	r, res, err := guest(t.Context(), m, engine.Request{}, args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	if r.Image != b.image || r.End.Millis == 0 || r.End.Millis != uint64(res.Ran.Milliseconds()) || res.CompletionTokens != 0 {
		t.Errorf("%v: image %s, end %+v, result %+v", args, r.Image, r.End, res)
	}
	b.clean(t)
	return r
}

// clean checks that nothing of a job is left at the engine.
func (b *bench) clean(t *testing.T) {
	t.Helper()
	var containers []struct{ Names []string }
	b.e.Get(t, "/containers/json?all=1", &containers)
	var volumes struct{ Volumes []struct{ Name string } }
	b.e.Get(t, "/volumes", &volumes)
	if len(containers) > 0 || len(volumes.Volumes) > 0 {
		t.Errorf("left at the engine: %v %v", containers, volumes.Volumes)
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t, nil)

	r := b.run(t, m, "echo", "one", "two")
	if r.Out != "one two\n" || r.Err != "said it\n" || r.End.Reason != artifact.Exited || r.End.ExitCode != 0 || len(r.Files) != 0 {
		t.Errorf("echo: %+v", r)
	}
	if r := b.run(t, m, "exit", "7"); r.End.ExitCode != 7 || r.End.Reason != artifact.Exited {
		t.Errorf("exit: %+v", r.End)
	}
	if r := b.run(t, m, "bytes"); r.Out != "a\uFFFDb€\n" {
		t.Errorf("bytes: %q", r.Out)
	}
	if r := b.run(t, m, "silent"); string(r.Files["late"]) != "late" || r.End.Millis < 1500 {
		t.Errorf("a program that closes its output: %+v", r)
	}

	big := strings.Repeat("x", 100_000)
	req := engine.Request{Container: &engine.Container{
		Env:   map[string]string{"ANSWER": "42"},
		Files: []engine.File{{Path: "a.txt", Data: []byte("abc")}, {Path: "deep/er/b.txt", Data: []byte(big)}, {Path: "empty"}},
	}}
	r, _, err := guest(t.Context(), m, req, "copy")
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Files["a.txt"]) != "ABC" || string(r.Files["deep/er/b.txt"]) != strings.ToUpper(big) || len(r.End.Files) != 3 || r.End.ExitCode != 0 {
		t.Errorf("copy: %+v %s", r.End, r.Err)
	}
	r, _, err = guest(t.Context(), m, req, "env")
	if err != nil || !strings.Contains(r.Out, "ANSWER=42\n") || !strings.Contains(r.Out, "AITBC_OUTPUT=/job/output\n") {
		t.Errorf("env: %v %q", err, r.Out)
	}

	var text strings.Builder
	if _, err := m.Generate(t.Context(), engine.Request{Container: &engine.Container{}}, func(t engine.Token) error { text.WriteString(t.Text); return nil }); err != nil {
		t.Fatal(err)
	}
	if r, err := artifact.Read(text.String()); err != nil || r.Out != "hello from the image\n" {
		t.Errorf("the image's own command: %+v %v", r, err)
	}
	b.clean(t)
}

func TestBadRequestsAreTheClients(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t, nil)
	for name, req := range map[string]engine.Request{
		"prompt":     {Prompt: "hello"},
		"both":       {Prompt: "hello", Container: &engine.Container{}},
		"upwards":    {Container: &engine.Container{Files: []engine.File{{Path: "../../etc/passwd"}}}},
		"absolute":   {Container: &engine.Container{Files: []engine.File{{Path: "/etc/passwd"}}}},
		"no program": {Container: &engine.Container{Command: []string{"/not/there"}}},
	} {
		_, err := m.Generate(t.Context(), req, func(engine.Token) error { return errors.New("something ran") })
		if !errors.Is(err, engine.ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.clean(t)
}

func TestHostilePrograms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t, nil)

	t.Run("rights", func(t *testing.T) {
		r := b.run(t, m, "whoami")
		for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "Dir: /job"} {
			if !strings.Contains(r.Out, want+"\n") {
				t.Errorf("no %q in\n%s", want, r.Out)
			}
		}
	})
	t.Run("cannot leave its folder", func(t *testing.T) {
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := b.run(t, m, "outside", secret, b.e.Socket, "/etc/secret")
		for _, bad := range []string{"WROTE", "READ", "MOUNTED", "SYSRQ"} {
			if strings.Contains(r.Out, bad) {
				t.Errorf("it did: %s", r.Out)
			}
		}
		if len(r.Files) != 1 || string(r.Files["good"]) != "x" || r.End.Skipped == 0 {
			t.Errorf("files %v, %d left out", r.End.Files, r.End.Skipped)
		}
	})
	t.Run("has no network", func(t *testing.T) {
		ln, err := net.Listen("tcp", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		addresses := []string{"127.0.0.1:" + port, "169.254.169.254:80", "1.1.1.1:53"}
		all, err := net.InterfaceAddrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.To4() != nil {
				addresses = append(addresses, net.JoinHostPort(ip.String(), port))
			}
		}
		r := b.run(t, m, append([]string{"network"}, addresses...)...)
		if r.Out != "interface lo\n" {
			t.Errorf("it has %s", r.Out)
		}
	})
	t.Run("cannot outlive its time", func(t *testing.T) {
		r, res, err := guest(t.Context(), m, engine.Request{Container: &engine.Container{Longest: 6 * time.Second}}, "hang")
		if err != nil {
			t.Fatal(err)
		}
		if r.End.Reason != artifact.Time || r.End.Millis != 6000 || res.FinishReason != engine.Length || r.Out != "hanging\nhanging\n" {
			t.Errorf("%+v %+v %q", r.End, res, r.Out)
		}
		b.clean(t)
	})
	t.Run("cannot fork without end", func(t *testing.T) {
		r := b.run(t, m, "fork")
		if strings.Contains(r.Out, "STARTED") || !strings.Contains(r.Out+r.Err, "started") && r.End.ExitCode == 0 {
			t.Errorf("%+v %s %s", r.End, r.Out, r.Err)
		}
	})
	t.Run("cannot fill the disk", func(t *testing.T) {
		r := b.run(t, m, "fill")
		var mib, files int
		if _, err := fmt.Sscanf(r.Out, "/job/output %d MiB", &mib); err != nil || mib > 16 || mib < 12 {
			t.Errorf("%q: %v", r.Out, err)
		}
		if _, after, _ := strings.Cut(r.Out, "files "); after == "" || strings.Count(after, "\n") != 1 {
			t.Errorf("%q", r.Out)
		} else if _, err := fmt.Sscan(after, &files); err != nil || files > 16384 {
			t.Errorf("%d files", files)
		}
	})
	t.Run("cannot take the memory", func(t *testing.T) {
		r := b.run(t, m, "memory")
		if r.End.Reason != artifact.Memory && r.End.ExitCode == 0 {
			t.Errorf("%+v", r.End)
		}
	})
	t.Run("cannot print without end", func(t *testing.T) {
		r := b.run(t, m, "shout")
		if r.End.Reason != artifact.Output || len(r.Out) != 2<<20 {
			t.Errorf("%+v, %d bytes", r.End, len(r.Out))
		}
	})
	t.Run("cannot hand in without end", func(t *testing.T) {
		r := b.run(t, m, "leave")
		if len(r.Files) != 1 || string(r.Files["a-small"]) != "small" || r.End.Skipped != 2 {
			t.Errorf("%+v", r.End)
		}
	})
}

func TestJobsThatAreCalledOffEndAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var text strings.Builder
	res, err := m.Generate(ctx, engine.Request{Container: &engine.Container{Command: []string{"/guest", "hang"}}}, func(t engine.Token) error {
		text.WriteString(t.Text)
		if strings.Contains(t.Text, "hanging") {
			cancel()
		}
		return nil
	})
	if err != nil || res.FinishReason != engine.Canceled || res.Ran == 0 {
		t.Fatalf("%+v %v", res, err)
	}
	if r, err := artifact.Read(text.String()); err != nil || r.End.Reason != artifact.Canceled {
		t.Errorf("%+v %v", r.End, err)
	}
	b.clean(t)

	called := errors.New("nobody listens")
	if _, err := m.Generate(t.Context(), engine.Request{Container: &engine.Container{Command: []string{"/guest", "hang"}}}, func(engine.Token) error { return called }); !errors.Is(err, called) {
		t.Errorf("%v", err)
	}
	b.clean(t)
}

func TestWhatACrashLeftIsRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(t, nil)
	other := b.open(t, func(c *container.Config) { c.Owner = "0xother" })
	running := make(chan struct{}, 2)
	ended := make(chan error, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start := func(m *container.Model) {
		_, err := m.Generate(ctx, engine.Request{Container: &engine.Container{Command: []string{"/guest", "hang"}}}, func(t engine.Token) error {
			if t.Index == 0 {
				running <- struct{}{}
			}
			return nil
		})
		ended <- err
	}
	go start(m)
	go start(other)
	<-running
	<-running
	n, err := container.Sweep(t.Context(), b.e.Socket, "0xminer")
	if err != nil || n != 2 { // the job and the keeper of its folder
		t.Errorf("removed %d: %v", n, err)
	}
	if err := <-ended; err != nil {
		t.Log("the job that was removed:", err)
	}
	var left []struct{ Labels map[string]string }
	b.e.Get(t, "/containers/json", &left)
	if len(left) != 2 || left[0].Labels["org.aitbc.miner"] != "0xother" {
		t.Errorf("left: %v", left)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	b.clean(t)
}

func TestImagesAreNamedByTheirDigest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for image, want := range map[string]error{
		"guest:1":                           nil,
		"guest":                             nil,
		"sha256:1234":                       nil,
		"sha256:" + strings.Repeat("0", 64): container.ErrImage,
	} {
		cfg := b.config()
		cfg.Image = image
		if _, err := container.Open(t.Context(), cfg); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", image, err)
		}
	}
	cfg := b.config()
	cfg.Socket = filepath.Join(t.TempDir(), "none.sock")
	if _, err := container.Open(t.Context(), cfg); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("no engine: %v", err)
	}
	info := b.open(t, nil).Info()
	if got := fmt.Sprintf("sha256:%x", info.Digest); got != b.image || !info.Container || info.Claimed {
		t.Errorf("%+v is not %s", info, b.image)
	}
}

// An engine now and then loses a container before its start: it is made again, and what is lost for good is the engine's.
func TestALostContainerIsMadeAgain(t *testing.T) {
	b := newBench(t)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", b.e.Socket)
		}},
	}
	var lose, lost atomic.Int64
	socket := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/start") && lose.Add(-1) >= 0 {
			lost.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"message":"cannot start a stopped process: unknown"}`))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	m := b.open(t, func(c *container.Config) { c.Socket = socket })
	for _, n := range []int64{1, 2} { // the folder's container, and then the program's
		lose.Store(n)
		if r := b.run(t, m, "echo", "hello"); r.End.ExitCode != 0 {
			t.Errorf("%d lost: %+v", n, r.End)
		}
	}
	if lost.Load() != 3 {
		t.Errorf("%d were lost", lost.Load())
	}
	lose.Store(1000)
	if _, _, err := guest(t.Context(), m, engine.Request{}, "echo", "hello"); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("with an engine that starts none: %v", err)
	}
	b.clean(t)
}
