package devnet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNoBinary reports a program of the network that is not installed.
var ErrNoBinary = errors.New("is neither beside aitbc nor on the PATH")

// Binaries are the paths of the programs of a network.
type Binaries struct{ Aitbc, Node, Miner string }

// FindBinaries looks for the programs beside the running binary, then on the
// PATH. It returns [ErrNoBinary], wrapped, for one that is missing.
func FindBinaries(self string) (Binaries, error) {
	b := Binaries{Aitbc: self}
	for _, p := range []struct {
		name string
		path *string
	}{{"aitbcd", &b.Node}, {"aitbc-miner", &b.Miner}} {
		beside := filepath.Join(filepath.Dir(self), p.name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			*p.path = beside
			continue
		}
		found, err := exec.LookPath(p.name)
		if err != nil {
			return b, fmt.Errorf("%s %w", p.name, ErrNoBinary)
		}
		*p.path = found
	}
	return b, nil
}
