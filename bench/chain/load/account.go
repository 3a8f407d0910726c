package load

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/sync/errgroup"
)

// Account signs transactions, one nonce after another. It belongs to one goroutine.
type Account struct {
	key     *ecdsa.PrivateKey
	address common.Address
	nonce   uint64
}

// NewAccount is the i-th account of every chain that is measured.
func NewAccount(i int) (*Account, error) {
	seed := sha256.Sum256(fmt.Appendf(nil, "aitbc-load-%d", i))
	key, err := crypto.ToECDSA(seed[:])
	if err != nil {
		return nil, fmt.Errorf("account %d: %w", i, err)
	}
	return &Account{key: key, address: crypto.PubkeyToAddress(key.PublicKey)}, nil
}

// Accounts are the first n.
func Accounts(n int) ([]*Account, error) {
	out := make([]*Account, n)
	for i := range out {
		var err error
		if out[i], err = NewAccount(i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Address is the account's.
func (a *Account) Address() common.Address { return a.address }

// SignDigest signs 32 bytes: r, s and v of 0 or 1.
func (a *Account) SignDigest(digest common.Hash) ([]byte, error) {
	return crypto.Sign(digest[:], a.key)
}

// Call is what a transaction does. A nil To deploys.
type Call struct {
	To    *common.Address
	Value *big.Int
	Gas   uint64
	Data  []byte
}

// feeCap is far above any base fee that a measurement brings about.
var feeCap = big.NewInt(100_000_000_000)

// Sign signs the account's next transaction.
func (a *Account) Sign(chain *big.Int, c Call) (*types.Transaction, error) {
	tx, err := types.SignNewTx(a.key, types.LatestSignerForChainID(chain), &types.DynamicFeeTx{
		ChainID: chain, Nonce: a.nonce, Gas: c.Gas, GasFeeCap: feeCap, GasTipCap: big.NewInt(1), To: c.To, Value: c.Value, Data: c.Data,
	})
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	a.nonce++
	return tx, nil
}

// Queues signs n transactions of each account. It gives account i's j-th call from of(i, j).
func Queues(chain *big.Int, accounts []*Account, n int, of func(i, j int) (Call, error)) ([]Queue, error) {
	out := []Queue{}
	for range accounts {
		out = append(out, nil)
	}
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	for i, a := range accounts {
		g.Go(func() error {
			for j := range n {
				c, err := of(i, j)
				if err != nil {
					return err
				}
				tx, err := a.Sign(chain, c)
				if err != nil {
					return err
				}
				out[i] = append(out[i], tx)
			}
			return nil
		})
	}
	return out, g.Wait()
}

// Sync reads the accounts' nonces from the chain, so that what was signed and never sent is forgotten.
func Sync(ctx context.Context, url string, accounts []*Account) error {
	d := newDoor(url, connections)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, a := range accounts {
		g.Go(func() error {
			var n hexutil.Uint64
			if err := d.one(ctx, &n, "eth_getTransactionCount", a.address, "latest"); err != nil {
				return err
			}
			a.nonce = uint64(n)
			return nil
		})
	}
	return g.Wait()
}

// Receipt is what a transaction did.
type Receipt struct {
	Status   hexutil.Uint64  `json:"status"`
	GasUsed  hexutil.Uint64  `json:"gasUsed"`
	Contract *common.Address `json:"contractAddress"`
	Logs     []*types.Log    `json:"logs"`
}

// Do sends one transaction of an account, waits for it, and fails unless it succeeds.
func Do(ctx context.Context, url string, chain *big.Int, a *Account, c Call) (*Receipt, error) {
	tx, err := a.Sign(chain, c)
	if err != nil {
		return nil, err
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	d := newDoor(url, 1)
	answers, err := d.send(ctx, []string{hexutil.Encode(raw)})
	if err != nil {
		return nil, err
	}
	if answers[0] != "" {
		return nil, fmt.Errorf("send transaction: node says %s", answers[0])
	}
	return wait(ctx, d, tx.Hash())
}

// Find waits for the receipt of a transaction, which must succeed.
func Find(ctx context.Context, url string, tx common.Hash) (*Receipt, error) {
	return wait(ctx, newDoor(url, 1), tx)
}

// insist sends a transaction again while the pool has no room.
func insist(ctx context.Context, d *door, raw string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		answers, err := d.send(ctx, []string{raw})
		if err != nil {
			return err
		}
		if answers[0] == "" {
			return nil
		}
		if !strings.Contains(answers[0], "try again") {
			return fmt.Errorf("send transaction: node says %s", answers[0])
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("send transaction: node says %s: %w", answers[0], ctx.Err())
		case <-tick.C:
		}
	}
}

// All sends one sender's transactions, waits for the last, and fails unless all were taken.
func All(ctx context.Context, url string, q Queue) error {
	d := newDoor(url, 1)
	for _, tx := range q {
		raw, err := tx.MarshalBinary()
		if err != nil {
			return fmt.Errorf("encode transaction: %w", err)
		}
		if err := insist(ctx, d, hexutil.Encode(raw)); err != nil {
			return err
		}
	}
	for _, tx := range q {
		if _, err := wait(ctx, d, tx.Hash()); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, d *door, tx common.Hash) (*Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var r *Receipt
		// A node may say that it is still indexing: that is no receipt yet either.
		if err := d.one(ctx, &r, "eth_getTransactionReceipt", tx); err == nil && r != nil {
			if r.Status != hexutil.Uint64(types.ReceiptStatusSuccessful) {
				return r, fmt.Errorf("transaction %v failed after %d gas", tx, uint64(r.GasUsed))
			}
			return r, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for transaction %v: %w", tx, ctx.Err())
		case <-tick.C:
		}
	}
}
