package evm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb/database"
)

// history serves the nodes of the tries of one old state.
type history struct{ nodes database.NodeReader }

// NodeReader implements the trie's view of a database.
func (h history) NodeReader(common.Hash) (database.NodeReader, error) { return h.nodes, nil }

// Trie opens the accounts, or one account's storage, of a state: from the living layers, or on an archive node from
// history.
func (c *Chain) Trie(id *trie.ID) (*trie.Trie, error) {
	db := c.bc.TrieDB()
	if tr, err := trie.New(id, db); err == nil {
		return tr, nil
	}
	nodes, err := db.HistoricNodeReader(id.StateRoot)
	if err != nil {
		return nil, fmt.Errorf("old state: %w", err)
	}
	tr, err := trie.New(id, history{nodes})
	if err != nil {
		return nil, fmt.Errorf("old state: %w", err)
	}
	return tr, nil
}

// Code is a contract's code by its hash, nil if the node has none.
func (c *Chain) Code(hash common.Hash) []byte {
	if hash == types.EmptyCodeHash {
		return nil
	}
	return c.bc.ContractCodeWithPrefix(hash)
}
