package chainclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
)

const errorsABI = `[{"type":"error","name":"TooPoor","inputs":[{"name":"have","type":"uint256"},{"name":"need","type":"uint256"}]}]`

func contract(t *testing.T) abi.ABI {
	t.Helper()
	a, err := abi.JSON(strings.NewReader(errorsABI))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tooPoor returns the revert data of TooPoor(3, 5).
func tooPoor(t *testing.T) []byte {
	t.Helper()
	e := contract(t).Errors["TooPoor"]
	b, err := e.Inputs.Pack(big.NewInt(3), big.NewInt(5))
	if err != nil {
		t.Fatal(err)
	}
	return append(e.ID.Bytes()[:4], b...)
}

var tx = chainclient.Tx{To: common.Address{9}, Value: big.NewInt(11), Data: []byte{1, 2}}

func TestSendSignsForTheChainAndReturnsTheReceipt(t *testing.T) {
	t.Parallel()
	n, c := newNode(t)
	r, err := chainclient.NewSender(c, account{}).Send(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	got := n.taken[0]
	from, err := types.Sender(types.LatestSignerForChainID(big.NewInt(chainID)), got)
	if err != nil || from != (account{}).Address() {
		t.Fatalf("signed by %s, %v", from, err)
	}
	if got.Hash() != r.TxHash || *got.To() != tx.To || got.Value().Cmp(tx.Value) != 0 || got.Gas() < 21000 {
		t.Fatalf("sent %+v", got)
	}
}

func TestSendOffersAgainWhatThePoolForgot(t *testing.T) {
	t.Parallel()
	n, c := newNode(t)
	n.drop = func(i int, _ *types.Transaction) bool { return i == 1 }
	if _, err := chainclient.NewSender(c, account{}).Send(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if len(n.offered) != 2 || n.offered[0].Hash() != n.offered[1].Hash() {
		t.Fatalf("offered %d forms", len(n.offered))
	}
}

func TestSendPaysMoreWhenBlocksBecomeDearer(t *testing.T) {
	t.Parallel()
	n, c := newNode(t)
	n.drop = func(i int, _ *types.Transaction) bool {
		if i == 1 {
			n.base = big.NewInt(50_000_000_000)
		}
		return i == 1
	}
	if _, err := chainclient.NewSender(c, account{}).Send(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	first, last := n.offered[0], n.offered[len(n.offered)-1]
	if first.Nonce() != last.Nonce() || last.GasFeeCap().Cmp(n.base) < 0 {
		t.Fatalf("first %v, last %v", first, last)
	}
}

// Whoever fixes the nonce learns the next one before anything is sent, and may
// have it that nothing is.
func TestSendUsesThePinnedNonce(t *testing.T) {
	t.Parallel()
	n, c := newNode(t)
	s := chainclient.NewSender(c, account{})
	pinned, told := tx, uint64(99)
	pinned.Pin = func(_ context.Context, next uint64) (uint64, error) { told = next; return next, nil }
	if _, err := s.Send(t.Context(), pinned); err != nil {
		t.Fatal(err)
	}
	if len(n.offered) != 1 || n.offered[0].Nonce() != told {
		t.Fatalf("told %d, sent %+v", told, n.offered)
	}
	stale := errors.New("another settles")
	pinned.Pin = func(context.Context, uint64) (uint64, error) { return 0, stale }
	if _, err := s.Send(t.Context(), pinned); !errors.Is(err, stale) || len(n.offered) != 1 {
		t.Fatalf("%v; offered %d", err, len(n.offered))
	}
}

func TestSendReportsAStolenNonce(t *testing.T) {
	t.Parallel()
	n, c := newNode(t)
	n.drop = func(int, *types.Transaction) bool { n.stolen = 1; return true }
	if _, err := chainclient.NewSender(c, account{}).Send(t.Context(), tx); !errors.Is(err, chainclient.ErrReplaced) {
		t.Fatalf("err = %v", err)
	}
}

func TestRefusalIsExplained(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, err error) {
		t.Helper()
		e, ok := errors.AsType[*chainclient.RevertError](err)
		if !ok || e.Name != "TooPoor" || e.Text != "TooPoor(have 3, need 5)" {
			t.Fatalf("err = %v", err)
		}
	}
	t.Run("before it is sent", func(t *testing.T) {
		t.Parallel()
		n, c := newNode(t)
		n.revert = tooPoor(t)
		_, err := chainclient.NewSender(c, account{}, contract(t)).Send(t.Context(), tx)
		check(t, err)
		if len(n.offered) != 0 {
			t.Fatal("sent all the same")
		}
	})
	t.Run("in its block", func(t *testing.T) {
		t.Parallel()
		n, c := newNode(t)
		n.revert, n.status = tooPoor(t), 0
		fixed := tx
		fixed.Gas = 100_000
		r, err := chainclient.NewSender(c, account{}, contract(t)).Send(t.Context(), fixed)
		check(t, err)
		if r == nil || len(n.taken) != 1 {
			t.Fatal("no receipt of a transaction that cost its gas")
		}
	})
}

func TestConcurrentSendsUseEachNonceOnce(t *testing.T) {
	t.Parallel()
	n, c := newNode(t)
	s := chainclient.NewSender(c, account{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Send(t.Context(), tx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, got := range n.taken {
		if got.Nonce() != uint64(i) {
			t.Fatalf("transaction %d has nonce %d", i, got.Nonce())
		}
	}
	if len(n.taken) != 8 || len(n.offered) != 8 {
		t.Fatalf("%d taken of %d", len(n.taken), len(n.offered))
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	n, c := newNode(t)
	n.drop = func(int, *types.Transaction) bool { return true }
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := chainclient.NewSender(c, account{}).Send(ctx, tx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("err = %v", err)
	}
}

func TestClientReads(t *testing.T) {
	t.Parallel()
	_, c := newNode(t)
	if id, err := c.ChainID(t.Context()); err != nil || id != chainID {
		t.Errorf("ChainID = %d, %v", id, err)
	}
	if _, err := c.Receipt(t.Context(), common.Hash{1}); !errors.Is(err, chainclient.ErrNotFound) {
		t.Errorf("Receipt: %v", err)
	}
	if _, err := c.Balance(t.Context(), common.Address{}, chainclient.Latest); err == nil || !strings.Contains(err.Error(), "eth_getBalance: node: no method") {
		t.Errorf("Balance: %v", err)
	}
	logs, err := c.Logs(t.Context(), chainclient.Filter{From: 1, To: 2, Addresses: []common.Address{{7}}, Topics: [][]common.Hash{{{1}}}})
	if err != nil || len(logs) != 1 || logs[0].BlockNumber != 3 {
		t.Fatalf("Logs = %v, %v", logs, err)
	}
	var asked map[string]json.RawMessage
	if err := json.Unmarshal(logs[0].Data, &asked); err != nil || string(asked["fromBlock"]) != `"0x1"` || string(asked["toBlock"]) != `"0x2"` {
		t.Errorf("asked %s, %v", logs[0].Data, err)
	}
}

// A node without an index of events could not answer for a long chain in time.
func TestLogsOfALongChainAreAskedForInParts(t *testing.T) {
	t.Parallel()
	_, c := newNode(t)
	logs, err := c.Logs(t.Context(), chainclient.Filter{From: 5, To: 250_000})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range logs {
		var asked struct{ FromBlock, ToBlock hexutil.Uint64 }
		if err := json.Unmarshal(l.Data, &asked); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d-%d", asked.FromBlock, asked.ToBlock))
	}
	if want := []string{"5-100004", "100005-200004", "200005-250000"}; !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
}
