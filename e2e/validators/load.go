package validators

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// account is a key that the first block funds.
type account struct {
	key     *ecdsa.PrivateKey
	address common.Address
}

// accounts are as many transfers as may be under way at once.
func accounts() []account {
	out := make([]account, 12)
	for i := range out {
		out[i] = named("account", i)
	}
	return out
}

// operator is the account that a node's validator belongs to.
func operator(i int) account { return named("operator", i) }

func named(role string, i int) account {
	k, err := crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "%s %d of the validators' tests", role, i)))
	if err != nil {
		panic(err) // a keccak hash is a valid scalar
	}
	return account{k, crypto.PubkeyToAddress(k.PublicKey)}
}

// Committed is a transaction whose receipt was seen.
type Committed struct {
	Hash, Block common.Hash
	From        account
	Nonce       uint64
}

// Load sends transfers, one at a time from each account, to whichever node
// answers, and sends each again until it is in a block.
type Load struct {
	c      *Cluster
	cancel context.CancelFunc
	wg     sync.WaitGroup
	sent   atomic.Uint64

	// mu guards done.
	mu   sync.Mutex
	done []Committed
}

// resendAfter is how long a sender waits for a receipt before it offers the transaction to another node.
const resendAfter = 3 * time.Second

// Load starts to send. Only one load runs at a time.
func (c *Cluster) Load() *Load {
	c.t.Helper()
	var id hexutil.Uint64
	if err := c.Nodes[0].eth.call(c.t.Context(), &id, "eth_chainId", []any{}); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{c: c, cancel: cancel}
	c.load = l
	signer := types.LatestSignerForChainID(new(big.Int).SetUint64(uint64(id)))
	for i, a := range accounts() {
		l.wg.Go(func() { l.send(ctx, i, a, signer) })
	}
	return l
}

// stop ends the sending. It may be called more than once.
func (l *Load) stop() {
	l.cancel()
	l.wg.Wait()
}

// Committed is what was seen in blocks until now.
func (l *Load) Committed() []Committed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Committed(nil), l.done...)
}

// send makes one account's transfers until ctx ends.
func (l *Load) send(ctx context.Context, i int, a account, signer types.Signer) {
	to := common.HexToAddress("0xb0b")
	turn := i
	node := func() *Node { turn++; return l.c.Nodes[turn%len(l.c.Nodes)] }
	var nonce uint64
	for known := false; !known && ctx.Err() == nil; {
		var n hexutil.Uint64
		if node().eth.call(ctx, &n, "eth_getTransactionCount", []any{a.address, "latest"}) == nil {
			nonce, known = uint64(n), true
		} else {
			pause(ctx, poll)
		}
	}
	for ctx.Err() == nil {
		tx, err := types.SignNewTx(a.key, signer, &types.DynamicFeeTx{
			ChainID: signer.ChainID(), Nonce: nonce, Gas: 21_000, GasFeeCap: big.NewInt(1e11), GasTipCap: big.NewInt(1e6), To: &to, Value: big.NewInt(1),
		})
		if err != nil {
			panic(err) // a valid key signs
		}
		if r := l.deliver(ctx, tx, node); r != nil {
			l.mu.Lock()
			l.done = append(l.done, Committed{tx.Hash(), r.BlockHash, a, nonce})
			l.mu.Unlock()
			nonce++
		}
	}
}

// deliver offers a transaction to one node after another until one shows its receipt.
func (l *Load) deliver(ctx context.Context, tx *types.Transaction, node func() *Node) *types.Receipt {
	raw, err := tx.MarshalBinary()
	if err != nil {
		panic(err) // it was signed
	}
	for ctx.Err() == nil {
		n := node()
		var h common.Hash
		err := n.eth.call(ctx, &h, "eth_sendRawTransaction", []any{hexutil.Bytes(raw)})
		// "nonce too low" may mean that it is in a block already.
		if err != nil && !strings.Contains(err.Error(), "nonce too low") {
			pause(ctx, poll)
			continue
		}
		l.sent.Add(1)
		for wait := time.Duration(0); wait < resendAfter && ctx.Err() == nil; wait += poll {
			if r, err := n.receipt(ctx, tx.Hash()); err == nil {
				return r
			}
			pause(ctx, poll)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Finish stops the load and fails the test unless all nodes that run agree, and
// have every transaction that was seen in a block in that very block. It
// returns how many those are.
func (l *Load) Finish() int {
	l.c.t.Helper()
	l.stop()
	l.c.Agree()
	return l.Kept()
}

// Kept fails the test unless every transaction that was seen in a block until
// now is in the very same block at every node that runs and has all blocks. It returns how many.
func (l *Load) Kept() int {
	t := l.c.t
	t.Helper()
	done := l.Committed()
	if len(done) == 0 {
		t.Fatal("no transaction was committed")
	}
	l.c.Reach(l.c.Height())
	for _, n := range l.c.chosen(nil) {
		if n.late {
			continue
		}
		for _, tx := range done {
			r, err := n.receipt(t.Context(), tx.Hash)
			if err != nil {
				t.Fatalf("transaction %s was in block %s and is lost at node%d: %v", tx.Hash, tx.Block, n.index, err)
			}
			if r.BlockHash != tx.Block || r.Status != types.ReceiptStatusSuccessful {
				t.Fatalf("transaction %s was in block %s and is in %s at node%d, status %d", tx.Hash, tx.Block, r.BlockHash, n.index, r.Status)
			}
		}
	}
	return len(done)
}
