package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemd itself finds nothing wrong in the units, once the programs are where they say.
func TestServiceUnitsAreSound(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for unit, starts := range map[string]string{
		"aitbc-node": "/usr/local/bin/aitbcd start", "aitbc-coordinator": "/usr/local/bin/aitbc coordinator",
		"aitbc-wallet": "/usr/local/bin/aitbc wallet", "aitbc-explorer": "/usr/local/bin/aitbc explorer",
		"aitbc-marketplace": "/usr/local/bin/aitbc marketplace",
	} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile("../../deploy/systemd/" + unit + ".service")
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(raw), "ExecStart="+starts+"\n", "ExecStart="+self+"\n", 1)
			if text == string(raw) {
				t.Fatalf("the unit does not start %s", starts)
			}
			check, err := exec.LookPath("systemd-analyze")
			if err != nil {
				t.Skip("there is no systemd-analyze on this machine")
			}
			file := filepath.Join(t.TempDir(), unit+".service")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), check, "verify", "--man=no", file).CombinedOutput()
			if err != nil || strings.Contains(string(out), unit+".service:") {
				t.Errorf("systemd-analyze: %v\n%s", err, out)
			}
		})
	}
}
