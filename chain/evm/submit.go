package evm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/aitbc/aitbc/chain/intake"
)

// ErrBlob refuses EIP-4844 transactions: nobody keeps their data here.
var ErrBlob = errors.New("blob transactions are not accepted on this chain")

var (
	errMalformed   = errors.New("decode transaction")
	errUnprotected = errors.New("only transactions signed for this chain id are accepted (EIP-155)")
)

// MaxTxBytes bounds an encoded transaction; the pool has the same limit and checks it after decoding.
const MaxTxBytes = 128 << 10

// Submit decodes a client's signed transaction and adds it to the pool. A transaction that the pool already has is no
// error. Errors are those of the pool and of package intake, ErrBlob, or a description of the malformed bytes; nothing
// changed then.
func (c *Chain) Submit(raw []byte) (common.Hash, error) {
	tx, err := c.admit(raw, intake.Client)
	switch {
	case errors.Is(err, txpool.ErrAlreadyKnown):
		return tx.Hash(), nil
	case err != nil:
		return common.Hash{}, err
	}
	if err := c.add([]*types.Transaction{tx})[0]; err != nil {
		return common.Hash{}, err
	}
	return tx.Hash(), nil
}

// Relay is Submit for what peers have taken. What the pool does not take is counted and dropped.
func (c *Chain) Relay(raws [][]byte) {
	for raws := range slices.Chunk(raws, relayBatch) {
		txs := make([]*types.Transaction, 0, len(raws))
		for _, raw := range raws {
			if tx, err := c.admit(raw, intake.Peer); err == nil {
				txs = append(txs, tx)
			}
		}
		if len(txs) > 0 {
			c.add(txs)
		}
	}
}

// relayBatch is how many transactions are given to the pool at once, which others cannot read meanwhile.
const relayBatch = 64

// add gives the pool what was admitted, and takes back the admission of what the pool does not take.
func (c *Chain) add(txs []*types.Transaction) []error {
	errs := c.pool.Add(txs, false)
	for i, err := range errs {
		switch {
		case errors.Is(err, txpool.ErrAlreadyKnown):
			errs[i] = nil
		case err != nil:
			c.gate.Forget(txs[i].Hash()) //nolint:gosec // the pool answers for each
			c.refuse(err)
		}
	}
	return errs
}

// admit decodes a transaction that may go to the pool, or counts a refusal. One that is in the pool it returns with
// txpool.ErrAlreadyKnown, at little cost: peers send back what they were told.
func (c *Chain) admit(raw []byte, from intake.Source) (*types.Transaction, error) {
	tx, err := decode(raw)
	if err == nil && c.pool.Has(tx.Hash()) {
		return tx, txpool.ErrAlreadyKnown
	}
	if err == nil {
		err = c.room(tx, from)
	}
	if err != nil {
		c.refuse(err)
		return nil, err
	}
	return tx, nil
}

// room asks whether there is some for a transaction, and counts it if it waits for nothing but room in a block: one
// that comes before its turn, or that replaces another, adds nothing to what waits, and the pool bounds their number.
func (c *Chain) room(tx *types.Transaction, from intake.Source) error {
	cfg := c.bc.Config()
	tip, err := tx.EffectiveGasTip(eip1559.CalcBaseFee(cfg, c.Head()))
	if err != nil {
		return err
	}
	t := intake.Tx{Hash: tx.Hash(), To: tx.To(), Gas: tx.Gas(), Bytes: tx.Size(), Tip: tip}
	if err := c.gate.Peek(t, from); err != nil {
		return err // before the signature costs anything
	}
	if t.From, err = c.sender(tx); err != nil {
		return fmt.Errorf("%w: %w", txpool.ErrInvalidSender, err)
	}
	if tx.Nonce() != c.pool.PoolNonce(t.From) {
		return nil
	}
	return c.gate.Admit(t, from, time.Now()) //nolint:forbidigo // of the pool, outside block execution
}

// sender recovers the sender of a transaction, as many at a time as [Config.Alone] says: the rest of the processor is for
// consensus, which a flood of signatures to check must not delay.
func (c *Chain) sender(tx *types.Transaction) (common.Address, error) {
	c.recovering <- struct{}{}
	defer func() { <-c.recovering }()
	return types.Sender(types.LatestSigner(c.bc.Config()), tx)
}

// committed tells the gate what is no longer waiting.
func (c *Chain) committed(s Sealed) {
	done := make([]intake.Done, len(s.Receipts))
	for i, tx := range s.Block.Transactions() {
		done[i] = intake.Done{Hash: tx.Hash(), To: tx.To(), Gas: tx.Gas(), Used: s.Receipts[i].GasUsed}
	}
	c.gate.Committed(done, c.pool.Has, time.Now(), s.Paused) //nolint:forbidigo // of the pool, outside block execution
}

// decode reads a transaction and refuses what can never be in a block.
func decode(raw []byte) (*types.Transaction, error) {
	if len(raw) > MaxTxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", txpool.ErrOversizedData, len(raw), MaxTxBytes)
	}
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if tx.Type() == types.BlobTxType {
		return nil, ErrBlob
	}
	if !tx.Protected() {
		return nil, errUnprotected
	}
	return tx, nil
}

// transactions are go-ethereum's own methods that submitAPI stands before.
type transactions interface {
	SendRawTransactionSync(ctx context.Context, raw hexutil.Bytes, timeoutMs *uint64) (map[string]any, error)
	GetTransactionReceipt(ctx context.Context, hash common.Hash) (map[string]any, error)
}

// submitAPI replaces the methods that take signed transactions, so that every door refuses the same things, and the one
// that tells what became of them.
type submitAPI struct {
	chain *Chain
	stock transactions
}

// newSubmitAPI finds the stock methods that it stands before.
func newSubmitAPI(c *Chain, stock []rpc.API) (*submitAPI, error) {
	for _, a := range stock {
		if w, ok := a.Service.(transactions); ok {
			return &submitAPI{chain: c, stock: w}, nil
		}
	}
	return nil, errors.New("go-ethereum no longer has eth_sendRawTransactionSync and eth_getTransactionReceipt")
}

// GetTransactionReceipt is null until the transaction's block is the latest: go-ethereum finds a receipt a moment sooner,
// and who then asks about the latest block would not see what the transaction did.
func (s *submitAPI) GetTransactionReceipt(ctx context.Context, hash common.Hash) (map[string]any, error) {
	r, err := s.stock.GetTransactionReceipt(ctx, hash)
	if n, ok := r["blockNumber"].(hexutil.Uint64); ok && uint64(n) > s.chain.Head().Number.Uint64() {
		return nil, err
	}
	return r, err
}

// SendRawTransaction adds a signed transaction to the pool and returns its hash.
func (s *submitAPI) SendRawTransaction(_ context.Context, raw hexutil.Bytes) (common.Hash, error) {
	return s.chain.Submit(raw)
}

// SendRawTransactionSync adds a signed transaction to the pool and waits for its receipt.
func (s *submitAPI) SendRawTransactionSync(ctx context.Context, raw hexutil.Bytes, timeoutMs *uint64) (map[string]any, error) {
	if _, err := s.chain.admit(raw, intake.Client); err != nil && !errors.Is(err, txpool.ErrAlreadyKnown) {
		return nil, err
	}
	return s.stock.SendRawTransactionSync(ctx, raw, timeoutMs)
}
