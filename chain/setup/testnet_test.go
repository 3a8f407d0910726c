package setup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aitbc/aitbc/contracts"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/setup"
)

func members(t *testing.T, n int) []setup.Member {
	t.Helper()
	dir := t.TempDir()
	out := make([]setup.Member, n)
	for i := range out {
		c := config.Default()
		require.NoError(t, c.Shift(10*i))
		out[i] = setup.Member{Home: home.Home(filepath.Join(dir, string(rune('a'+i)))), Config: c}
	}
	return out
}

func TestMembersOfATestnetShareOneGenesis(t *testing.T) {
	all := members(t, 4)
	results, err := setup.Testnet(setup.Options{ChainID: chaintest.ChainID, Time: chaintest.Begin, Config: config.Default()}, all)
	require.NoError(t, err)
	var first []byte
	for i, m := range all {
		raw, err := os.ReadFile(m.Home.Genesis())
		require.NoError(t, err)
		if i == 0 {
			first = raw
		}
		require.Equal(t, first, raw)
		keys, err := m.Home.Open()
		require.NoError(t, err)
		address, err := keys.Address()
		require.NoError(t, err)
		require.Equal(t, results[i].Validator, address)
	}
	doc, _, err := genesis.Read(first)
	require.NoError(t, err)
	require.Len(t, doc.Validators, 4)
	require.Equal(t, contracts.TimelockAddress, results[3].Governor, "without parameters votes govern")
}

func TestAFailedTestnetLeavesNothing(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, all []setup.Member){
		"a home that is there": func(t *testing.T, all []setup.Member) {
			t.Helper()
			_, err := all[2].Home.Create()
			require.NoError(t, err)
		},
		"peers that nobody finds": func(_ *testing.T, all []setup.Member) { all[1].Config.Listen.P2P = "127.0.0.1:0" },
		"a bad configuration":     func(_ *testing.T, all []setup.Member) { all[2].Config.BlockTime = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			all := members(t, 3)
			spoil(t, all)
			_, err := setup.Testnet(setup.Options{ChainID: chaintest.ChainID, Time: chaintest.Begin, Config: config.Default()}, all)
			require.Error(t, err)
			for _, m := range all[:2] {
				_, err := os.Stat(m.Home.ConsensusKey())
				require.ErrorIs(t, err, os.ErrNotExist)
			}
		})
	}
	_, err := setup.Testnet(setup.Options{Time: chaintest.Begin, Config: config.Default()}, nil)
	require.Error(t, err)
}
