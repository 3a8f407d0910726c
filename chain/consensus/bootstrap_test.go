package consensus

import (
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/secp256k1eth"
	sm "github.com/cometbft/cometbft/state"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"
)

// restored is a state as state sync brings it.
func restored(t *testing.T) sm.State {
	t.Helper()
	doc := &cmttypes.GenesisDoc{ChainID: "c", GenesisTime: time.Unix(1, 0), Validators: []cmttypes.GenesisValidator{
		{PubKey: secp256k1eth.GenPrivKey().PubKey(), Power: 1},
	}}
	doc.ConsensusParams = cmttypes.DefaultConsensusParams()
	doc.ConsensusParams.Validator.PubKeyTypes = []string{secp256k1eth.KeyType}
	require.NoError(t, doc.ValidateAndComplete())
	s, err := sm.MakeGenesisState(doc)
	require.NoError(t, err)
	s.LastBlockHeight, s.LastValidators = 7, s.Validators
	return s
}

func TestConsensusGoesOnAfterTheRestoredHeightOrBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	h, err := Resume(dir)
	require.NoError(t, err)
	require.Zero(t, h, "there is nothing")

	// Killed between the two writes of state sync: what is there leads nowhere.
	s, err := openStores(dir)
	require.NoError(t, err)
	require.NoError(t, s.states.Bootstrap(restored(t)))
	require.NoError(t, s.close())
	h, err = Resume(dir)
	require.NoError(t, err)
	require.Zero(t, h)

	hash := make([]byte, 32)
	known := Trusted{state: restored(t), commit: &cmttypes.Commit{
		Height: 7, BlockID: cmttypes.BlockID{Hash: hash, PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: hash}},
		Signatures: []cmttypes.CommitSig{cmttypes.NewCommitSigAbsent()},
	}}
	require.NoError(t, Bootstrap(dir, known))
	for range 2 {
		h, err = Resume(dir)
		require.NoError(t, err)
		require.Equal(t, int64(7), h)
	}
	s, err = openStores(dir)
	require.NoError(t, err)
	at, err := s.states.GetOfflineStateSyncHeight()
	require.NoError(t, err)
	require.Equal(t, int64(7), at)
	require.NoError(t, s.close())
	require.ErrorIs(t, Bootstrap(dir, known), ErrNotEmpty)
}
