package validators

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/aitbc/aitbc/e2e/network"
)

// stopWithin is how long a node may take to stop on a busy machine.
const stopWithin = 60 * time.Second

// process is a running node. What it prints is added to a file.
type process struct {
	cmd  *exec.Cmd
	wg   sync.WaitGroup
	err  error // valid once done is closed
	done chan struct{}
}

// launch starts a program that dies with this one.
func launch(log string, env []string, argv ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // of the test
	if err != nil {
		return nil, err
	}
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...) //nolint:gosec,noctx // the program under test, ended by stop or kill
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, out, out
	p.cmd.SysProcAttr = network.DieWithParent()
	started := make(chan error)
	p.wg.Go(func() {
		// The signal at our death is tied to the thread that starts the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
		}
		close(p.done)
	})
	return p, errors.Join(<-started, out.Close())
}

// signal sends a signal; a process that has ended is no error.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// stop asks the process to end and waits for it.
func (p *process) stop() error {
	if err := errors.Join(p.signal(syscall.SIGCONT), p.signal(syscall.SIGTERM)); err != nil {
		return err
	}
	if !p.ended(stopWithin) {
		err := fmt.Errorf("did not stop within %s", stopWithin)
		p.kill()
		return err
	}
	return p.err
}

// kill ends the process as a power cut would, and waits for it.
func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL) // it may be gone
	p.wg.Wait()
}

// ended waits for the process to end by itself.
func (p *process) ended(within time.Duration) bool {
	limit := time.NewTimer(within)
	defer limit.Stop()
	select {
	case <-p.done:
		p.wg.Wait()
		return true
	case <-limit.C:
		return false
	}
}

// running reports whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}
