package llama_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/librarytest"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// tiny is the model that is part of the miner.
const tiny = "../exact/model/aitbc-tiny.gguf"

// folder is where the program is built, empty before.
var folder string

// program builds the real program, once.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, llama.Program)
	build := exec.Command("go", "build", "-o", path, "../../cmd/"+llama.Program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "aitbc-llama-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// device is the build that the tests run, and what the class of a model says of it.
func device() (backend, gpu string) {
	if b := os.Getenv("AITBC_LLAMA_BACKEND"); b != "" {
		return b, b
	}
	return "cpu", "none"
}

// config runs a file with the real program and the real build: that for processors or, where
// AITBC_LLAMA_BACKEND names one, another, which lies below AITBC_LLAMA_ENGINES. AITBC_LLAMA_PROGRAM
// is a program that was built before, and AITBC_LLAMA_WITHOUT_LANDLOCK says that the kernel has none.
func config(t *testing.T, path string) llama.Config {
	t.Helper()
	if backend, gpu := device(); gpu != "none" {
		return llama.Config{
			Path: path, Engines: os.Getenv("AITBC_LLAMA_ENGINES"), Backend: backend, Program: os.Getenv("AITBC_LLAMA_PROGRAM"),
			LibraryPath: os.Getenv("LD_LIBRARY_PATH"), Threads: 1, OpenFiles: os.Getenv("AITBC_LLAMA_WITHOUT_LANDLOCK") != "",
		}
	}
	engines := librarytest.Engines(t)
	p, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return llama.Config{Path: path, Engines: engines, Backend: "cpu", Program: p, Threads: 1}
}

// written is the path of a file of what a writer has.
func written(t *testing.T, w *gguf.Writer) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs the program by itself, with the build for processors and the embedded model.
func start(t *testing.T, slots, length int) (run *exec.Cmd, in io.WriteCloser, out io.Reader) {
	t.Helper()
	cfg := config(t, tiny)
	arg, err := json.Marshal(wire.Start{Backend: "cpu", Folder: librarytest.CPU(t), Length: length, Slots: slots, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // the program has its own
	run = exec.CommandContext(t.Context(), cfg.Program, wire.Word, string(arg))
	run.ExtraFiles = []*os.File{f}
	if in, err = run.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if out, err = run.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	return run, in, out
}

func open(t *testing.T, cfg llama.Config) *llama.Model {
	t.Helper()
	m, err := llama.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func TestConformance(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, open(t, config(t, tiny)))
}
