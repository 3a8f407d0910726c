package audit

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb/database"

	"github.com/aitbc/aitbc/chain/evm"
)

// sum walks the account trie of a state and adds up every balance.
func sum(chain *evm.Chain, root common.Hash) (*big.Int, uint64, error) {
	tr, err := open(chain, root)
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

// history serves the nodes of one old trie.
type history struct{ nodes database.NodeReader }

// NodeReader implements the trie's view of a database.
func (h history) NodeReader(common.Hash) (database.NodeReader, error) { return h.nodes, nil }

// open opens the account trie from the living layers or from history.
func open(chain *evm.Chain, root common.Hash) (*trie.Trie, error) {
	db := chain.BlockChain().TrieDB()
	if tr, err := trie.New(trie.StateTrieID(root), db); err == nil {
		return tr, nil
	}
	nodes, err := db.HistoricNodeReader(root)
	if err != nil {
		return nil, fmt.Errorf("old accounts: %w", err)
	}
	tr, err := trie.New(trie.StateTrieID(root), history{nodes})
	if err != nil {
		return nil, fmt.Errorf("old accounts: %w", err)
	}
	return tr, nil
}
