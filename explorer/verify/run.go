package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// errTime and errOutput report a compiler that was stopped.
var (
	errTime   = errors.New("it took too long")
	errOutput = errors.New("it wrote too much")
)

// run runs a compiler in an empty folder of its own, with as little of our
// environment as it needs, within bounds of time, memory and output. It and what it
// started are gone when run returns.
func (c *Compilers) run(ctx context.Context, path, arg string, stdin []byte) ([]byte, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "aitbc-solc-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in the folder for such
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(c.Within, within), errTime)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd := exec.CommandContext(ctx, path, arg) //nolint:gosec // the operator named it
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "LANG=C.UTF-8"}
	cmd.SysProcAttr, cmd.WaitDelay = attributes(), time.Second
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	out := &limited{most: outputMost, full: func() { stop(errOutput) }}
	said := &limited{most: 16 << 10, full: func() {}}
	cmd.Stdout, cmd.Stderr = out, said
	in, err := inputFile(stdin)
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // it was read
	cmd.Stdin = in
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// It has hardly begun.
	if err := bound(cmd.Process.Pid, cmp.Or(c.Memory, memoryMost)); err != nil {
		stop(err)
	}
	err = cmd.Wait()
	_ = killGroup(cmd.Process.Pid) // what it may have left
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %.500s", filepath.Base(path), arg, err, said.kept.Bytes())
	}
	return out.kept.Bytes(), nil
}

// inputFile is an open file that nobody else can find. A pipe would not do: solc-js reads
// its input as a file, and breaks off where it would have to wait.
func inputFile(content []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "aitbc-solc-input-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Write(content); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// limited keeps the beginning of what is written.
type limited struct {
	kept bytes.Buffer
	most int
	full func()
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	room := l.most - l.kept.Len()
	if len(p) > room {
		l.full()
	}
	_, _ = l.kept.Write(p[:min(room, len(p))]) // a buffer takes all
	return len(p), nil
}
