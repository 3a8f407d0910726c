//go:build linux

// Package dockertest starts a real Docker engine for tests, from the programs
// that Debian's package docker.io installs, and makes an image for it: no
// registry is asked.
package dockertest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// Require is the variable that makes a missing engine a failure, not a reason to
// skip.
const Require = "AITBC_REQUIRE_DOCKER"

// Socket is the variable that names the socket of another engine for [Start].
const Socket = "AITBC_ENGINE_SOCKET"

// startTime bounds how long an engine takes to answer.
const startTime = 90 * time.Second

// Engine is a running engine of the test's own.
type Engine struct {
	Socket string
	http   *http.Client
	log    bytes.Buffer
	life   sync.WaitGroup
}

// Start starts an engine on a socket and with a directory of its own, and stops
// it with the test. Its containers have no network. Where none can be started it
// skips the test, or fails it if [Require] is set. With [Socket] it returns the engine
// there, such as Podman's, which has to be the tests' alone.
func Start(t testing.TB) *Engine {
	t.Helper()
	if socket := os.Getenv(Socket); socket != "" {
		return &Engine{Socket: socket, http: client(socket)}
	}
	return start(t, syscall.CLONE_NEWNET, "--iptables=false", "--ip6tables=false")
}

// inside tells a test that it runs in a network namespace of its own.
const inside = "AITBC_INSIDE_NAMESPACE"

// Networked runs a test again in a network namespace of its own, and returns
// there an engine with networks for containers, whose ports are published in the
// namespace; outside it returns nil once the test has ended there. So an engine's
// bridges and packet filters are nobody else's, and all ports are free.
func Networked(t *testing.T) *Engine {
	t.Helper()
	if os.Getenv(inside) != "" {
		if err := loopbackUp(); err != nil {
			t.Fatal(err)
		}
		return start(t, 0, "--ip6tables=false")
	}
	switch _, err := exec.LookPath("dockerd"); {
	case err != nil:
		without(t, "there is no dockerd: install Debian's package docker.io")
	case os.Geteuid() != 0:
		without(t, "dockerd runs as root only")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // this program
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		without(t, "this machine gives no network namespaces")
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		without(t, string(out))
	}
	return nil
}

// loopbackUp has 127.0.0.1 answer in a new namespace.
func loopbackUp() error {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring loopback up: %w", err)
	}
	defer syscall.Close(s) //nolint:errcheck // nothing was written
	r := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(r.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&r))); errno != 0 { //nolint:gosec // ifreq of netdevice(7)
		return fmt.Errorf("bring loopback up: %w", errno)
	}
	return nil
}

func start(t testing.TB, namespaces uintptr, flags ...string) *Engine {
	t.Helper()
	program, err := exec.LookPath("dockerd")
	switch {
	case err != nil:
		without(t, "there is no dockerd: install Debian's package docker.io")
	case os.Geteuid() != 0:
		without(t, "dockerd runs as root only")
	}
	// Sockets have short names, and what is mounted below is the engine's to take away.
	dir, err := os.MkdirTemp("", "aitbc-docker-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	e := &Engine{Socket: filepath.Join(dir, "docker.sock")}
	e.http = client(e.Socket)
	cmd := exec.CommandContext(context.Background(), program, append(flags, //nolint:gosec // the test's
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
		"--host", "unix://"+e.Socket, "--bridge", "none", "--cgroup-parent", "/"+filepath.Base(dir))...)
	cmd.Stdout, cmd.Stderr = &e.log, &e.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM, Cloneflags: namespaces}
	started, ended := make(chan error, 1), make(chan struct{})
	e.life.Go(func() { // ends with the engine
		runtime.LockOSThread() // the kernel ends the engine with the thread that started it
		defer runtime.UnlockOSThread()
		defer close(ended)
		started <- cmd.Start()
		_ = cmd.Wait() // its log says why
	})
	if err := <-started; err != nil {
		without(t, "dockerd does not start: "+err.Error())
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		e.life.Wait()
	})
	deadline := time.NewTimer(startTime)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := e.do(http.MethodGet, "/_ping", nil); err == nil {
			return e
		}
		select {
		case <-tick.C:
		case <-ended:
			without(t, "dockerd cannot run here:\n"+e.log.String())
		case <-deadline.C:
			t.Fatalf("dockerd does not answer\n%s", e.log.String())
		}
	}
}

func client(socket string) *http.Client {
	var dialer net.Dialer
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", socket)
	}}}
}

func without(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(Require) != "" {
		t.Fatalf("%s is set: %s", Require, why)
	}
	t.Skip(why)
}

func (e *Engine) do(method, path string, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, "http://engine"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := e.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 400 {
		err = fmt.Errorf("%s %s: status %d: %s", method, path, resp.StatusCode, raw)
	}
	return raw, err
}

// Get asks the engine something and reads the answer into out.
func (e *Engine) Get(t testing.TB, path string, out any) {
	t.Helper()
	raw, err := e.do(http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
}

// Guest makes an image whose one program is the guest in testdata, and
// returns its digest, as in "sha256:…".
func (e *Engine) Guest(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	program := filepath.Join(t.TempDir(), "guest")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./testdata/guest") //nolint:gosec // ours
	build.Dir, build.Env = filepath.Dir(here), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the guest: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(program) //nolint:gosec // built above
	if err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, f := range []struct {
		name string
		mode int64
		data []byte
	}{{"guest", 0o555, raw}, {"etc/passwd", 0o644, []byte("root:x:0:0::/:/guest\n")}, {"etc/secret", 0o600, []byte("root's own")}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if raw, err = e.do(http.MethodPost, "/images/create?fromSrc=-&repo=guest:1&changes=CMD+%5B%22/guest%22%5D", &layer); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "sha256:") {
		t.Fatalf("import of the guest: %s", raw)
	}
	var i struct {
		ID string `json:"Id"`
	}
	e.Get(t, "/images/guest:1/json", &i)
	return i.ID
}
