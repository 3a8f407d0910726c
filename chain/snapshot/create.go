package snapshot

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/klauspost/compress/zstd"

	"github.com/aitbc/aitbc/chain/evm"
)

// writer cuts records into chunks and hands each chunk on.
type writer struct {
	enc  *zstd.Encoder
	walk *walk
	buf  []byte
	emit func(index int, chunk []byte) error
	m    *Manifest
}

// write goes through a view and hands its chunks to emit, in order. What is written has been checked as if it were read.
func write(ctx context.Context, v *evm.View, genesis common.Hash, supply *big.Int, emit func(int, []byte) error) (*Manifest, error) {
	// One thread, as the others have blocks to run; and the bytes must not depend on the machine.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	defer enc.Close() //nolint:errcheck // it writes nowhere
	m := &Manifest{
		Format: Format, Genesis: genesis, Height: v.Block.NumberU64(), Block: v.Block.Hash(),
		Issued: v.Supply.Issued, Burned: v.Supply.Burned,
	}
	w := &writer{enc: enc, walk: newWalk(m, supply, nil), emit: emit, m: m}
	if err := w.begin(v); err != nil {
		return nil, err
	}
	for {
		hash, slim, ok := v.NextAccount()
		if !ok {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("snapshot of block %d: %w", m.Height, err)
		}
		if err := w.account(v, hash, slim); err != nil {
			return nil, err
		}
	}
	if err := v.Err(); err != nil {
		return nil, err
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	if err := w.walk.finish(); err != nil {
		return nil, fmt.Errorf("snapshot of block %d: %w", m.Height, err)
	}
	return m, nil
}

func (w *writer) begin(v *evm.View) error {
	for _, h := range v.Headers {
		raw, err := rlp.EncodeToBytes(h)
		if err != nil {
			return fmt.Errorf("encode header %d: %w", h.Number, err)
		}
		if err := w.add(record{kind: kindHeader, value: raw}); err != nil {
			return err
		}
	}
	raw, err := rlp.EncodeToBytes(v.Block)
	if err != nil {
		return fmt.Errorf("encode block %d: %w", v.Block.NumberU64(), err)
	}
	if err := w.add(record{kind: kindBlock, value: raw}); err != nil {
		return err
	}
	return w.add(record{kind: kindReceipts, value: v.Receipts})
}

func (w *writer) account(v *evm.View, hash common.Hash, slim []byte) error {
	if err := w.add(record{kind: kindAccount, key: hash, value: slim}); err != nil {
		return err
	}
	a := w.walk.account
	if a.code {
		code := v.Code(common.Hash(a.state.CodeHash))
		if err := w.add(record{kind: kindCode, value: code}); err != nil {
			return err
		}
	}
	if a.state.Root == types.EmptyRootHash {
		return nil
	}
	for {
		slot, value, ok := v.NextSlot(hash)
		if !ok {
			return nil
		}
		if err := w.add(record{kind: kindSlot, key: slot, value: value}); err != nil {
			return err
		}
	}
}

func (w *writer) add(r record) error {
	if len(r.value) > maxRecord {
		return fmt.Errorf("snapshot of block %d: a record of %d bytes", w.m.Height, len(r.value))
	}
	if err := w.walk.add(r); err != nil {
		return fmt.Errorf("snapshot of block %d: %w", w.m.Height, err)
	}
	if len(w.buf) > 0 && len(w.buf)+r.size() > chunkBytes {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.buf = r.append(w.buf)
	return nil
}

func (w *writer) flush() error {
	if len(w.m.Chunks) == MaxChunks {
		return fmt.Errorf("snapshot of block %d: more than %d chunks", w.m.Height, MaxChunks)
	}
	chunk := w.enc.EncodeAll(w.buf, nil)
	if err := w.emit(len(w.m.Chunks), chunk); err != nil {
		return err
	}
	w.m.Chunks = append(w.m.Chunks, sha256.Sum256(chunk))
	w.buf = w.buf[:0]
	return nil
}
