package e2e_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// proposal is what the commands of aitbc gov say of one.
type proposal struct {
	Number      uint64        `json:"number"`
	ID          string        `json:"id"`
	State       string        `json:"state"`
	Description string        `json:"description"`
	For         market.Amount `json:"for"`
	Against     market.Amount `json:"against"`
	Supply      market.Amount `json:"supply"`
	ETA         uint64        `json:"eta"`
	Actions     []struct {
		Text string `json:"text"`
	} `json:"actions"`
	Votes []struct {
		Voter    common.Address `json:"voter"`
		Operator common.Address `json:"as_delegator_of"`
		Weight   market.Amount  `json:"weight"`
		Reason   string         `json:"reason"`
	} `json:"votes"`
}

// cast is what aitbc gov vote says.
type cast struct {
	Vote   string        `json:"vote"`
	Weight market.Amount `json:"weight"`
}

// Stake decides: a proposal goes all the way from its words to another behaviour
// of the Market, and a delegator who is of another opinion than its validator
// takes its stake out of the validator's vote.
func TestStakeDecides(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{Genesis: func(g *contracts.Genesis) {
		g.Governance.VotingDelay, g.Governance.VotingPeriod, g.Governance.TimelockDelay = 10, 30, 3
	}})
	before := n.Audit()
	fee := func() uint16 {
		t.Helper()
		p, err := predeploy.NewMarket(n.Chain()).Params(t.Context(), chainclient.Latest)
		if err != nil {
			t.Fatal(err)
		}
		return p.FeeBps
	}
	if fee() == 321 {
		t.Fatal("the fee is what it shall become")
	}
	var list []validatorLine
	n.JSON(&list, "validator", "list")
	own := list[0].Stake

	const text = "Raise the fee"
	words := []string{"gov", "propose", "param", "--contract", "market", "--set", "feeBps=321", "--description", text}
	if _, err := n.Run(words...); err == nil || !strings.Contains(err.Error(), "aitbc: hint: proposing takes ") {
		t.Errorf("proposed without stake: %v", err)
	}
	var m moved
	n.JSON(&m, "stake", "delegate", "operator", "--amount", "20000")
	past(t, n, m.Block) // stake counts from the next second on

	var p proposal
	n.JSON(&p, words...)
	if p.Number != 1 || len(p.Actions) != 1 || !strings.HasPrefix(p.Actions[0].Text, "market.setParams(feeBps 321, ") {
		t.Fatalf("proposed %+v", p)
	}
	if _, err := n.Run("gov", "propose", "param", "--contract", "market", "--set", "feeBps=60000", "--description", "More"); err == nil || !strings.Contains(err.Error(), "is out of its bounds; --unchecked proposes it all the same") {
		t.Errorf("proposed what cannot be: %v", err)
	}
	// A second thought is free until the vote begins.
	var second proposal
	n.JSON(&second, "gov", "propose", "spend", "--to", "client", "--amount", "5", "--description", "For me", "--unchecked")
	n.JSON(&second, "gov", "cancel", "2")
	if second.State != "canceled" {
		t.Errorf("canceled: %+v", second)
	}

	number := strconv.FormatUint(p.Number, 10)
	until := func(state string) {
		t.Helper()
		n.Wait("the proposal to be "+state, func() bool { n.JSON(&p, "gov", "show", number); return p.State == state })
	}
	until("active")
	if p.Description != text {
		t.Errorf("the description is %q", p.Description)
	}
	var v cast
	n.JSON(&v, "gov", "vote", number, "for", "--from", "operator", "--reason", "costs")
	if all, err := own.Add(market.Coins(20_000)); err != nil || v.Weight != all {
		t.Errorf("the validator voted with %s of %s", v.Weight, all)
	}
	n.JSON(&v, "gov", "vote", number, "against", "--as-delegator-of", "operator")
	if v.Weight != market.Coins(20_000) {
		t.Errorf("the delegator voted with %s", v.Weight)
	}
	for hint, args := range map[string][]string{
		"has voted with its stake at": {"gov", "vote", number, "for", "--as-delegator-of", "operator"},
		"this account has voted":      {"gov", "vote", number, "for", "--from", "operator"},
		"is the operator itself":      {"gov", "vote", number, "for", "--from", "operator", "--as-delegator-of", "operator"},
		"had no stake at":             {"gov", "vote", number, "for", "--from", "miner", "--as-delegator-of", "operator"},
		"the proposal is active":      {"gov", "execute", number},
	} {
		if _, err := n.Run(args...); err == nil || !strings.Contains(err.Error(), "aitbc: hint: ") || !strings.Contains(err.Error(), hint) {
			t.Errorf("aitbc %s: %v, want %q", strings.Join(args, " "), err, hint)
		}
	}
	n.JSON(&p, "gov", "show", p.ID)
	if len(p.Votes) != 2 || p.Votes[0].Voter != n.Operator || p.Votes[0].Reason != "costs" || p.Votes[1].Operator != n.Operator || p.Votes[1].Weight != market.Coins(20_000) {
		t.Errorf("votes: %+v", p.Votes)
	}
	if p.For != own || p.Against != market.Coins(20_000) {
		t.Errorf("votes: %+v", p)
	}

	until("succeeded")
	n.JSON(&p, "gov", "queue", number)
	if p.State != "queued" || p.ETA == 0 {
		t.Errorf("queued: %+v", p)
	}
	if fee() == 321 {
		t.Error("the fee changed before its time")
	}
	n.Wait("the delay", func() bool {
		h, err := n.Chain().Header(t.Context(), chainclient.Latest)
		return err == nil && h.Time >= p.ETA
	})
	n.JSON(&p, "gov", "execute", number)
	if p.State != "executed" || fee() != 321 {
		t.Errorf("executed: %+v, the fee is %d", p, fee())
	}
	var params map[string]string
	n.JSON(&params, "gov", "params", "market")
	if params["feeBps"] != "321" {
		t.Errorf("params: %v", params)
	}
	// What is opened from now on pays the new fee.
	var opened struct {
		Session uint64 `json:"session"`
	}
	n.JSON(&opened, "session", "open", "--deposit", "5")
	var session struct {
		FeeBps uint16 `json:"fee_bps"`
	}
	n.JSON(&session, "session", "show", strconv.FormatUint(opened.Session, 10))
	if session.FeeBps != 321 {
		t.Errorf("a new session pays %d", session.FeeBps)
	}
	var all []proposal
	n.JSON(&all, "gov", "proposals")
	if len(all) != 2 || all[0].State != "canceled" || all[1].State != "executed" {
		t.Errorf("proposals: %+v", all)
	}
	n.Conserved(before, n.Audit())
}

