package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/gpu/nvml"
)

// library compiles a management library with an H100 that takes 200 to 700 W.
func library(t *testing.T, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "libfake.so")
	flags = append(flags, "-shared", "-fPIC", "-o", out, filepath.Join("..", "..", "miner", "gpu", "nvml", "testdata", "fake.c"))
	if words, err := exec.CommandContext(t.Context(), "gcc", flags...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, words)
	}
	return out
}

func TestTheChildSetsPowerLimits(t *testing.T) {
	t.Parallel()
	willing, unwilling := library(t), library(t, "-DDENIED")
	for _, c := range []struct {
		args   []string
		denied bool
		want   string // in the error; "" for none
	}{
		{args: []string{"0", "300000", willing}},
		{args: []string{"0", "900000", willing}, want: "takes a power limit of 200000 to 700000 mW, not of 900000"},
		{args: []string{"0", "300000", unwilling}, denied: true, want: "only root may"},
		{args: []string{"first", "300000", willing}, want: `"first" is no number of a device`},
		{args: []string{"0", "-1", willing}, want: `"-1" is no number of milliwatts`},
		{args: []string{"0"}, want: "usage: aitbc-miner-gpu power-limit"},
	} {
		var out strings.Builder
		if status := powerLimit(c.args, &out); status != 0 {
			t.Errorf("%v: exit status %d", c.args, status)
		}
		var r gpu.Report
		if err := json.Unmarshal([]byte(out.String()), &r); err != nil || r.Denied != c.denied || !strings.Contains(r.Error, c.want) || (r.Error == "") != (c.want == "") {
			t.Errorf("%v: %v, %+v", c.args, err, r)
		}
	}
	if list, err := nvml.Devices(willing); err != nil || *list[0].PowerLimitSet != 300_000 {
		t.Errorf("%v, %+v", err, list)
	}
}
