package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// freePorts has a home's node take ports that are free.
func freePorts(t *testing.T, dir string) {
	t.Helper()
	toml := filepath.Join(dir, "aitbcd.toml")
	raw, err := os.ReadFile(toml)
	require.NoError(t, err)
	for _, port := range []string{"26656", "26657", "26658", "26660", "8545", "8546"} {
		raw = bytes.ReplaceAll(raw, []byte("127.0.0.1:"+port+`"`), []byte(`127.0.0.1:0"`))
	}
	require.NoError(t, os.WriteFile(toml, raw, 0o600))
}

func TestStatusTellsHowANodeIs(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	dir := filepath.Join(t.TempDir(), "n")
	code, _, stderr := run(nil, "init", "--home", dir, "--alloc", allocFile(t), "--chain-id", chaintest.ChainID.String())
	require.Zero(t, code, stderr)
	freePorts(t, dir)
	c := launch(t, dir)
	var h struct {
		Height     uint64
		Hash       string
		AppHash    string `json:"app_hash"`
		CatchingUp bool   `json:"catching_up"`
		Power      int64  `json:"voting_power"`
		Validates  bool   `json:"is_validator"`
		Peers      []struct{}
		Comet      string `json:"cometbft_version"`
	}
	require.Eventually(t, func() bool {
		code, out, stderr := run(nil, "status", "--node", c.doors.RPC, "--json")
		require.Zero(t, code, stderr)
		require.NoError(t, json.Unmarshal([]byte(out), &h))
		return h.Height > 1
	}, 2*time.Minute, 100*time.Millisecond)
	require.Equal(t, h.Hash, h.AppHash)
	require.False(t, h.CatchingUp)
	require.True(t, h.Validates)
	require.Positive(t, h.Power)
	require.NotEmpty(t, h.Comet)
	require.Empty(t, h.Peers)
	code, out, stderr := run(nil, "status", "--node", c.doors.RPC)
	require.Zero(t, code, stderr)
	require.Contains(t, out, "yes, with power ")
	require.Contains(t, c.log.String(), "memory limit")
	code, _, stderr = run(nil, "export", "--home", dir)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "hint: stop the node first")
}
