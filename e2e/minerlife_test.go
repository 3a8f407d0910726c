package e2e_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/settings"
)

// minerJSON runs the miner's program and reads what it prints.
func minerJSON(t *testing.T, n *network.Network, out any, args ...string) {
	t.Helper()
	raw, err := n.Program("aitbc-miner", append(args, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatalf("aitbc-miner %v: %v in %s", args, err, raw)
	}
}

// minersStake is what aitbc-miner stake says.
type minersStake struct {
	Registered bool          `json:"registered"`
	Stake      market.Amount `json:"stake"`
	Unbonding  market.Amount `json:"unbonding"`
	UnbondAt   uint64        `json:"unbond_at"`
	Settings   string        `json:"settings"`
}

// A miner's stake grows and shrinks, and a restart puts nothing back
// that its owner took out; drained it takes no job, and its work is rewarded.
func TestMinersStakeAndWorkAreItsOwners(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{Genesis: func(g *contracts.Genesis) {
		g.Rewards.Epoch = 60
	}})
	name := model(t, n)
	var got submitted
	n.JSON(&got, "submit", "Say hello.", "--model", name, "--max-tokens", "4")
	settled(t, n, got.JobID)

	var s minersStake
	minerJSON(t, n, &s, "stake")
	first := s.Stake
	if !s.Registered || first.IsZero() {
		t.Fatalf("stake: %+v", s)
	}
	minerJSON(t, n, &s, "stake", "decrease", "100")
	less, err := first.Sub(market.Coins(100))
	if err != nil {
		t.Fatal(err)
	}
	if s.Stake != less || s.Unbonding != market.Coins(100) || !strings.HasPrefix(s.Settings, "mining.stake_amount = ") {
		t.Fatalf("after a decrease: %+v", s)
	}
	if _, err := n.Program("aitbc-miner", "stake", "withdraw"); err == nil || !strings.Contains(err.Error(), "it is due at ") {
		t.Fatalf("a withdrawal before its time: %v", err)
	}
	n.Kill("miner")
	n.Wait("the miner", func() bool {
		out, err := n.Client().Models(t.Context())
		return err == nil && len(out) > 0
	})
	if minerJSON(t, n, &s, "stake"); s.Stake != less || s.Unbonding != market.Coins(100) || s.UnbondAt == 0 {
		t.Fatalf("after a restart: %+v", s)
	}
	minerJSON(t, n, &s, "stake", "increase", "40")
	more, err := less.Add(market.Coins(40))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(settings.File(n.Home))
	if err != nil || s.Stake != more || !strings.Contains(string(text), "\n"+strings.TrimPrefix(s.Settings, "mining.")+"\n") {
		t.Errorf("after an increase: %+v, %v\n%s", s, err, text)
	}
	if _, err := n.Program("aitbc-miner", "stake", "decrease", "1000000"); err == nil {
		t.Error("more than there is was taken out")
	}

	if _, err := n.Program("aitbc-miner", "drain"); err != nil {
		t.Fatal(err)
	}
	var waiting api.SubmitResponse
	n.JSON(&waiting, "submit", "Say hello.", "--model", name, "--max-tokens", "4", "--no-wait")
	var why api.Explanation
	if n.JSON(&why, "explain", waiting.JobID.Hex()); len(why.Miners) != 1 || why.Miners[0].Reason != "draining" {
		t.Errorf("explain: %+v", why)
	}
	if _, err := n.Program("aitbc-miner", "drain", "--off"); err != nil {
		t.Fatal(err)
	}
	settled(t, n, waiting.JobID)

	var rewards struct {
		Claimable market.Amount `json:"claimable"`
		Withdrawn market.Amount `json:"withdrawn"`
		Epochs    []uint64      `json:"epochs"`
	}
	n.Wait("the epoch's end", func() bool { minerJSON(t, n, &rewards, "rewards"); return len(rewards.Epochs) > 0 })
	due := rewards.Claimable
	if minerJSON(t, n, &rewards, "rewards", "withdraw"); due.IsZero() || rewards.Withdrawn != due {
		t.Errorf("withdrew %s of %s", rewards.Withdrawn.Coins(), due.Coins())
	}
	if minerJSON(t, n, &rewards, "rewards"); len(rewards.Epochs) != 0 {
		t.Errorf("left: %+v", rewards)
	}
	n.Audit()
}
