package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/aitbc/aitbc/chain/evm"
)

// Sink takes the state that a walk has passed. evm.Importer is one.
type Sink interface {
	Account(hash common.Hash, slim []byte) error
	Slot(account, slot common.Hash, value []byte) error
	Code(code []byte) error
	Node(owner common.Hash, path, blob []byte) error
}

// walk goes through the records of one snapshot in order and rebuilds both kinds of tries from them. Memory does not
// grow with the state, but for the hashes of its different contracts.
type walk struct {
	m      *Manifest
	supply *big.Int // of genesis
	sink   Sink     // nil only checks

	headers  []*types.Header
	block    *types.Block
	receipts rlp.RawValue
	accounts *trie.StackTrie
	account  *account
	codes    map[common.Hash]struct{}
	total    *big.Int
	failure  error // of the sink, met in a callback
	count    uint64
}

// account is the one that is being read.
type account struct {
	hash    common.Hash
	state   *types.StateAccount
	storage *trie.StackTrie // nil without storage
	code    bool            // its code must come now
}

func newWalk(m *Manifest, supply *big.Int, sink Sink) *walk {
	w := &walk{m: m, supply: supply, sink: sink, codes: map[common.Hash]struct{}{}, total: new(big.Int)}
	w.accounts = w.trie(common.Hash{})
	return w
}

func (w *walk) trie(owner common.Hash) *trie.StackTrie {
	if w.sink == nil {
		return trie.NewStackTrie(nil)
	}
	return trie.NewStackTrie(func(path []byte, _ common.Hash, blob []byte) {
		if w.failure == nil {
			w.failure = w.sink.Node(owner, path, blob)
		}
	})
}

// chunk goes through the records of a chunk.
func (w *walk) chunk(plain []byte) error {
	if len(plain) == 0 {
		return fmt.Errorf("%w: an empty chunk", ErrCorrupt)
	}
	for len(plain) > 0 {
		r, rest, err := next(plain)
		if err != nil {
			return err
		}
		if err := w.add(r); err != nil {
			return err
		}
		plain = rest
	}
	return nil
}

// add takes the next record. Errors wrap ErrCorrupt, or are the sink's.
func (w *walk) add(r record) error {
	var err error
	switch {
	case w.block == nil && r.kind == kindHeader:
		err = w.header(r.value)
	case w.block == nil && r.kind == kindBlock:
		err = w.body(r.value)
	case w.block != nil && w.receipts == nil && r.kind == kindReceipts:
		err = w.outcome(r.value)
	case w.receipts == nil:
		err = fmt.Errorf("%w: record of kind %d before the block", ErrCorrupt, r.kind)
	case r.kind == kindAccount:
		if err = w.end(); err == nil {
			err = w.begin(r.key, r.value)
		}
	case r.kind == kindCode:
		err = w.code(r.value)
	case r.kind == kindSlot:
		err = w.slot(r.key, r.value)
	default:
		err = fmt.Errorf("%w: record of kind %d within the state", ErrCorrupt, r.kind)
	}
	return errors.Join(err, w.failure)
}

