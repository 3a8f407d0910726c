// Package role runs parts of a benchmark in processes of their own, so that
// each can be asked how much processor time it took.
//
// A role is a function of this same program. Its argument goes to it as JSON on
// standard input, its address comes back as JSON on standard output; then every
// line on standard input asks for its processor time, and the end of standard
// input ends it.
package role

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Word is the first argument of a program that is to play a role.
const Word = "role"

// A Func plays a role until ctx is done. It calls ready once, with what others
// need to reach it.
type Func func(ctx context.Context, arg json.RawMessage, ready func(door any) error) error

// Play plays the role that the process was started for.
func Play(ctx context.Context, play Func, in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lines := bufio.NewReader(in)
	arg, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read argument: %w", err)
	}
	var mu sync.Mutex // one answer at a time
	answer := func(v any) error {
		mu.Lock()
		defer mu.Unlock()
		return json.NewEncoder(out).Encode(v)
	}
	var g errgroup.Group
	g.Go(func() error {
		defer stop()
		for {
			if _, err := lines.ReadBytes('\n'); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return fmt.Errorf("read question: %w", err)
			}
			used, err := CPUTime()
			if err != nil {
				return err
			}
			if err := answer(used); err != nil {
				return err
			}
		}
	})
	if err := play(ctx, arg, answer); err != nil && ctx.Err() == nil {
		return err // without waiting for the parent: it sees our end
	}
	return g.Wait()
}

// Process is a role at work.
type Process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

// Start starts a role and fills door with what it says when it is ready.
func Start(ctx context.Context, name string, arg, door any) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, Word, name) //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, cmd: cmd, in: in, out: json.NewDecoder(out)}
	if err := json.NewEncoder(in).Encode(arg); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), p.Stop())
	}
	if err := p.out.Decode(door); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), p.Stop())
	}
	return p, nil
}

// CPU returns the processor time, user and system, that the process took so far.
func (p *Process) CPU() (time.Duration, error) {
	if _, err := io.WriteString(p.in, "cpu\n"); err != nil {
		return 0, fmt.Errorf("ask %s: %w", p.name, err)
	}
	var d time.Duration
	if err := p.out.Decode(&d); err != nil {
		return 0, fmt.Errorf("ask %s: %w", p.name, err)
	}
	return d, nil
}

// Resident returns the memory, in bytes, that the process has in RAM now.
func (p *Process) Resident() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("memory of %s: %w", p.name, err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("memory of %s: the process status names none", p.name)
}

// Stop ends the role and waits for its process.
func (p *Process) Stop() error {
	_ = p.in.Close() // gone already: Wait tells
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("role %s: %w", p.name, err)
	}
	return nil
}
