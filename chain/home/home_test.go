package home_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
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

func TestTheConsensusKeyProvesWhoseItIs(t *testing.T) {
	h := home.Home(filepath.Join(t.TempDir(), "n"))
	keys, err := h.Create()
	require.NoError(t, err)
	validator, err := keys.Address()
	require.NoError(t, err)
	staking, operator := common.HexToAddress("0xA104"), common.HexToAddress("0x0123")
	p, err := keys.Prove(77, staking, operator)
	require.NoError(t, err)

	// The digest is EIP-712's, computed by go-ethereum from the written types.
	digest, _, err := apitypes.TypedDataAndHash(apitypes.TypedData{
		Types: apitypes.Types{
			"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"}},
			"ValidatorKey": {{Name: "operator", Type: "address"}, {Name: "x", Type: "bytes32"}, {Name: "y", Type: "bytes32"}},
		},
		PrimaryType: "ValidatorKey",
		Domain:      apitypes.TypedDataDomain{Name: "AITBC", Version: "1", ChainId: math.NewHexOrDecimal256(77), VerifyingContract: staking.Hex()},
		Message:     apitypes.TypedDataMessage{"operator": operator.Hex(), "x": p.X.Hex(), "y": p.Y.Hex()},
	})
	require.NoError(t, err)
	require.Equal(t, digest, p.Digest[:])

	require.Len(t, p.Proof, 65)
	sig := append([]byte(nil), p.Proof...)
	sig[64] -= 27
	signer, err := crypto.SigToPub(digest, sig)
	require.NoError(t, err)
	require.Equal(t, validator, crypto.PubkeyToAddress(*signer))
	require.Equal(t, append(append([]byte{4}, p.X[:]...), p.Y[:]...), crypto.FromECDSAPub(signer))

	other, err := keys.Prove(78, staking, operator)
	require.NoError(t, err)
	require.NotEqual(t, p.Digest, other.Digest, "a proof for one chain means nothing on another")
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