func (w *walk) header(raw []byte) error {
	h := new(types.Header)
	if err := rlp.DecodeBytes(raw, h); err != nil {
		return fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	first := uint64(1)
	if w.m.Height > evm.Ancestors {
		first = w.m.Height - evm.Ancestors + 1
	}
	at := first + uint64(len(w.headers))
	if h.Number == nil || !h.Number.IsUint64() || h.Number.Uint64() != at || at > w.m.Height {
		return fmt.Errorf("%w: header %v instead of %d", ErrCorrupt, h.Number, at)
	}
	parent := w.m.Genesis
	if len(w.headers) > 0 {
		parent = w.headers[len(w.headers)-1].Hash()
	}
	if at > first || first == 1 {
		if h.ParentHash != parent {
			return fmt.Errorf("%w: header %d does not follow", ErrCorrupt, at)
		}
	}
	w.headers = append(w.headers, h)
	return nil
}

func (w *walk) body(raw []byte) error {
	if len(w.headers) == 0 {
		return fmt.Errorf("%w: no headers", ErrCorrupt)
	}
	b := new(types.Block)
	if err := rlp.DecodeBytes(raw, b); err != nil {
		return fmt.Errorf("%w: block: %w", ErrCorrupt, err)
	}
	h := b.Header()
	if last := w.headers[len(w.headers)-1]; b.Hash() != w.m.Block || last.Hash() != w.m.Block || b.NumberU64() != w.m.Height {
		return fmt.Errorf("%w: block %d is %v, not %v", ErrCorrupt, b.NumberU64(), b.Hash(), w.m.Block)
	}
	if types.DeriveSha(b.Transactions(), trie.NewStackTrie(nil)) != h.TxHash || types.CalcUncleHash(b.Uncles()) != h.UncleHash {
		return fmt.Errorf("%w: the transactions are not the block's", ErrCorrupt)
	}
	if h.WithdrawalsHash == nil || len(b.Withdrawals()) != 0 || *h.WithdrawalsHash != types.EmptyWithdrawalsHash {
		return fmt.Errorf("%w: the withdrawals are not the block's", ErrCorrupt)
	}
	w.block = b
	return nil
}

func (w *walk) outcome(raw []byte) error {
	var stored []*types.ReceiptForStorage
	if err := rlp.DecodeBytes(raw, &stored); err != nil {
		return fmt.Errorf("%w: receipts: %w", ErrCorrupt, err)
	}
	txs := w.block.Transactions()
	if len(stored) != len(txs) {
		return fmt.Errorf("%w: %d receipts of %d transactions", ErrCorrupt, len(stored), len(txs))
	}
	receipts := make(types.Receipts, len(stored))
	for i, s := range stored {
		receipts[i] = (*types.Receipt)(s)
		receipts[i].Type = txs[i].Type()
		receipts[i].Bloom = types.CreateBloom(receipts[i])
	}
	if types.DeriveSha(receipts, trie.NewStackTrie(nil)) != w.block.ReceiptHash() {
		return fmt.Errorf("%w: the receipts are not the block's", ErrCorrupt)
	}
	w.receipts = bytes.Clone(raw)
	return nil
}

// begin takes an account.
func (w *walk) begin(hash common.Hash, slim []byte) error {
	state, err := types.FullAccount(slim)
	if err != nil || len(state.CodeHash) != common.HashLength || !bytes.Equal(types.SlimAccountRLP(*state), slim) {
		return fmt.Errorf("%w: account %v", ErrCorrupt, hash)
	}
	full, err := rlp.EncodeToBytes(state)
	if err != nil {
		return fmt.Errorf("%w: account %v: %w", ErrCorrupt, hash, err)
	}
	if err := w.accounts.Update(hash[:], full); err != nil {
		return fmt.Errorf("%w: account %v: %w", ErrCorrupt, hash, err)
	}
	w.total.Add(w.total, state.Balance.ToBig())
	w.count++
	w.account = &account{hash: hash, state: state}
	if state.Root != types.EmptyRootHash {
		w.account.storage = w.trie(hash)
	}
	if code := common.Hash(state.CodeHash); code != types.EmptyCodeHash {
		if _, had := w.codes[code]; !had {
			w.account.code = true
		}
	}
	if w.sink != nil {
		return w.sink.Account(hash, slim)
	}
	return nil
}

func (w *walk) code(code []byte) error {
	a := w.account
	if a == nil || !a.code || !bytes.Equal(crypto.Keccak256(code), a.state.CodeHash) {
		return fmt.Errorf("%w: code that no account has", ErrCorrupt)
	}
	a.code = false
	w.codes[common.Hash(a.state.CodeHash)] = struct{}{}
	if w.sink != nil {
		return w.sink.Code(code)
	}
	return nil
}

func (w *walk) slot(key common.Hash, value []byte) error {
	a := w.account
	if a == nil || a.code || a.storage == nil || len(value) > common.HashLength+1 {
		return fmt.Errorf("%w: storage out of place", ErrCorrupt)
	}
	if err := a.storage.Update(key[:], value); err != nil {
		return fmt.Errorf("%w: storage of %v: %w", ErrCorrupt, a.hash, err)
	}
	if w.sink != nil {
		return w.sink.Slot(a.hash, key, value)
	}
	return nil
}

// end checks that the account that was being read is complete.
func (w *walk) end() error {
	a := w.account
	if a == nil {
		return nil
	}
	if a.code {
		return fmt.Errorf("%w: the code of %v is missing", ErrCorrupt, a.hash)
	}
	if a.storage != nil {
		if root := a.storage.Hash(); root != a.state.Root {
			return fmt.Errorf("%w: the storage of %v has root %v, not %v", ErrCorrupt, a.hash, root, a.state.Root)
		}
	}
	w.account = nil
	return w.failure
}

// finish checks that everything was there.
func (w *walk) finish() error {
	if w.receipts == nil {
		return fmt.Errorf("%w: no block", ErrCorrupt)
	}
	if err := w.end(); err != nil {
		return err
	}
	if root := w.accounts.Hash(); root != w.block.Root() {
		return fmt.Errorf("%w: the state has root %v, the block says %v", ErrCorrupt, root, w.block.Root())
	}
	want := new(big.Int).Add(w.supply, w.m.Issued)
	if want.Sub(want, w.m.Burned).Cmp(w.total) != 0 {
		return fmt.Errorf("%w: all balances are %v, the supply is %v", ErrCorrupt, w.total, want)
	}
	return w.failure
}

// head is what the chain ends with after this snapshot.
func (w *walk) head() evm.Head {
	return evm.Head{
		Block: w.block, Receipts: w.receipts, Headers: w.headers,
		Supply: evm.Supply{Issued: w.m.Issued, Burned: w.m.Burned},
	}
}
