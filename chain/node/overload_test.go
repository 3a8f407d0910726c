package node_test

import (
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/intake"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/rpc"
)

// TestWhatAnOverloadedNodeTakesIsCommitted offers far more at once than finds room. What is refused is refused plainly
// and can be sent again; what is taken is in a block; and in the end everything is there, once.
func TestWhatAnOverloadedNodeTakesIsCommitted(t *testing.T) {
	const each = 30
	n := create(t)
	n.start(t)
	sign := func(account int, nonce uint64) *types.Transaction {
		tx, err := types.SignNewTx(chaintest.Key(account), types.LatestSignerForChainID(chaintest.ChainID), &types.DynamicFeeTx{
			ChainID: chaintest.ChainID, Nonce: nonce, Gas: intake.Room / 20, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(1), To: &bob, Value: big.NewInt(1),
		})
		require.NoError(t, err)
		return tx
	}
	var next [chaintest.Accounts]uint64
	var last [chaintest.Accounts]common.Hash
	refused := 0
	done := func() bool {
		for account := range next {
			for next[account] < each {
				tx := sign(account, next[account])
				status := n.get(t, "/broadcast_tx?tx="+encode(t, tx), nil)
				if status == http.StatusServiceUnavailable {
					refused++
					break // it is this account's turn again when the others had theirs
				}
				require.Equal(t, http.StatusOK, status)
				next[account]++
				last[account] = tx.Hash()
			}
		}
		for _, sent := range next {
			if sent < each {
				return false
			}
		}
		return true
	}
	require.Eventually(t, done, time.Minute, 5*time.Millisecond)
	require.NotZero(t, refused, "so much finds no room at once")
	for _, hash := range last {
		n.included(t, hash)
	}
	var balance rpc.Balance
	n.get(t, "/get_balance?address="+bob.Hex(), &balance)
	require.Equal(t, big.NewInt(each*chaintest.Accounts).String(), balance.Balance)
	require.Eventually(t, func() bool { // nothing is left over, as soon as the pool has seen the last block
		var info rpc.Info
		n.get(t, "/chain_info", &info)
		return info.Pending+info.Queued == 0
	}, 2*time.Minute, 10*time.Millisecond)
	var report audit.Report
	n.get(t, "/check", &report)
	require.True(t, report.OK, report.Problems)
}
