package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExportWritesTheStateOfAStoppedNode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "n")
	code, _, stderr := run(nil, "init", "--home", dir, "--alloc", allocFile(t))
	require.Zero(t, code, stderr)
	code, out, stderr := run(nil, "export", "--home", dir)
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, " base units, as expected")
	var state struct {
		State   []struct{ Address string }
		Summary struct{ Total, Expected string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &state))
	require.NotEmpty(t, state.State)
	require.Equal(t, state.Summary.Expected, state.Summary.Total)

	file := filepath.Join(t.TempDir(), "state.json")
	code, stdout, stderr := run(nil, "export", "--home", dir, "--height", "0", "--output", file)
	require.Zero(t, code, stderr)
	require.Empty(t, stdout)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, out, string(raw))
	code, _, stderr = run(nil, "export", "--home", dir, "--output", file)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "file exists", "nothing is written over")
	code, _, stderr = run(nil, "export", "--home", dir, "--height", "9")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "no state of that height")
}
