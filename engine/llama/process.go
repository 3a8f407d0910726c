package llama

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

const (
	writeWithin = 10 * time.Second // a program that takes no request for so long hangs
	mostPrinted = 2048             // bytes of what it printed that are kept
	mostWait    = time.Minute      // between two starts
)

// process is a program that was started. It is loading, ready, or at its end.
type process struct {
	cmd    *exec.Cmd
	in     *os.File // the program's standard input
	loaded chan struct{}
	ready  wire.Ready // once loaded is closed
	ended  chan struct{}

	mu    sync.Mutex // guards the fields below
	calls map[uint64]*call
	next  uint64
	cause error // why it ends
	gone  bool  // nobody may end what has its number now
}

// call is a request under way.
type call struct {
	replies chan wire.Reply // with room for all that the program may send ahead
	alive   chan struct{}   // of capacity 1
}

// program returns the process that runs, or starts one when the last has ended.
func (m *Model) program(ctx context.Context) (*process, error) {
	for {
		m.mu.Lock()
		p := m.running
		m.mu.Unlock()
		if p == nil || p.err() == nil {
			break
		}
		select { // it is at its end
		case <-p.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	if m.running != nil {
		return m.running, nil
	}
	if wait := time.Until(m.after); wait > 0 {
		return nil, fmt.Errorf("%w: llama.cpp is started again in %s; it ended: %w", engine.ErrUnavailable, wait.Round(time.Second), m.last)
	}
	arg, err := json.Marshal(m.start)
	if err != nil {
		return nil, fmt.Errorf("start llama.cpp: %w", err)
	}
	// The program outlives the request that needed it first.
	p := &process{
		cmd:    exec.CommandContext(context.WithoutCancel(ctx), m.cfg.Program, wire.Word, string(arg)), //nolint:gosec // the settings name it
		loaded: make(chan struct{}), ended: make(chan struct{}), calls: map[uint64]*call{},
	}
	p.cmd.Env = m.environment()
	p.cmd.ExtraFiles = []*os.File{m.file}
	p.cmd.SysProcAttr = attributes()
	p.cmd.WaitDelay = writeWithin
	m.running = p
	m.all.Go(func() { m.watch(p) })
	return p, nil
}

// environment is what the program sees: nothing of this one's but where libraries lie.
func (m *Model) environment() []string {
	env := []string{"GGML_NO_BACKTRACE=1", "LC_ALL=C"}
	if m.cfg.LibraryPath != "" {
		env = append(env, "LD_LIBRARY_PATH="+m.cfg.LibraryPath)
	}
	if m.cfg.GPUs != nil {
		var list []string
		for _, n := range m.cfg.GPUs {
			list = append(list, strconv.Itoa(n))
		}
		devices := strings.Join(list, ",")
		env = append(env, "CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES="+devices, "GGML_VK_VISIBLE_DEVICES="+devices)
	}
	return env
}

// watch runs a process from its start to its end.
func (m *Model) watch(p *process) {
	// The kernel ends the program with this thread, so it must be this goroutine's alone.
	runtime.LockOSThread()
	begun := time.Now()
	printed := &tail{}
	answered, err := m.converse(p, printed)
	p.kill(err)
	p.mu.Lock()
	cause := p.cause
	p.gone = true
	p.mu.Unlock()
	var status error
	if p.cmd.Process != nil {
		status = p.cmd.Wait()
	}
	if text := printed.String(); text != "" {
		cause = fmt.Errorf("%w; it printed %q", cause, text)
	}
	say := m.cfg.Log.Warn
	if errors.Is(cause, errClosed) {
		say = m.cfg.Log.Debug
	}
	say("llama.cpp's program ended", "model", m.info.Name, "after", time.Since(begun).Round(time.Millisecond), "status", status, "err", cause)
	m.mu.Lock()
	m.running, m.last = nil, cause
	if answered {
		m.failures = 0
	}
	if m.failures++; m.failures > 1 {
		m.after = time.Now().Add(min(time.Second<<min(m.failures-2, 10), mostWait))
	}
	m.mu.Unlock()
	p.mu.Lock()
	p.cause = cause
	p.mu.Unlock()
	close(p.ended)
}

// converse starts the program and hands on what it says until that ends, and returns why,
// and whether an answer came to its end.
func (m *Model) converse(p *process, printed *tail) (answered bool, err error) {
	gone := func(err error) error { return fmt.Errorf("%w: llama.cpp's program %w", engine.ErrUnavailable, err) }
	in, out, err := p.start(printed)
	if err != nil {
		return false, gone(fmt.Errorf("cannot be started: %w", err))
	}
	defer func() { _, _ = in.Close(), out.Close() }()
	late := time.AfterFunc(m.cfg.LoadWithin, func() {
		p.kill(gone(fmt.Errorf("did not load the model within %s", m.cfg.LoadWithin)))
	})
	defer late.Stop()
	isReady := false
	for r := bufio.NewReader(out); ; {
		var reply wire.Reply
		if err := wire.Read(r, wire.MostReply, &reply); err != nil {
			return answered, gone(fmt.Errorf("ended: %w", err))
		}
		switch {
		case reply.Failed != "":
			return answered, gone(fmt.Errorf("says %.500q", reply.Failed))
		case reply.Ready != nil && !isReady && reply.Ready.Tokens > 0 && reply.Ready.Length > 0 && reply.Ready.Length <= m.start.Length:
			if !late.Stop() {
				continue
			}
			if err := m.steady(); err != nil {
				return answered, err
			}
			isReady, p.ready = true, *reply.Ready
			close(p.loaded)
		case !isReady || reply.Ready != nil || !p.deliver(reply):
			return answered, gone(errors.New("says what it should not"))
		}
		answered = answered || reply.Done != nil && reply.Done.Code == ""
	}
}

// start starts the program with pipes to it.
func (p *process) start(printed *tail) (in, out *os.File, err error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, theirIn.Close(), in.Close())
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirIn, theirOut, printed
	p.mu.Lock()
	if err = p.cause; err == nil { // it may have been ended before it began
		if err = p.cmd.Start(); err == nil {
			p.in = in
		}
	}
	p.mu.Unlock()
	_, _ = theirIn.Close(), theirOut.Close() // the program has its own
	if err != nil {
		return nil, nil, errors.Join(err, in.Close(), out.Close())
	}
	return in, out, nil
}

// deliver hands a reply to its call. It returns false for one that the program may not send.
func (p *process) deliver(r wire.Reply) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.ID == 0 || r.ID > p.next {
		return false
	}
	c, ok := p.calls[r.ID]
	if !ok { // it was called off
		return true
	}
	if r.Alive {
		select {
		case c.alive <- struct{}{}:
		default:
		}
		return true
	}
	if r.Prompt > uint64(p.ready.Length) || //nolint:gosec // checked when it came
		r.Prompt == 0 && r.Token == nil && r.Done == nil && len(r.Vector) == 0 || r.Token != nil && int64(r.Token.ID) >= int64(p.ready.Tokens) {
		return false
	}
	select {
	case c.replies <- r:
		return true
	default: // more than the window
		return false
	}
}

