// Package export writes the whole state of a chain at one height as JSON: every account with its balance, code and
// storage.
package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/genesis"
)

// Format names what is written; another layout gets another name.
const Format = "aitbc-state-1"

// ErrSum is returned when the balances do not add up to what the chain issued. All of the state has been written then.
var ErrSum = errors.New("the balances do not add up")

// ErrHeight is returned for a height that the chain does not have, or whose state is not kept.
var ErrHeight = errors.New("no state of that height")

// Summary is what stands at the end of an export.
type Summary struct {
	Accounts  uint64 `json:"accounts"`
	Contracts uint64 `json:"contracts"`
	Slots     uint64 `json:"slots"`
	// Unnamed accounts are shown only by the hash of their address: nobody sent to or from them in a transaction.
	Unnamed uint64 `json:"unnamed"`
	Total   string `json:"total"`
	Issued  string `json:"issued"`
	Burned  string `json:"burned"`
	// Expected is what genesis gave, plus issued, minus burned.
	Expected string `json:"expected"`
}

// head is what stands before the accounts.
type head struct {
	Format  string             `json:"format"`
	ChainID *big.Int           `json:"chain_id"`
	Height  uint64             `json:"height"`
	Hash    common.Hash        `json:"hash"`
	Root    common.Hash        `json:"state_root"`
	Genesis common.Hash        `json:"genesis_hash"`
	Mode    genesis.Mode       `json:"consensus_mode"`
	Named   []genesis.Contract `json:"predeploys"`
}

// account is one line. Storage is keyed by the hashes of its slots, as it is in the state.
type account struct {
	Hash    common.Hash                 `json:"hash"`
	Address *common.Address             `json:"address,omitempty"`
	Nonce   uint64                      `json:"nonce"`
	Balance string                      `json:"balance"`
	Code    hexutil.Bytes               `json:"code,omitempty"`
	Storage map[common.Hash]common.Hash `json:"storage,omitempty"`
}

// State writes the state after a block of the chain.
func State(out io.Writer, chain *evm.Chain, gen *genesis.State, height uint64) (*Summary, error) {
	h := chain.BlockChain().GetHeaderByNumber(height)
	if h == nil || height > chain.Head().Number.Uint64() {
		return nil, fmt.Errorf("%w: %d, the head is %d", ErrHeight, height, chain.Head().Number)
	}
	accounts, err := chain.Trie(trie.StateTrieID(h.Root))
	if err != nil {
		return nil, fmt.Errorf("%w: %d: %w", ErrHeight, height, err)
	}
	w := bufio.NewWriterSize(out, 1<<20)
	x := &exporter{chain: chain, root: h.Root, names: names(chain, gen, height), total: new(big.Int)}
	begin, err := json.Marshal(head{Format, gen.ChainID(), height, h.Hash(), h.Root, gen.Hash(), gen.Mode, gen.Predeploys})
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	// The accounts come one a line inside one JSON value, so that it need not be in memory as a whole.
	fmt.Fprintf(w, "%s,\n\"state\": [", bytes.TrimSuffix(begin, []byte("}"))) // errors of a bufio.Writer stay: Flush tells
	if err := x.accounts(w, accounts); err != nil {
		return nil, err
	}
	s, err := x.summary(h, gen)
	if err != nil {
		return nil, err
	}
	end, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	fmt.Fprintf(w, "\n],\n\"summary\": %s}\n", end)
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if s.Total != s.Expected {
		return s, fmt.Errorf("%w: they are %s, expected are %s", ErrSum, s.Total, s.Expected)
	}
	return s, nil
}

// exporter walks one state.
type exporter struct {
	chain *evm.Chain
	root  common.Hash
	names map[common.Hash]common.Address
	sum   Summary
	total *big.Int
}

func (x *exporter) accounts(w io.Writer, tr *trie.Trie) error {
	separator := "\n"
	return walk(tr, func(key, value []byte) error {
		var a types.StateAccount
		if err := rlp.DecodeBytes(value, &a); err != nil {
			return fmt.Errorf("export: account %x: %w", key, err)
		}
		line := account{Hash: common.BytesToHash(key), Nonce: a.Nonce, Balance: a.Balance.ToBig().String()}
		if name, ok := x.names[line.Hash]; ok {
			line.Address = &name
		} else {
			x.sum.Unnamed++
		}
		code := common.BytesToHash(a.CodeHash)
		if line.Code = x.chain.Code(code); line.Code == nil && code != types.EmptyCodeHash {
			return fmt.Errorf("export: the code of account %x is missing", key)
		}
		if line.Code != nil {
			x.sum.Contracts++
		}
		if err := x.storage(&line, a.Root); err != nil {
			return err
		}
		raw, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		x.total.Add(x.total, a.Balance.ToBig())
		x.sum.Accounts++
		if _, err := fmt.Fprintf(w, "%s%s", separator, raw); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		separator = ",\n"
		return nil
	})
}

func (x *exporter) storage(line *account, root common.Hash) error {
	if root == types.EmptyRootHash {
		return nil
	}
	tr, err := x.chain.Trie(trie.StorageTrieID(x.root, line.Hash, root))
	if err != nil {
		return fmt.Errorf("export: storage of %s: %w", line.Hash, err)
	}
	line.Storage = map[common.Hash]common.Hash{}
	return walk(tr, func(key, value []byte) error {
		_, content, _, err := rlp.Split(value)
		if err != nil {
			return fmt.Errorf("export: storage of %s: %w", line.Hash, err)
		}
		line.Storage[common.BytesToHash(key)] = common.BytesToHash(content)
		x.sum.Slots++
		return nil
	})
}

func (x *exporter) summary(h *types.Header, gen *genesis.State) (*Summary, error) {
	moved, err := x.chain.Supply(h.Hash())
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	expected := new(big.Int).Sub(new(big.Int).Add(gen.Supply(), moved.Issued), moved.Burned)
	x.sum.Total, x.sum.Expected = x.total.String(), expected.String()
	x.sum.Issued, x.sum.Burned = moved.Issued.String(), moved.Burned.String()
	return &x.sum, nil
}

// walk calls f for each leaf in the order of the keys.
func walk(tr *trie.Trie, f func(key, value []byte) error) error {
	nodes, err := tr.NodeIterator(nil)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	it := trie.NewIterator(nodes)
	for it.Next() {
		if err := f(it.Key, it.Value); err != nil {
			return err
		}
	}
	if it.Err != nil {
		return fmt.Errorf("export: %w", it.Err)
	}
	return nil
}

// names finds the addresses behind the hashes that the state is keyed by: those of genesis, and those that stand in
// transactions, logs and headers.
func names(chain *evm.Chain, gen *genesis.State, height uint64) map[common.Hash]common.Address {
	out := map[common.Hash]common.Address{}
	add := func(a common.Address) { out[crypto.Keccak256Hash(a[:])] = a }
	for a := range gen.EVM.Alloc {
		add(a)
	}
	signer := types.LatestSignerForChainID(gen.ChainID())
	for n := uint64(1); n <= height; n++ {
		b := chain.BlockChain().GetBlockByNumber(n)
		if b == nil {
			continue // a pruned node has not all of them
		}
		add(b.Coinbase())
		for _, tx := range b.Transactions() {
			if from, err := types.Sender(signer, tx); err == nil {
				add(from)
			}
			if to := tx.To(); to != nil {
				add(*to)
			}
		}
		for _, r := range chain.BlockChain().GetReceiptsByHash(b.Hash()) {
			add(r.ContractAddress)
			for _, l := range r.Logs {
				add(l.Address)
			}
		}
	}
	return out
}
