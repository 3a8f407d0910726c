// Package child is the program that runs llama.cpp for a miner: it loads one model and
// answers requests over its standard input and output.
//
// It is started as "aitbc-miner-gpu llama START", START being a [wire.Start] as JSON, with
// the model's file open as descriptor 3. It enters the sandbox before it opens a library,
// and it ends with its standard input.
package child

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/llama/native"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// sealed is what the program is called with by itself, within the sandbox.
const sealed = wire.Word + "-sealed"

// modelFile is how the program opens the file that it was given, as a file of its own.
const modelFile = "/proc/self/fd/3"

// mostPooling is the last of llama.cpp's ways to make one vector of those of a text's tokens.
const mostPooling = 3

// batchTokens is how many tokens are read at a time.
const batchTokens = 256

// parse reads the argument.
func parse(arg string) (s wire.Start, b library.Build, err error) {
	if err := json.Unmarshal([]byte(arg), &s); err != nil {
		return s, b, fmt.Errorf("read the argument: %w", err)
	}
	if s.Length < 1 || s.Slots < 1 || s.Slots > 256 || s.Length > 1<<30/s.Slots {
		return s, b, fmt.Errorf("length %d and slots %d: want at least 1, and less than 2^30 tokens together", s.Length, s.Slots)
	}
	b, err = library.Find(s.Backend)
	return s, b, err
}

// writer sends frames; it may be used by several goroutines.
type writer struct {
	mu  sync.Mutex // guards the stream, so that frames stay whole
	out io.Writer
}

func (w *writer) send(r wire.Reply) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return wire.Write(w.out, r)
}

// serve loads the model and answers what comes in until that ends. An error was told to the
// miner too, where that is possible.
func serve(s wire.Start, b library.Build, in io.Reader, out io.Writer) error {
	w := &writer{out: out}
	e, err := load(s, b)
	if err != nil {
		return errors.Join(err, w.send(wire.Reply{Failed: err.Error()}))
	}
	e.out = w
	if err := w.send(wire.Reply{Ready: &wire.Ready{Tokens: e.model.Tokens(), Length: e.context.Length(), GPUs: e.gpus}}); err != nil {
		return err
	}
	// Whoever waits for this goroutine is the end of the process, which is the end of serve:
	// a call of llama.cpp cannot be interrupted.
	failed := make(chan error, 1)
	var g sync.WaitGroup
	g.Go(func() { failed <- e.run() })
	asks := make(chan error, 1)
	g.Go(func() { asks <- e.listen(in) })
	select {
	case err := <-failed:
		return errors.Join(err, w.send(wire.Reply{Failed: err.Error()}))
	case err := <-asks:
		return err
	}
}

// load opens the library and the model.
func load(s wire.Start, b library.Build) (*engineOf, error) {
	if err := b.Check(s.Folder); err != nil {
		return nil, err
	}
	lib, err := native.Open(b, s.Folder)
	if err != nil {
		return nil, err
	}
	gpus := lib.GPUs()
	if len(gpus) == 0 && s.GPULayers != 0 {
		return nil, fmt.Errorf("llama.cpp for %s finds no GPU: it needs %s", b.Backend, b.Needs)
	}
	if s.Pooling > mostPooling {
		return nil, fmt.Errorf("the model's file names pooling %d: it orders texts, and makes no vectors", s.Pooling)
	}
	m, err := lib.Load(native.ModelConfig{Path: modelFile, GPULayers: s.GPULayers})
	if err != nil {
		return nil, err
	}
	batch := max(batchTokens, s.Slots)
	if s.Pooling > 0 {
		batch = max(batch, s.Length)
	}
	c, err := m.Context(native.ContextConfig{Length: s.Length, Sequences: s.Slots, Batch: batch, Threads: s.Threads, Pooling: max(s.Pooling, 0)})
	if err != nil {
		return nil, err
	}
	e := newEngine(m, c, gpus, s.Slots)
	e.pooled = s.Pooling > 0
	return e, nil
}

// listen takes what the miner asks until it asks no more.
func (e *engineOf) listen(in io.Reader) error {
	r := bufio.NewReader(in)
	for {
		var ask wire.Ask
		if err := wire.Read(r, wire.MostAsk, &ask); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if ask.Begin == nil && ask.Embed == "" {
			e.post(note{ask: ask})
			continue
		}
		// Text becomes tokens here, so that a long one keeps no other request waiting.
		var prompt []int32
		var err error
		if ask.Begin != nil {
			prompt, err = e.tokens(ask.Begin)
		} else {
			prompt, err = e.whole(ask.Embed)
		}
		e.post(note{ask: ask, prompt: prompt, err: err})
	}
}
