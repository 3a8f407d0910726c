package network

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// binaryDir is where the variable AITBC_BIN says that the programs are, or
// where they were built once for all tests of this process.
var binaryDir = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("AITBC_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "aitbc-bin-")
	if err != nil {
		return "", err
	}
	for _, b := range []struct{ module, pkg string }{{"", "./cmd/aitbc"}, {"chain", "./cmd/aitbcd"}, {"", "./cmd/aitbc-miner"}, {"", "./cmd/aitbc-miner-gpu"}} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, filepath.Base(b.pkg)), b.pkg) //nolint:gosec // our own sources
		cmd.Dir, cmd.Stderr = filepath.Join(root, b.module), os.Stderr
		if b.pkg == "./cmd/aitbc" {
			cmd.Env = append(os.Environ(), "GOEXPERIMENT=runtimesecret") // as the Makefile does
		}
		if err := cmd.Run(); err != nil {
			return "", err
		}
	}
	return dir, nil
})

// Repository finds the root of the repository above the working directory.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "chain", "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", os.ErrNotExist
		}
		dir = up
	}
}

// Binaries returns the directory with aitbc, aitbcd, aitbc-miner and its child: the one
// that AITBC_BIN names, else they are built first.
func Binaries(t testing.TB) string {
	t.Helper()
	dir, err := binaryDir()
	if err != nil {
		t.Fatalf("build the programs: %v", err)
	}
	return dir
}
