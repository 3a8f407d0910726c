package container

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/receipt/artifact"
)

const (
	flushEvery   = 500 * time.Millisecond // what a program prints goes on its way
	beforeEnd    = 10 * time.Second       // of the order, a program ends: its files need time
	drainWithin  = 2 * time.Second        // what was printed last is read
	tidyWithin   = 60 * time.Second
	maxArguments = 1024
	launches     = 3 // of a container that the engine loses
)

// Generate implements [engine.Model]: it runs a job's program and yields what it
// prints, its files and how it ended, a line of [artifact.Line] each. A program
// that fails has an answer all the same; an error is the engine's.
func (m *Model) Generate(ctx context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	if err := check(req); err != nil {
		return engine.Result{}, err
	}
	longest := m.cfg.Longest
	if req.Container.Longest > 0 {
		longest = min(longest, req.Container.Longest)
	}
	if d, ok := ctx.Deadline(); ok {
		longest = min(longest, time.Until(d)-beforeEnd)
	}
	if longest < time.Second {
		return engine.Result{}, fmt.Errorf("%w: no time is left to run it", engine.ErrBadRequest)
	}
	r := &run{m: m, yield: yield, longest: longest, left: m.cfg.Output, volume: "aitbc-job-" + rand.Text()}
	return r.run(ctx, req.Container)
}

func check(req engine.Request) error {
	c := req.Container
	if c == nil || req.Prompt != "" || len(req.Messages) > 0 {
		return fmt.Errorf("%w: a container runs programs: say which in container", engine.ErrBadRequest)
	}
	if len(c.Command) > maxArguments || len(c.Env) > maxArguments || len(c.Files) > artifact.MaxFiles {
		return fmt.Errorf("%w: more than %d arguments, variables or files", engine.ErrBadRequest, maxArguments)
	}
	for _, f := range c.Files {
		if !artifact.GoodPath(f.Path) {
			return fmt.Errorf("%w: a file's path is absolute, leads upwards or cannot be printed", engine.ErrBadRequest)
		}
	}
	return nil
}

// run is one job.
type run struct {
	m       *Model
	yield   func(engine.Token) error
	longest time.Duration
	volume  string
	left    int64 // bytes that the job may still say
	next    uint64
	out     text
	err     text
}

func (r *run) say(l artifact.Line) error {
	t := engine.Token{Index: r.next, Text: l.Encode()}
	r.next++
	return r.yield(t)
}

// run runs a job and takes away what it made at the engine, whatever happens.
func (r *run) run(ctx context.Context, job *engine.Container) (res engine.Result, err error) {
	d := r.m.d
	var made []string
	defer func() {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyWithin)
		defer cancel()
		var left error
		for _, id := range slices.Backward(made) {
			left = errors.Join(left, d.remove(tidy, id))
		}
		if left = errors.Join(left, release(tidy, d, r.volume)); left != nil { // the job is done all the same; the next start removes it
			r.m.cfg.Log.Warn("what a program used stays at the container engine until the miner starts again", "volume", r.volume, "err", left)
		}
	}()
	if err := d.memoryVolume(ctx, r.volume, r.m.cfg.Disk, map[string]string{ownerLabel: r.m.cfg.Owner}); err != nil {
		return r.broken(ctx, err)
	}
	keeper, silent, err := r.launch(ctx, r.m.keeperSpec(r.volume), &made)
	if err != nil {
		return r.broken(ctx, err)
	}
	_ = silent.Close() // it prints nothing
	in, err := input(job.Files)
	if err != nil {
		return r.broken(ctx, err)
	}
	if err := d.put(ctx, keeper, folder, in); err != nil {
		return r.broken(ctx, err)
	}
	id, printed, err := r.launch(ctx, r.m.spec(job, r.volume), &made)
	if err != nil {
		return r.broken(ctx, err)
	}
	began := time.Now()
	if err := r.say(artifact.Line{Start: &artifact.Start{Image: r.m.id}}); err != nil {
		_ = printed.Close() // nobody listens
		return engine.Result{}, err
	}
	last, took, err := r.watch(ctx, id, printed, began)
	// What killing it takes is not its client's.
	res = engine.Result{Ran: max(time.Millisecond, min(took, r.longest)), FinishReason: finish(last.Reason)}
	if err != nil {
		return res, err
	}
	// What is there is read also of one that was called off: it may be delivered.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyWithin)
	defer cancel()
	if last.Files, last.Skipped, err = r.files(after, keeper); err != nil {
		return res, err
	}
	last.Millis = uint64(res.Ran.Milliseconds()) //nolint:gosec // not negative
	return res, r.say(artifact.Line{End: &last})
}

// launch makes and starts a container, and returns what it will print. Its id is
// added to those made. One that the engine loses between the two is made again.
func (r *run) launch(ctx context.Context, s spec, made *[]string) (id string, printed io.ReadCloser, err error) {
	d := r.m.d
	for range launches {
		if id, err = d.create(ctx, s); err != nil {
			return "", nil, err
		}
		*made = append(*made, id)
		if printed, err = d.attach(ctx, id); err != nil {
			return "", nil, err
		}
		if err = d.start(ctx, id); err == nil {
			return id, printed, nil
		}
		_ = printed.Close() // nothing was
		if !stillborn(err) {
			return "", nil, err
		}
		r.m.cfg.Log.Warn("the container engine lost a container before its start", "id", id, "err", err)
	}
	return "", nil, err
}

