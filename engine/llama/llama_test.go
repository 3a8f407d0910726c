package llama_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/librarytest"
)

// tiny is the model that is part of the miner.
const tiny = "../exact/model/aitbc-tiny.gguf"

// program builds the real program, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "aitbc-llama-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, llama.Program)
	build := exec.Command("go", "build", "-o", path, "../../cmd/"+llama.Program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		_, _ = os.Stderr.Write(out)
	}
	return path, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// config runs a file with the real program and the real build.
func config(t *testing.T, path string) llama.Config {
	t.Helper()
	engines := librarytest.Engines(t)
	p, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return llama.Config{Path: path, Engines: engines, Backend: "cpu", Program: p, Threads: min(2, runtime.NumCPU())}
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
