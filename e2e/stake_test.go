package e2e_test

import (
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// stakes is what aitbc stake status says.
type stakes struct {
	Delegated   market.Amount `json:"delegated"`
	Rewards     market.Amount `json:"rewards"`
	Unbonding   market.Amount `json:"unbonding"`
	Due         market.Amount `json:"due"`
	Delegations []struct {
		Operator common.Address `json:"operator"`
		Status   string         `json:"status"`
		Amount   market.Amount  `json:"amount"`
	} `json:"delegations"`
	Unbondings []struct {
		Amount   market.Amount `json:"amount"`
		DueAt    uint64        `json:"due_at"`
		DueBlock uint64        `json:"due_block"`
	} `json:"unbondings"`
}

// moved is what the commands that move coins say.
type moved struct {
	Tx     common.Hash   `json:"tx"`
	Block  uint64        `json:"block"`
	Amount market.Amount `json:"amount"`
}

// validatorLine is one line of aitbc validator list.
type validatorLine struct {
	Operator  common.Address `json:"operator"`
	Status    string         `json:"status"`
	Authority bool           `json:"authority"`
	Power     uint64         `json:"power"`
	PowerBps  uint64         `json:"power_bps"`
	Stake     market.Amount  `json:"stake"`
}

// A client delegates, earns, leaves and has its coins back; a miner is paid for
// its work beside its price; and all coins add up.
func TestStakeEarnsAndComesBack(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{Genesis: func(g *contracts.Genesis) {
		g.Staking.EpochBlocks, g.Staking.UnbondDelay, g.Staking.UnbondBlocks = 5, 60, 5
		g.Rewards.Epoch = 60
	}})
	before := n.Audit()
	var got submitted
	n.JSON(&got, "submit", "Say hello.", "--model", model(t, n), "--max-tokens", "4")
	settled(t, n, got.JobID)

	var list []validatorLine
	n.JSON(&list, "validator", "list")
	if len(list) != 1 || list[0].Operator != n.Operator || list[0].Status != "active" || !list[0].Authority || list[0].PowerBps != 10_000 {
		t.Fatalf("validators: %+v", list)
	}
	own := list[0].Stake
	var m moved
	n.JSON(&m, "stake", "delegate", "operator", "--amount", "500")
	if m.Amount != market.Coins(500) || m.Block == 0 {
		t.Errorf("delegate: %+v", m)
	}
	n.Wait("the set to count the stake", func() bool {
		n.JSON(&list, "validator", "list")
		stake, err := own.Add(market.Coins(500))
		return err == nil && list[0].Stake == stake && list[0].Power > 0
	})
	var s stakes
	n.Wait("rewards", func() bool { n.JSON(&s, "stake", "status"); return !s.Rewards.IsZero() })
	if s.Delegated != market.Coins(500) || len(s.Delegations) != 1 || s.Delegations[0].Status != "active" {
		t.Errorf("status: %+v", s)
	}
	var claims []moved
	n.JSON(&claims, "stake", "claim")
	if len(claims) != 1 || claims[0].Amount.Cmp(s.Rewards) < 0 {
		t.Errorf("claimed %+v of %s", claims, s.Rewards)
	}

	if _, err := n.Run("stake", "undelegate", "operator", "--amount", "501"); err == nil || !strings.Contains(err.Error(), "aitbc: hint: the amount is zero, too small, or more than there is") {
		t.Errorf("more was undelegated than there is: %v", err)
	}
	n.JSON(&m, "stake", "undelegate", "operator", "--all")
	if m.Amount != market.Coins(500) {
		t.Errorf("undelegate: %+v", m)
	}
	n.JSON(&s, "stake", "status")
	if !s.Delegated.IsZero() || s.Unbonding != market.Coins(500) || !s.Due.IsZero() || len(s.Unbondings) != 1 || s.Unbondings[0].DueBlock < m.Block+5 {
		t.Errorf("status: %+v", s)
	}
	if _, err := n.Run("stake", "withdraw"); err == nil || !strings.Contains(err.Error(), "aitbc: hint: it is due at ") {
		t.Errorf("withdrawn too early: %v", err)
	}

	// Meanwhile the miner's epoch ends.
	var rewards struct {
		Claimable market.Amount `json:"claimable"`
		Epochs    []struct {
			Fees market.Amount `json:"fees"`
		} `json:"epochs"`
	}
	n.Wait("the miner's epoch", func() bool { n.JSON(&rewards, "rewards", "show"); return !rewards.Claimable.IsZero() })
	// Never more than the share f of the fees that its jobs paid.
	if len(rewards.Epochs) != 1 || 2*rewards.Claimable.Big().Uint64() > rewards.Epochs[0].Fees.Big().Uint64() {
		t.Errorf("rewards: %+v", rewards)
	}
	n.JSON(&claims, "rewards", "claim")
	if len(claims) != 1 || claims[0].Amount != rewards.Claimable {
		t.Errorf("the miner was paid %+v", claims)
	}
	if _, err := n.Run("rewards", "claim"); err == nil || !strings.Contains(err.Error(), "there is nothing to claim") {
		t.Errorf("paid twice: %v", err)
	}

	n.Wait("the end of unbonding", func() bool { n.JSON(&s, "stake", "status"); return s.Due == market.Coins(500) })
	n.JSON(&m, "stake", "withdraw")
	if m.Amount != market.Coins(500) {
		t.Errorf("withdrawn: %+v", m)
	}
	n.Conserved(before, n.Audit())
}
