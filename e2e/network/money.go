package network

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

// Audit is what aitbcd check says of a block.
type Audit struct {
	Height   uint64   `json:"height"`
	OK       bool     `json:"ok"`
	Problems []string `json:"problems"`
	Supply   struct {
		Genesis market.Amount `json:"genesis"`
		Issued  market.Amount `json:"issued"`
		Burned  market.Amount `json:"burned"`
		Total   market.Amount `json:"total"`
	} `json:"supply"`
	Predeploys []struct {
		Name    string         `json:"name"`
		Address common.Address `json:"address"`
		Balance market.Amount  `json:"balance"`
		Owed    market.Amount  `json:"owed"`
		Surplus market.Amount  `json:"surplus"`
	} `json:"predeploys"`
}

// Audit has the node add up all money of its newest block, and fails the test
// if it does not add up.
func (n *Network) Audit() Audit {
	n.t.Helper()
	raw, err := n.Check(-1)
	if err != nil {
		n.t.Fatal(err)
	}
	var a Audit
	if err := json.Unmarshal(raw, &a); err != nil {
		n.t.Fatalf("aitbcd check: %v in %s", err, raw)
	}
	if !a.OK {
		n.t.Fatalf("aitbcd check of block %d: %v", a.Height, a.Problems)
	}
	for _, p := range a.Predeploys {
		if p.Balance.Cmp(p.Owed) < 0 {
			n.t.Fatalf("%s has %s and owes %s", p.Name, p.Balance, p.Owed)
		}
	}
	return a
}

// Conserved fails the test unless Σ before + issued = Σ after + burned, to the unit.
func (n *Network) Conserved(before, after Audit) {
	n.t.Helper()
	left := new(big.Int).Add(before.Supply.Total.Big(), sub(after.Supply.Issued, before.Supply.Issued))
	right := new(big.Int).Add(after.Supply.Total.Big(), sub(after.Supply.Burned, before.Supply.Burned))
	if left.Cmp(right) != 0 {
		n.t.Fatalf("blocks %d to %d: %d before and issued, %d after and burned", before.Height, after.Height, left, right)
	}
}

func sub(a, b market.Amount) *big.Int { return new(big.Int).Sub(a.Big(), b.Big()) }

// Balance returns an account's balance in the newest block.
func (n *Network) Balance(a common.Address) market.Amount {
	n.t.Helper()
	b, err := n.Chain().Balance(n.t.Context(), a, chainclient.Latest)
	if err != nil {
		n.t.Fatal(err)
	}
	return b
}
