package network

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a program that dies with this one.
type process struct {
	cmd    *exec.Cmd
	stdout *os.File
	stderr *buffer
	wg     sync.WaitGroup
	err    error // valid once done is closed
	done   chan struct{}
}

// start starts aitbc in the background.
func (n *Network) start(args ...string) *process {
	n.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		n.t.Fatal(err)
	}
	p := &process{stdout: r, stderr: new(buffer), done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(n.bin, "aitbc"), args...) //nolint:gosec,noctx // the program under test, ended by stop
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = n.environ(), w, p.stderr
	p.cmd.SysProcAttr = DieWithParent()
	started := make(chan error)
	p.wg.Go(func() {
		// The signal at our death is tied to the thread that starts the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- p.cmd.Start()
		p.err = p.cmd.Wait()
		close(p.done)
	})
	err = <-started
	if err := errors.Join(err, w.Close()); err != nil {
		n.t.Fatal(err)
	}
	return p
}

// stop asks the process to end and waits for it.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
	case <-time.After(stopWithin):
		return fmt.Errorf("did not stop within %s: %w", stopWithin, p.cmd.Process.Kill())
	}
	p.wg.Wait()
	return errors.Join(p.err, p.stdout.Close())
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what was written.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
