package audit

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/aitbc/aitbc/chain/evm"
)

// sum walks the account trie of a state and adds up every balance.
func sum(chain *evm.Chain, root common.Hash) (*big.Int, uint64, error) {
	tr, err := chain.Trie(trie.StateTrieID(root))
	if err != nil {
		return nil, 0, err
	}
	nodes, err := tr.NodeIterator(nil)
	if err != nil {
		return nil, 0, fmt.Errorf("walk accounts: %w", err)
	}
	total, n := new(big.Int), uint64(0)
	it := trie.NewIterator(nodes)
	for it.Next() {
		var acc types.StateAccount
		if err := rlp.DecodeBytes(it.Value, &acc); err != nil {
			return nil, 0, fmt.Errorf("account %x: %w", it.Key, err)
		}
		total.Add(total, acc.Balance.ToBig())
		n++
	}
	if it.Err != nil {
		return nil, 0, fmt.Errorf("walk accounts: %w", it.Err)
	}
	return total, n, nil
}