// stillborn reports whether a container could not be started since it had ended:
// containerd's and runc's words for it. Its program has not run.
func stillborn(err error) bool {
	return refused(err, http.StatusInternalServerError) && strings.Contains(err.Error(), "cannot start a ")
}

// broken says what went wrong before the program ran: a job that was called off
// meanwhile has no answer, and it is not an error.
func (r *run) broken(ctx context.Context, err error) (engine.Result, error) {
	if ctx.Err() != nil {
		return engine.Result{FinishReason: engine.Canceled}, nil
	}
	if refused(err, http.StatusBadRequest) || podmanCannotRun(err) { // the program is not in the image, or cannot be run
		return engine.Result{}, fmt.Errorf("%w: %w", engine.ErrBadRequest, err)
	}
	return engine.Result{}, fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
}

func finish(reason string) engine.FinishReason {
	switch reason {
	case artifact.Exited:
		return engine.Stopped
	case artifact.Canceled:
		return engine.Canceled
	}
	return engine.Length
}

// watch passes on what a program prints until it has ended, or must: then it
// kills it with all that it started.
func (r *run) watch(ctx context.Context, id string, printed io.ReadCloser, began time.Time) (last artifact.End, took time.Duration, err error) {
	d := r.m.d
	outlive, stop := context.WithCancel(context.WithoutCancel(ctx))
	var side sync.WaitGroup
	defer side.Wait()
	defer stop()
	defer func() { _ = printed.Close() }() // it was read
	chunks, ended := make(chan chunk), make(chan error, 1)
	side.Go(func() { demux(outlive, printed, chunks) })
	side.Go(func() { ended <- d.ended(outlive, id) })
	limit := time.NewTimer(time.Until(began.Add(r.longest)))
	defer limit.Stop()
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	last.Reason = artifact.Exited
	failed := make(chan error, 1)
	kill := func(why string) {
		if last.Reason != artifact.Exited {
			return
		}
		last.Reason = why
		time.AfterFunc(tidyWithin, stop)                  // if the engine does not say that it is dead
		side.Go(func() { failed <- d.kill(outlive, id) }) // the engine may wait until what was printed is read
	}
	canceled := ctx.Done()
	var drained <-chan time.Time
	for running := true; running || chunks != nil; {
		select {
		case c, ok := <-chunks:
			if !ok {
				chunks = nil
				continue
			}
			if err = r.print(c); r.left <= 0 {
				kill(artifact.Output)
			}
		case <-flush.C:
			err = r.sayText((*text).take)
		case <-limit.C:
			kill(artifact.Time)
		case <-canceled:
			canceled = nil
			kill(artifact.Canceled)
		case err = <-failed:
			failed = nil
		case err = <-ended:
			took, running, ended = time.Since(began), false, nil
			drained = time.After(drainWithin)
		case <-drained:
			chunks = nil
		}
		if err != nil {
			return last, time.Since(began), err
		}
	}
	if err := r.sayText((*text).rest); err != nil {
		return last, took, err
	}
	state, err := d.inspect(outlive, id)
	last.ExitCode = state.ExitCode
	if state.OOMKilled && last.Reason == artifact.Exited {
		last.Reason = artifact.Memory
	}
	return last, took, err
}

// print takes what a program printed, as far as the job may still say something.
func (r *run) print(c chunk) error {
	if int64(len(c.data)) > r.left {
		c.data = c.data[:max(0, r.left)]
	}
	r.left -= int64(len(c.data))
	t := &r.out
	if c.errors {
		t = &r.err
	}
	t.raw.Write(c.data)
	if t.raw.Len() >= artifact.TextBytes {
		return r.sayText((*text).take)
	}
	return nil
}

// sayText says what was printed since the last time.
func (r *run) sayText(take func(*text) string) error {
	for _, from := range []struct {
		t    *text
		line func(string) artifact.Line
	}{
		{&r.out, func(s string) artifact.Line { return artifact.Line{Out: s} }},
		{&r.err, func(s string) artifact.Line { return artifact.Line{Err: s} }},
	} {
		for rest := take(from.t); rest != ""; {
			piece := clip(rest, artifact.TextBytes)
			rest = rest[len(piece):]
			if err := r.say(from.line(piece)); err != nil {
				return err
			}
		}
	}
	return nil
}

// text gathers bytes and gives them as UTF-8.
type text struct{ raw bytes.Buffer }

// podmanCannotRun says that Podman's runtime found no such program, or none that can be run: its
// words are those of its errors, whatever the runtime's.
func podmanCannotRun(err error) bool {
	if !refused(err, http.StatusConflict) && !refused(err, http.StatusInternalServerError) {
		return false
	}
	return strings.HasSuffix(err.Error(), "OCI runtime attempted to invoke a command that was not found") ||
		strings.Contains(err.Error(), "exec: ") && strings.HasSuffix(err.Error(), "OCI permission denied")
}
