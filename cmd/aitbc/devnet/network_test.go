package devnet_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/internal/home"
)

func TestLoadTellsMissingFromDamaged(t *testing.T) {
	t.Parallel()
	dir := home.Dir(t.TempDir())
	if _, err := devnet.Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an empty home: %v", err)
	}
	if err := os.WriteFile(dir.Path("network.json"), []byte(`{"port_offset": 40, "chain_id": "77", "session": "3"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := devnet.Load(dir)
	if err != nil || n.PortOffset != 40 || n.ChainID != 77 || n.Session != 3 || n.Home != dir {
		t.Fatalf("%+v, %v", n, err)
	}
	if n.APIURL() != "http://127.0.0.1:18040" || n.EthRPCURL() != "http://127.0.0.1:8585" || n.EventsURL() != "ws://127.0.0.1:26698" {
		t.Errorf("%s %s %s", n.APIURL(), n.EthRPCURL(), n.EventsURL())
	}
	if err := os.WriteFile(dir.Path("network.json"), []byte(`{"chain_id": 77}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devnet.Load(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a damaged home: %v", err)
	}
}

func TestFindBinariesPrefersItsNeighbours(t *testing.T) {
	dir, path := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	self := filepath.Join(dir, "aitbc")
	if _, err := devnet.FindBinaries(self); !errors.Is(err, devnet.ErrNoBinary) {
		t.Fatalf("nothing there: %v", err)
	}
	for _, file := range []string{filepath.Join(dir, "aitbcd"), filepath.Join(path, "aitbcd"), filepath.Join(path, "aitbc-miner")} {
		if err := os.WriteFile(file, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b, err := devnet.FindBinaries(self)
	if err != nil || b.Aitbc != self || b.Node != filepath.Join(dir, "aitbcd") || b.Miner != filepath.Join(path, "aitbc-miner") {
		t.Fatalf("%+v, %v", b, err)
	}
	// What cannot be run is no program.
	if err := os.Chmod(filepath.Join(dir, "aitbcd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := devnet.FindBinaries(self); err != nil || b.Node != filepath.Join(path, "aitbcd") {
		t.Fatalf("%+v, %v", b, err)
	}
}
