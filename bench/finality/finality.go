// Package finality measures how long one validator takes from a signed transfer
// to its receipt in a final block.
package finality

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/network"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/receipt"
)

// Config says how much to measure.
type Config struct {
	Bin       string // folder of the programs
	Dir       string
	Rounds    int
	Transfers int // of each kind in a round
}

// poll is how often the node is asked for the receipt. Every block is final, so
// a receipt is finality.
const poll = 2 * time.Millisecond

// The pause before a transfer to an idle chain: not a multiple of anything that
// the node waits for.
const (
	pauseLeast = 220 * time.Millisecond
	pauseMore  = 130 * time.Millisecond
)

const transferGas = 21_000

// Run sends transfers one after another to the node of a new network.
func Run(ctx context.Context, cfg Config) (s *figure.Section, err error) {
	n, err := network.New(ctx, cfg.Bin, cfg.Dir)
	if err != nil {
		return nil, err
	}
	if _, err := n.Up(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Down(ctx)) }()
	w, err := newWallet(ctx, n)
	if err != nil {
		return nil, err
	}
	s = figure.New("Finality: one validator, idle",
		fmt.Sprintf("From eth_sendRawTransaction until eth_getTransactionReceipt has it, asked every %s over HTTP; %d transfers of each kind in a round. Idle: %s to %s after the block before. One after another: each sent when the last is final, and so held until the least time between blocks is over. Coordinator and miner of the network have nothing to do.", poll, cfg.Transfers, pauseLeast, pauseLeast+pauseMore))
	for range 5 { // connections
		if _, err := w.transfer(ctx); err != nil {
			return nil, err
		}
	}
	for range cfg.Rounds {
		for _, kind := range []struct {
			name  string
			pause func() time.Duration
		}{
			{"idle", func() time.Duration { return pauseLeast + rand.N(pauseMore) }}, //nolint:gosec // no secret
			{"one after another", func() time.Duration { return 0 }},
		} {
			took, err := w.transfers(ctx, cfg.Transfers, kind.pause)
			if err != nil {
				return nil, err
			}
			s.Sample(kind.name+", p50", "ms", figure.Millis(figure.Quantile(took, 0.5)))
			s.Sample(kind.name+", p90", "ms", figure.Millis(figure.Quantile(took, 0.9)))
			s.Sample(kind.name+", p99", "ms", figure.Millis(figure.Quantile(took, 0.99)))
		}
	}
	s.AtMost("idle, p99", 50)
	return s, nil
}

// wallet signs the transfers.
type wallet struct {
	chain  *chainclient.Client
	key    receipt.Signer
	signer types.Signer
	id     *big.Int
	nonce  uint64
}

func newWallet(ctx context.Context, n *network.Network) (*wallet, error) {
	w := &wallet{}
	var err error
	if w.chain, err = n.Chain(); err != nil {
		return nil, err
	}
	if w.key, err = n.ClientKey(); err != nil {
		return nil, err
	}
	id, err := w.chain.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	w.id = new(big.Int).SetUint64(id)
	w.signer = types.LatestSignerForChainID(w.id)
	w.nonce, err = w.chain.Nonce(ctx, w.key.Address(), chainclient.Pending)
	return w, err
}

// transfers sends n transfers, each some time after the last was final.
func (w *wallet) transfers(ctx context.Context, n int, pause func() time.Duration) ([]time.Duration, error) {
	var took []time.Duration
	for range n {
		select {
		case <-time.After(pause()):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		d, err := w.transfer(ctx)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return took, nil
}

// transfer returns how long one transfer took to be final.
func (w *wallet) transfer(ctx context.Context) (time.Duration, error) {
	raw, err := w.sign(common.Address{0xbe})
	if err != nil {
		return 0, err
	}
	start := time.Now()
	tx, err := w.chain.SendRaw(ctx, raw)
	if err != nil {
		return 0, fmt.Errorf("send transfer: %w", err)
	}
	t := time.NewTicker(poll)
	defer t.Stop()
	for {
		r, err := w.chain.Receipt(ctx, tx)
		if err == nil {
			if r.Status != types.ReceiptStatusSuccessful {
				return 0, fmt.Errorf("transfer %s did not succeed", tx)
			}
			return time.Since(start), nil
		}
		if !errors.Is(err, chainclient.ErrNotFound) {
			return 0, err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// sign returns the next transfer of one unit.
func (w *wallet) sign(to common.Address) ([]byte, error) {
	tx := types.NewTx(&types.DynamicFeeTx{
		ChainID: w.id, Nonce: w.nonce, To: &to, Value: big.NewInt(1), Gas: transferGas,
		GasTipCap: big.NewInt(1_000_000_000), GasFeeCap: big.NewInt(100_000_000_000),
	})
	sig, err := w.key.SignDigest(w.signer.Hash(tx))
	if err != nil {
		return nil, fmt.Errorf("sign transfer: %w", err)
	}
	if tx, err = tx.WithSignature(w.signer, sig); err != nil {
		return nil, fmt.Errorf("sign transfer: %w", err)
	}
	w.nonce++
	return tx.MarshalBinary()
}
