package audit_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

func check(t *testing.T, n *chaintest.Net, height int64) *audit.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := audit.Check(ctx, n.Chain, n.State, height)
	require.NoError(t, err)
	return r
}

func TestEveryCoinIsAccountedForAtEveryHeight(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Holder, 50_000))
	bob := common.HexToAddress("0xb0b")
	first := check(t, n, 0)
	require.Equal(t, "16000000000000000000000", first.Supply.Total)
	require.False(t, first.OK, "the vault owes 7 and holds nothing")
	require.Contains(t, first.Problems[0], "Vault owes 7 and holds 0")

	n.Block(n.Send(0, &chaintest.Vault, 10, nil))
	r := check(t, n, audit.Latest)
	require.True(t, r.OK, r.Problems)
	require.Equal(t, audit.Predeploy{Name: "Vault", Address: chaintest.Vault, Balance: "10", Owed: "7", Surplus: "3"}, r.Predeploys[1])

	doomed := n.Block(n.Send(1, nil, 1_000_000, chaintest.Doomed), n.Send(1, &bob, 5, nil))
	require.Equal(t, uint64(1), doomed.Receipts[0].Status)
	fees := new(big.Int).Mul(doomed.Block.BaseFee(), new(big.Int).SetUint64(doomed.Block.GasUsed()))
	require.Equal(t, fees.Add(fees, big.NewInt(1_000_000)), doomed.Burned, "base fees and the coins that died with their contract")
	r = check(t, n, audit.Latest)
	require.True(t, r.OK, r.Problems)

	for range 20 {
		n.Block(n.Send(2, &bob, 1, nil), n.Send(3, &chaintest.Vault, 2, nil))
	}
	last := check(t, n, audit.Latest)
	require.True(t, last.OK, last.Problems)
	require.Equal(t, last.Supply.Expected, last.Supply.Total)

	n.Reopen()
	require.Equal(t, last, check(t, n, audit.Latest), "a stopped and reopened chain gives the same report")
	// The states of old blocks are history by now: the sums are what they were.
	require.Equal(t, r, check(t, n, 2))
	require.Equal(t, first, check(t, n, 0))
}

func TestHeightsThatDoNotExistAreRefused(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Holder, 50_000))
	for _, h := range []int64{1, -2, 1 << 40} {
		_, err := audit.Check(context.Background(), n.Chain, n.State, h)
		require.ErrorIs(t, err, audit.ErrHeight)
	}
}

func TestAContractThatDoesNotAnswerIsAProblem(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Reverter, 50_000))
	n.Block(n.Send(0, &chaintest.Vault, 10, nil))
	r := check(t, n, audit.Latest)
	require.False(t, r.OK)
	require.Contains(t, r.Problems[0], "Ender does not say what it owes")
}
