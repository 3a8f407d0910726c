package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/aitbc/aitbc/chain/evm"
)

// Commitments finds what consensus says about a height.
type Commitments interface {
	// Height of the last decided block.
	Height() int64
	// Commitment of a decided height.
	Commitment(height int64) (Commitment, error)
	// Changes reports whether the validators after a decided height differ from those that decided it.
	Changes(height int64) (bool, error)
}

// ErrNotFound is returned for a transaction or block that the chain does not have.
var ErrNotFound = errors.New("not found")

// Link is a header that carries trust from one set of validators to a later one: see links.
type Link struct {
	Header     hexutil.Bytes `json:"header"`
	Commit     hexutil.Bytes `json:"commit"`
	Validators hexutil.Bytes `json:"validators"`
}

// Anchor shows an Ethereum header to someone who trusts the first validator set: the CometBFT block after it carries
// its hash.
type Anchor struct {
	Height     uint64        `json:"height"`
	EthHeader  hexutil.Bytes `json:"eth_header"`
	Header     hexutil.Bytes `json:"header"`
	Commit     hexutil.Bytes `json:"commit"`
	Validators hexutil.Bytes `json:"validators"`
	Links      []Link        `json:"links"`
}

// Bundle shows the receipt of a transaction.
type Bundle struct {
	Tx      common.Hash `json:"tx"`
	TxIndex uint64      `json:"tx_index"`
	Anchor
	// Receipt is in Ethereum's consensus encoding, as it stands in the receipts trie at key rlp(TxIndex).
	Receipt      hexutil.Bytes   `json:"receipt"`
	ReceiptProof []hexutil.Bytes `json:"receipt_proof"`
}

// Builder makes proofs. Its methods may be called from any goroutine.
type Builder struct {
	chain   *evm.Chain
	commits Commitments

	// mu guards changes and seen.
	mu      sync.Mutex
	changes []int64 // heights whose next validators differ
	seen    int64   // last height looked at
}

// NewBuilder makes a builder.
func NewBuilder(chain *evm.Chain, commits Commitments) *Builder {
	return &Builder{chain: chain, commits: commits}
}

// Transaction proves the receipt of a committed transaction. If its block is the head, it waits for the next one, as
// long as ctx allows.
func (b *Builder) Transaction(ctx context.Context, hash common.Hash) (*Bundle, error) {
	_, header, receipt, ok := b.chain.Transaction(hash)
	if !ok {
		return nil, fmt.Errorf("transaction %v: %w", hash, ErrNotFound)
	}
	index := uint64(receipt.TransactionIndex)
	raw, path, err := proveReceipt(header, b.chain.BlockChain().GetReceiptsByHash(header.Hash()), index)
	if err != nil {
		return nil, fmt.Errorf("transaction %v: %w", hash, err)
	}
	anchor, err := b.anchor(ctx, header)
	if err != nil {
		return nil, err
	}
	return &Bundle{Tx: hash, TxIndex: index, Anchor: *anchor, Receipt: raw, ReceiptProof: path}, nil
}

// Anchor proves the Ethereum header of a height, for those who hold a proof of their own against its state root.
func (b *Builder) Anchor(ctx context.Context, height uint64) (*Anchor, error) {
	h := b.chain.BlockChain().GetHeaderByNumber(height)
	if h == nil {
		return nil, fmt.Errorf("block %d: %w", height, ErrNotFound)
	}
	return b.anchor(ctx, h)
}

func (b *Builder) anchor(ctx context.Context, h *types.Header) (*Anchor, error) {
	next := h.Number.Int64() + 1
	if err := b.wait(ctx, next); err != nil {
		return nil, err
	}
	c, err := b.commits.Commitment(next)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(c.Header.AppHash, h.Hash().Bytes()) {
		return nil, fmt.Errorf("block %d is not what block %d commits to", h.Number, next)
	}
	enc, err := c.Encode()
	if err != nil {
		return nil, err
	}
	eth, err := rlp.EncodeToBytes(h)
	if err != nil {
		return nil, fmt.Errorf("encode header %d: %w", h.Number, err)
	}
	links, err := b.links(c)
	if err != nil {
		return nil, err
	}
	return &Anchor{
		Height: h.Number.Uint64(), EthHeader: eth, Header: enc.Header, Commit: enc.Commit, Validators: enc.Validators, Links: links,
	}, nil
}

// wait returns when the height is decided.
func (b *Builder) wait(ctx context.Context, height int64) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for b.commits.Height() < height {
		select {
		case <-ctx.Done():
			return fmt.Errorf("block %d is not decided yet: %w", height, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// path collects trie nodes in the order of the proof, root first.
type path []hexutil.Bytes

// Put implements the trie's proof writer.
func (p *path) Put(_, node []byte) error {
	*p = append(*p, bytes.Clone(node))
	return nil
}

// Delete implements the trie's proof writer; proving deletes nothing.
func (p *path) Delete([]byte) error { return errors.New("proofs only grow") }

// proveReceipt rebuilds the receipts trie of a block and returns one receipt with its path.
func proveReceipt(h *types.Header, receipts types.Receipts, index uint64) ([]byte, []hexutil.Bytes, error) {
	if index >= uint64(len(receipts)) {
		return nil, nil, fmt.Errorf("receipt %d of block %d: %w", index, h.Number, ErrNotFound)
	}
	tr := trie.NewEmpty(nil)
	var raw []byte
	for i := range receipts {
		var buf bytes.Buffer
		receipts.EncodeIndex(i, &buf)
		if err := tr.Update(rlp.AppendUint64(nil, uint64(i)), bytes.Clone(buf.Bytes())); err != nil {
			return nil, nil, fmt.Errorf("receipts of block %d: %w", h.Number, err)
		}
		if uint64(i) == index {
			raw = bytes.Clone(buf.Bytes())
		}
	}
	if got := tr.Hash(); got != h.ReceiptHash {
		return nil, nil, fmt.Errorf("receipts of block %d hash to %v, the header says %v", h.Number, got, h.ReceiptHash)
	}
	var p path
	if err := tr.Prove(rlp.AppendUint64(nil, index), &p); err != nil {
		return nil, nil, fmt.Errorf("prove receipt %d of block %d: %w", index, h.Number, err)
	}
	return raw, p, nil
}