// Every friendly form becomes the call that it names.
func TestFormsOfProposals(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	who := common.HexToAddress("0x00000000000000000000000000000000000000aA").Hex()
	for want, args := range map[string][]string{
		"staking.setAuthority(operator " + who + ", admitted true)":              {"authority", "--admit", who},
		"staking.setAuthority(operator " + who + ", admitted false)":             {"authority", "--remove", who},
		"treasury.spend(to " + who + ", amount 1500000000000000000 = 1.5 AITBC)": {"spend", "--to", who, "--amount", "1.5"},
		"market.upgradeToAndCall(newImplementation " + who + ", data 0x)":        {"upgrade-contract", "--contract", "market", "--implementation", who},
		`upgrades.schedule(name "v2", height 9000, info "https://example.org")`:  {"upgrade-node", "--name", "v2", "--height", "9000", "--info", "https://example.org"},
		"upgrades.cancel()":                              {"upgrade-node", "--cancel"},
		who + " called with 0x12345678 with 2 AITBC":     {"call", "--to", who, "--data", "0x12345678", "--value", "2"},
		"governor.setVotingPeriod(newVotingPeriod 7200)": {"param", "--contract", "governor", "--set", "votingPeriod=7200"},
		"timelock.updateDelay(newDelay 60)":              {"param", "--contract", "timelock", "--set", "delay=60"},
	} {
		var actions []struct {
			Text string `json:"text"`
		}
		n.JSON(&actions, append(append([]string{"gov", "propose"}, args...), "--dry-run")...)
		if len(actions) != 1 || actions[0].Text != want {
			t.Errorf("%v: %+v, want %s", args, actions, want)
		}
	}
	for _, contract := range []string{"registry", "market", "staking", "rewards", "governor", "timelock", "faucet"} {
		var params map[string]string
		n.JSON(&params, "gov", "params", contract)
		if len(params) == 0 {
			t.Errorf("%s has no parameters", contract)
		}
		for name, value := range params { // what is shown can be proposed
			var actions []json.RawMessage
			n.JSON(&actions, "gov", "propose", "param", "--contract", contract, "--set", name+"="+value, "--dry-run")
			if len(actions) != 1 {
				t.Errorf("%s.%s: %d actions", contract, name, len(actions))
			}
		}
	}
	out, err := n.RunWithInput(`{"description": "both", "actions": [{"spend": {"to": "`+who+`", "amount": "1"}}, {"param": {"contract": "rewards", "set": {"minerFeeBps": "1"}}}]}`,
		"gov", "propose", "file", "-", "--dry-run")
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0], "treasury.spend(") || !strings.Contains(lines[1], "minerFeeBps 1,") {
		t.Errorf("%q, %v", out, err)
	}
	var settings map[string]any
	n.JSON(&settings, "gov", "params")
	if settings["voting_period"] == nil || settings["upgrade"] != nil {
		t.Errorf("settings: %v", settings)
	}
}

// A test network's faucet fills an account that has nothing, once in a while.
func TestFaucet(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	before := n.Audit()
	var made struct {
		Address common.Address `json:"address"`
	}
	n.JSON(&made, "keys", "create")
	var m moved
	n.JSON(&m, "faucet", made.Address.Hex())
	if m.Amount.IsZero() || n.Balance(made.Address) != m.Amount {
		t.Fatalf("%+v, the account has %s", m, n.Balance(made.Address))
	}
	if _, err := n.Run("faucet", made.Address.Hex()); err == nil || !strings.Contains(err.Error(), "aitbc: hint: the faucet gives an account coins once in a while") {
		t.Errorf("twice at once: %v", err)
	}
	n.Conserved(before, n.Audit())
}

// past waits until a block is two seconds old by the chain's own clock.
func past(t *testing.T, n *network.Network, block uint64) {
	t.Helper()
	then, err := n.Chain().Header(t.Context(), chainclient.At(block))
	if err != nil {
		t.Fatal(err)
	}
	n.Wait("the next seconds", func() bool {
		now, err := n.Chain().Header(t.Context(), chainclient.Latest)
		return err == nil && now.Time >= then.Time+2
	})
}
