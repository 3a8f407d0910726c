package evm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
)

// ErrBlob refuses EIP-4844 transactions: nobody keeps their data here.
var ErrBlob = errors.New("blob transactions are not accepted on this chain")

// MaxTxBytes bounds an encoded transaction; the pool has the same limit and checks it after decoding.
const MaxTxBytes = 128 << 10

// Submit decodes a signed transaction and adds it to the pool. A transaction that the pool already has is no error.
// Errors are those of the pool, ErrBlob, or a description of the malformed bytes; nothing changed then.
func (c *Chain) Submit(raw []byte) (common.Hash, error) {
	if len(raw) > MaxTxBytes {
		return common.Hash{}, fmt.Errorf("%w: %d bytes, at most %d", txpool.ErrOversizedData, len(raw), MaxTxBytes)
	}
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return common.Hash{}, fmt.Errorf("decode transaction: %w", err)
	}
	return tx.Hash(), c.add(tx)
}

func (c *Chain) add(tx *types.Transaction) error {
	if tx.Type() == types.BlobTxType {
		return ErrBlob
	}
	if !tx.Protected() {
		return errors.New("only transactions signed for this chain id are accepted (EIP-155)")
	}
	if err := c.pool.Add([]*types.Transaction{tx}, false)[0]; err != nil && !errors.Is(err, txpool.ErrAlreadyKnown) {
		return err
	}
	return nil
}

// submitAPI replaces eth_sendRawTransaction, so that every door refuses the same things.
type submitAPI struct{ chain *Chain }

// SendRawTransaction adds a signed transaction to the pool and returns its hash.
func (s *submitAPI) SendRawTransaction(_ context.Context, raw hexutil.Bytes) (common.Hash, error) {
	return s.chain.Submit(raw)
}
