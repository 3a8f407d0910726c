package e2e_test

import (
	"testing"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// A session that nobody ever settles pays its deposit back after its expiry,
// without anybody's transaction, even while the coordinator is away.
func TestForgottenSessionIsRefundedByTheChain(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	chain := n.Chain()
	m := predeploy.NewMarket(chain)
	sender := predeploy.NewSender(chain, n.Key(n.Network.Client))
	deposit := market.Coins(7)
	head, err := chain.Header(t.Context(), chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	id, opened, err := m.OpenSession(t.Context(), sender, predeploy.Opening{Coordinator: n.Coordinator, Spender: n.Network.Client, Expiry: head.Time + uint64((6 * time.Second).Seconds()), Deposit: deposit})
	if err != nil {
		t.Fatal(err)
	}
	n.Signal("coordinator", stopSignal) // nobody helps
	defer n.Signal("coordinator", contSignal)
	nonce, err := chain.Nonce(t.Context(), n.Network.Client, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	low := n.Balance(n.Network.Client)
	var s predeploy.Session
	n.Wait("the refund", func() bool {
		if s, err = m.Session(t.Context(), id, chainclient.Latest); err != nil {
			t.Fatal(err)
		}
		return s.State == predeploy.StateClosed
	})
	want, err := low.Add(deposit)
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Balance(n.Network.Client); got != want {
		t.Errorf("the client has %s after the refund, want %s", got, want)
	}
	if !s.Debited.IsZero() {
		t.Errorf("%s were debited", s.Debited)
	}
	after, err := chain.Nonce(t.Context(), n.Network.Client, chainclient.Latest)
	if err != nil || after != nonce {
		t.Errorf("the client sent a transaction: nonce %d, then %d: %v", nonce, after, err)
	}
	t.Logf("session %d of block %d is closed", id, opened.BlockNumber)
	n.Audit()
}