// kill ends the program and all of its group. The first cause is kept.
func (p *process) kill(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cause = cmp.Or(p.cause, cause)
	if p.cmd.Process != nil && !p.gone {
		_ = killGroup(p.cmd.Process.Pid) // it may have ended
	}
}

// wait returns when the model is loaded, or with an error. An end of ctx leaves it loading.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.loaded:
		return nil
	case <-p.ended:
		return p.err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *process) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

// ask sends a frame. One that cannot be sent ends the program.
func (p *process) ask(a wire.Ask) error {
	p.mu.Lock()
	in := p.in
	p.mu.Unlock()
	return p.send(in, a)
}

func (p *process) send(in *os.File, a wire.Ask) error {
	err := in.SetWriteDeadline(time.Now().Add(writeWithin))
	if err == nil {
		err = wire.Write(in, a)
	}
	if err != nil {
		err = fmt.Errorf("%w: llama.cpp's program takes no request: %w", engine.ErrUnavailable, err)
		p.kill(err)
	}
	return err
}

// begin gives a call its number.
func (p *process) begin() (uint64, *call) {
	c := &call{replies: make(chan wire.Reply, wire.Window+2), alive: make(chan struct{}, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	p.calls[p.next] = c
	return p.next, c
}

// end forgets a call.
func (p *process) end(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, id)
}

// crashed is what Go prints first in a program that C code ended.
var crashed = []byte("SIGABRT: abort\n")

// tail keeps the end of what the program prints, or what it printed before it crashed.
type tail struct {
	mu    sync.Mutex // guards the fields below
	kept  []byte
	ended bool // what follows is the state of all its threads
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return len(b), nil
	}
	t.kept = append(t.kept, b...)
	if before, _, found := bytes.Cut(t.kept, crashed); found {
		t.kept, t.ended = before, true
	}
	t.kept = t.kept[max(0, len(t.kept)-mostPrinted):]
	return len(b), nil
}

// String is the beginning of what is kept, on one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.ToValidUTF8(bytes.TrimSpace(t.kept), []byte("?"))
	return string(text[:min(len(text), 300)])
}

// resident returns what the program has in memory, 0 if that is not known.
func (p *process) resident() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd.Process == nil {
		return 0
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	var size, pages uint64
	if _, bad := fmt.Sscan(string(raw), &size, &pages); err != nil || bad != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize()) //nolint:gosec // not negative
}
