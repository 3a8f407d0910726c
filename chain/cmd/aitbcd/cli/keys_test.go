package cli_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysShowAndProveTheConsensusKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "n")
	code, out, stderr := run(nil, "init", "--home", dir, "--json")
	require.Zero(t, code, stderr)
	var made struct{ Validator, NodeID string }
	require.NoError(t, json.Unmarshal([]byte(out), &made))

	code, out, stderr = run(nil, "keys", "show", "--home", dir, "--json")
	require.Zero(t, code, stderr)
	var shown struct {
		Validator, X, Y, Peer string
		NodeID                string `json:"node_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &shown))
	require.Equal(t, made.Validator, shown.Validator)
	require.Equal(t, shown.NodeID+"@127.0.0.1:26656", shown.Peer)

	code, out, _ = run(nil, "keys", "validator", "--home", dir)
	require.Zero(t, code)
	require.Contains(t, out, shown.X)
	require.NotContains(t, out, shown.NodeID)

	const operator = "0x00000000000000000000000000000000000000AA"
	code, out, stderr = run(nil, "keys", "prove", "--home", dir, "--operator", operator, "--json")
	require.Zero(t, code, stderr)
	var proof struct{ Operator, X, Y, Digest, Proof string }
	require.NoError(t, json.Unmarshal([]byte(out), &proof))
	require.Equal(t, shown.X, proof.X)
	require.Equal(t, shown.Y, proof.Y)
	require.Len(t, proof.Proof, 2+130)
	code, _, stderr = run(nil, "keys", "prove", "--home", dir, "--operator", operator, "--digest", proof.Digest)
	require.Zero(t, code, stderr)

	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no word":        {[]string{"keys"}, 2, "show, validator, prove"},
		"unknown word":   {[]string{"keys", "burn"}, 2, `has no "burn"`},
		"no operator":    {[]string{"keys", "prove", "--home", dir}, 2, "--operator"},
		"another digest": {[]string{"keys", "prove", "--home", dir, "--operator", operator, "--digest", "0x01"}, 1, "another chain, operator or key"},
		"no home":        {[]string{"keys", "show", "--home", t.TempDir()}, 1, "hint: aitbcd init"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, stderr := run(nil, c.args...)
			require.Equal(t, c.code, code, stderr)
			require.Contains(t, stderr, c.want)
			require.Empty(t, out)
		})
	}
	code, _, stderr = run(nil, "keys", "--help")
	require.Zero(t, code)
	require.Contains(t, stderr, "createValidator")
}
