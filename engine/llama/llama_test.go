package llama_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/librarytest"
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
