package evm_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// Blocks take the state away under those who read it. Nobody who asks over HTTP may notice.
func TestReadersDoNotNoticeBlocks(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), func(c *evm.Config) { c.HTTP, c.FlushEvery = "127.0.0.1:0", 1 })
	c, err := ethclient.Dial(n.Chain.HTTPEndpoint())
	require.NoError(t, err)
	defer c.Close()
	ctx, stop := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	failures := make(chan error, 500)
	for range 4 {
		readers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := c.BalanceAt(ctx, chaintest.Address(i%chaintest.Accounts), nil); err != nil && ctx.Err() == nil {
					failures <- err
					return
				}
				if _, err := c.StorageAt(ctx, chaintest.Ender, common.Hash{}, nil); err != nil && ctx.Err() == nil {
					failures <- err
					return
				}
			}
		})
	}
	sent := make(chan common.Hash)
	readers.Go(func() {
		for hash := range sent {
			var receipt *types.Receipt
			for receipt == nil && ctx.Err() == nil {
				receipt, _ = c.TransactionReceipt(ctx, hash)
			}
			if at, err := c.BlockNumber(ctx); err == nil && receipt != nil && at < receipt.BlockNumber.Uint64() {
				failures <- fmt.Errorf("a receipt of block %d, and the latest is %d", receipt.BlockNumber, at)
			}
		}
	})
	for i := range 400 {
		tx := n.Send(i%chaintest.Accounts, &chaintest.Proposer, 1, nil)
		select {
		case sent <- tx.Hash():
		default: // it still looks for another
		}
		n.Block(tx)
	}
	stop()
	close(sent)
	readers.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
}

func TestARequestThatIsTooLargeIsRefused(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), func(c *evm.Config) { c.HTTP = "127.0.0.1:0" })
	res, err := http.Post(n.Chain.HTTPEndpoint(), "application/json", strings.NewReader(strings.Repeat(" ", 6<<20)))
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // read only
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
}
