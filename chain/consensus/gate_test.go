package consensus

import (
	"testing"

	cfg "github.com/cometbft/cometbft/config"
	"github.com/stretchr/testify/require"
)

func TestAClosedDatabaseIsEmptyAndNoError(t *testing.T) {
	c := cfg.DefaultConfig()
	c.SetRoot(t.TempDir())
	db, err := openGate(&cfg.DBContext{ID: "blocks", Config: c})
	require.NoError(t, err)
	require.NoError(t, db.SetSync([]byte("k"), []byte("v")))
	v, err := db.Get([]byte("k"))
	require.NoError(t, err)
	require.Equal(t, []byte("v"), v)
	require.NoError(t, db.Close())
	require.NoError(t, db.Close(), "closing twice is harmless")
	v, err = db.Get([]byte("k"))
	require.NoError(t, err)
	require.Empty(t, v)
	ok, err := db.Has([]byte("k"))
	require.NoError(t, err)
	require.False(t, ok)
	require.Error(t, db.Set([]byte("k"), []byte("w")), "writing to it is one")

	again, err := openGate(&cfg.DBContext{ID: "blocks", Config: c})
	require.NoError(t, err)
	v, err = again.Get([]byte("k"))
	require.NoError(t, err)
	require.Equal(t, []byte("v"), v, "and what was written is there")
	require.NoError(t, again.Close())
}
