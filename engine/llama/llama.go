// Package llama runs models from GGUF files with llama.cpp, in a program of its own that
// can reach nothing but the model's file, llama.cpp's libraries and the GPU.
//
// The program is aitbc-miner-gpu (package child); this package starts it, speaks with it
// and ends it. What it says is not trusted: a file that takes over the program can make
// wrong answers, and nothing else.
package llama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/chat"
	"github.com/aitbc/aitbc/engine/internal/weights"
	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// Program is the name of the program, which lies beside the miner.
const Program = "aitbc-miner-gpu"

// What holds where the configuration does not say otherwise.
const (
	usualLength = 8192
	usualText   = 2048 // of models for embeddings, which read a text at once
	usualLoad   = 10 * time.Minute
	usualSilent = 2 * time.Minute
)

// Config says how to run a model.
type Config struct {
	// Name is what clients call the model; empty means the name of the file.
	Name string
	// Path is the model's file.
	Path string
	// Engines is the folder of engines, and Backend a build in it; empty means the first that is
	// installed there, in the order of [library.Builds].
	Engines, Backend string
	// LibraryPath is where the machine's libraries lie beside the usual folders, as in LD_LIBRARY_PATH.
	LibraryPath string
	// Program is the path of aitbc-miner-gpu; empty means the one beside this program.
	Program string
	// Length is how many tokens prompt and answer may have together; 0 means what the model was
	// trained on, but at most 8192, or 2048 of a model for embeddings. Every slot takes the memory for that many.
	Length int
	// Slots is how many requests run at a time; 0 means one.
	Slots int
	// Threads are those of the processor, 0 for as many as this process has.
	Threads int
	// GPULayers is how many layers lie on GPUs; nil means all. A build for processors has none there.
	GPULayers *int
	// GPUs are the devices to use, as the driver counts them; nil means all.
	GPUs []int
	// Memory bounds the program's address space in bytes, 0 for no bound: it has to hold the
	// file, the contexts and 1 GiB for the program itself. It does not go with GPUs, whose
	// drivers reserve more addresses than they use.
	Memory uint64
	// OpenFiles runs the program where the kernel has no Landlock: it can then read what the
	// miner can.
	OpenFiles bool
	// LoadWithin bounds how long loading may take, and SilentFor how long the program may say
	// nothing while it works; 0 means 10 and 2 minutes.
	LoadWithin, SilentFor time.Duration
	// Log is told when the program is started and ends; nil for nobody.
	Log *slog.Logger
}

// Model is a model in a program of its own. It implements [engine.Model].
type Model struct {
	cfg    Config
	build  library.Build
	info   engine.Info
	format *chat.Format
	drop   bool // the space at the beginning of answers
	slots  chan struct{}
	start  wire.Start
	all    sync.WaitGroup // of the goroutines that watch programs

	mu       sync.Mutex // guards the fields below
	file     *os.File   // of the weights that info.Digest names
	stamp    stamp      // of file
	other    stamp      // of a file that was another one
	running  *process   // nil for none
	failures int        // of programs that answered nothing, one after another
	after    time.Time  // no program is started before
	last     error      // why the last one ended
	closed   bool
}

var _ engine.Model = (*Model)(nil)

