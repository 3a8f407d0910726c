package evm

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

func TestAKnownSenderIsNotRecovered(t *testing.T) {
	signer, from := types.LatestSignerForChainID(big.NewInt(7)), common.Address{1, 2, 3}
	unsigned := types.NewTx(&types.DynamicFeeTx{ChainID: big.NewInt(7)}) // nothing could be recovered from it
	if _, err := types.Sender(known{signer, from}, unsigned); err != nil {
		t.Fatal(err)
	}
	got, err := types.Sender(types.LatestSignerForChainID(big.NewInt(7)), unsigned)
	if err != nil || got != from {
		t.Fatalf("the sender is %v, %v", got, err)
	}
	if got, err := types.Sender(types.LatestSignerForChainID(big.NewInt(8)), unsigned); err == nil {
		t.Fatalf("on another chain the sender is %v", got)
	}
}
