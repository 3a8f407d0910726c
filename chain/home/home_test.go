package home_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/home"
)

func TestCreatedHomeOpensWithTheSameKeys(t *testing.T) {
	h := home.Home(filepath.Join(t.TempDir(), "n"))
	made, err := h.Create()
	require.NoError(t, err)
	want, err := made.Address()
	require.NoError(t, err)
	opened, err := h.Open()
	require.NoError(t, err)
	got, err := opened.Address()
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, made.Node.ID(), opened.Node.ID())
	for _, path := range []string{h.ConsensusKey(), h.NodeKey(), h.SignState()} {
		st, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), st.Mode().Perm(), path)
	}
	_, err = h.Create()
	require.ErrorIs(t, err, home.ErrExists, "a home is never made over another")
}

func TestDamagedOrExposedKeysAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, home.Home)
		want  string
	}{
		"key readable by others": {func(t *testing.T, h home.Home) { require.NoError(t, os.Chmod(h.ConsensusKey(), 0o644)) }, "chmod 600"},
		"key cut short":          {func(t *testing.T, h home.Home) { require.NoError(t, os.Truncate(h.ConsensusKey(), 40)) }, "damaged"},
		"no key":                 {func(t *testing.T, h home.Home) { require.NoError(t, os.Remove(h.NodeKey())) }, "open home"},
		"no sign state":          {func(t *testing.T, h home.Home) { require.NoError(t, os.Remove(h.SignState())) }, "record of what was signed"},
		"sign state cut short":   {func(t *testing.T, h home.Home) { require.NoError(t, os.Truncate(h.SignState(), 3)) }, "damaged"},
		"ed25519 key": {func(t *testing.T, h home.Home) {
			require.NoError(t, os.WriteFile(h.ConsensusKey(), []byte(`{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"`+
				`AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}`), 0o600))
		}, "no secp256k1eth key"},
	} {
		t.Run(name, func(t *testing.T) {
			h := home.Home(filepath.Join(t.TempDir(), "n"))
			_, err := h.Create()
			require.NoError(t, err)
			c.spoil(t, h)
			_, err = h.Open()
			require.ErrorContains(t, err, c.want)
		})
	}
}