// Open reads the file, starts the program and waits until it has loaded the model. Errors
// of the file wrap those of package gguf, those of the build library.ErrMissing, and those of
// the program [engine.ErrUnavailable].
func Open(ctx context.Context, cfg Config) (*Model, error) {
	m := &Model{cfg: cfg}
	if err := m.configure(); err != nil {
		return nil, err
	}
	f, err := os.Open(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	w, at, err := readSteady(f)
	if err != nil {
		_ = f.Close() // it was only read
		return nil, fmt.Errorf("model %s: %w", cfg.Path, err)
	}
	m.file, m.stamp = f, at
	m.describe(w)
	p, err := m.program(ctx)
	if err == nil {
		err = p.wait(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("model %s: %w", cfg.Path, err), m.Close())
	}
	gpu := "none"
	if len(p.ready.GPUs) > 0 && m.start.GPULayers != 0 {
		gpu = m.build.Backend
	}
	m.info.Class = "llama.cpp/" + library.Version + ";arch=" + w.Arch + ";quant=" + w.Quant + ";gpu=" + gpu + ";det=none"
	m.info.ContextLength = uint64(p.ready.Length) //nolint:gosec // checked
	return m, nil
}

// configure checks the configuration and fills in what is left out.
func (m *Model) configure() error {
	c := &m.cfg
	c.LoadWithin, c.SilentFor = cmp.Or(c.LoadWithin, usualLoad), cmp.Or(c.SilentFor, usualSilent)
	c.Slots, c.Threads = cmp.Or(c.Slots, 1), cmp.Or(c.Threads, runtime.GOMAXPROCS(0))
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	c.Name = cmp.Or(c.Name, strings.TrimSuffix(filepath.Base(c.Path), ".gguf"))
	var err error
	if c.Backend == "" {
		installed := library.Installed(c.Engines)
		if len(installed) == 0 {
			return fmt.Errorf("llama.cpp: %w below %s", library.ErrMissing, c.Engines)
		}
		m.build = installed[0]
	} else if m.build, err = library.Find(c.Backend); err != nil {
		return err
	}
	folder, err := filepath.Abs(m.build.Folder(c.Engines))
	if err != nil {
		return fmt.Errorf("llama.cpp: %w", err)
	}
	if _, err := os.Stat(folder); err != nil {
		return fmt.Errorf("llama.cpp for %s: %w in %s", m.build.Backend, library.ErrMissing, folder)
	}
	if c.Memory > 0 && m.build.Backend != "cpu" {
		return fmt.Errorf("a bound on memory does not go with llama.cpp for %s, only with the one for cpu", m.build.Backend)
	}
	if c.Program == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find %s: %w", Program, err)
		}
		c.Program = filepath.Join(filepath.Dir(self), Program)
	}
	if info, err := os.Stat(c.Program); err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("there is no program %s, which runs llama.cpp: put it beside aitbc-miner", c.Program)
	}
	m.slots = make(chan struct{}, c.Slots)
	layers := int32(-1)
	if c.GPULayers != nil {
		layers = int32(*c.GPULayers) //nolint:gosec // the settings bound it
	}
	if m.build.Backend == "cpu" {
		layers = 0
	}
	m.start = wire.Start{
		Backend: m.build.Backend, Folder: folder, Slots: c.Slots, Threads: c.Threads, GPULayers: layers, Memory: c.Memory, OpenFiles: c.OpenFiles,
	}
	return nil
}

// describe takes what the file says.
func (m *Model) describe(w weights.File) {
	m.format, m.drop = chat.Of(w.Template), w.Unspaced
	m.start.Length, m.start.Pooling = m.cfg.Length, w.Pooling
	usual := usualLength
	if w.Pooling > 0 {
		usual = usualText
	}
	if trained := int(min(w.Context, 1<<24)); m.start.Length == 0 {
		m.start.Length = cmp.Or(min(trained, usual), usual)
	} else if trained > 0 {
		m.start.Length = min(m.start.Length, trained)
	}
	m.info = engine.Info{Name: m.cfg.Name, Digest: w.Digest, TokenIDs: true, Parameters: w.Parameters}
}

// Memory returns what the program has in memory, 0 if it does not run or the system does not
// say. What lies on GPUs is not in it.
func (m *Model) Memory(context.Context) uint64 {
	m.mu.Lock()
	p := m.running
	m.mu.Unlock()
	if p == nil {
		return 0
	}
	return p.resident()
}

// Info describes the model.
func (m *Model) Info() engine.Info { return m.info }

// Close ends the program.
func (m *Model) Close() error {
	m.mu.Lock()
	m.closed = true
	p, f := m.running, m.file
	m.mu.Unlock()
	if p != nil {
		p.kill(errClosed)
	}
	m.all.Wait()
	if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close model: %w", err)
	}
	return nil
}

var errClosed = fmt.Errorf("%w: the model was closed", engine.ErrUnavailable)
