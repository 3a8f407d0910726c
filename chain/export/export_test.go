package export_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/export"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// state is what a reader of the file sees.
type state struct {
	Format string
	Height uint64
	Hash   common.Hash
	State  []struct {
		Hash    common.Hash
		Address *common.Address
		Nonce   uint64
		Balance string
		Code    string
		Storage map[common.Hash]common.Hash
	}
	Summary export.Summary
}

func TestAnExportHoldsEveryAccountAndItsSums(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000))
	bob := common.HexToAddress("0xb0b")
	first := n.Block(n.Send(0, &bob, 41, nil))
	n.Block(n.Send(0, &bob, 1, nil), n.Send(1, &bob, 100, nil))

	for height, want := range map[uint64]string{1: "41", 2: "142"} {
		var out bytes.Buffer
		s, err := export.State(&out, n.Chain, n.State, height)
		require.NoError(t, err)
		require.Equal(t, s.Expected, s.Total)
		require.NotEqual(t, "0", s.Burned)

		var got state
		require.NoError(t, json.Unmarshal(out.Bytes(), &got), "the whole is one JSON value")
		require.Equal(t, export.Format, got.Format)
		require.Equal(t, height, got.Height)
		if height == 1 {
			require.Equal(t, first.Block.Hash(), got.Hash)
		}
		require.Equal(t, *s, got.Summary)
		require.Len(t, got.State, int(s.Accounts))
		total, contracts, slots := new(big.Int), 0, 0
		for _, a := range got.State {
			b, ok := new(big.Int).SetString(a.Balance, 10)
			require.True(t, ok)
			total.Add(total, b)
			if a.Code != "" {
				contracts++
			}
			slots += len(a.Storage)
			if a.Address != nil {
				require.Equal(t, crypto.Keccak256Hash(a.Address[:]), a.Hash)
				if *a.Address == bob {
					require.Equal(t, want, a.Balance)
				}
			}
		}
		require.Equal(t, s.Total, total.String())
		require.Equal(t, int(s.Contracts), contracts)
		require.Equal(t, int(s.Slots), slots)
		require.Positive(t, contracts)
		require.Positive(t, slots)
	}
	_, err := export.State(new(bytes.Buffer), n.Chain, n.State, 3)
	require.ErrorIs(t, err, export.ErrHeight)
}
