package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemd itself finds nothing wrong in the unit, once the program is where it says.
func TestServiceUnitIsSound(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../deploy/systemd/aitbc-miner.service")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "/usr/local/bin/aitbc-miner start", self+" start", 1)
	if text == string(raw) {
		t.Fatal("the unit starts something else than /usr/local/bin/aitbc-miner")
	}
	check, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze on this machine")
	}
	unit := filepath.Join(t.TempDir(), "aitbc-miner.service")
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), check, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "aitbc-miner.service:") {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}
