package predeploy_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

func TestSetParamsKeepsWhatIsNotNamed(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	m := contracts.DefaultMarketParams()
	c.view(t, contracts.MarketAddress, marketABI(t), "params", nil, m.ABI())
	actions, err := predeploy.SetParams(t.Context(), client, "Market", map[string]string{"feeBps": "300", "minDeposit": "0.25 AITBC"}, chainclient.Latest)
	if err != nil || len(actions) != 1 || actions[0].Target != contracts.MarketAddress {
		t.Fatalf("%v, %v", actions, err)
	}
	m.FeeBps, m.MinDeposit = 300, market.Units(25e16)
	want, err := marketABI(t).Pack("setParams", m.ABI())
	if err != nil || string(actions[0].Data) != string(want) {
		t.Errorf("%x, want %x (%v)", actions[0].Data, want, err)
	}
	if text := actions[0].String(); !strings.HasPrefix(text, "market.setParams(feeBps 300, minDeposit 250000000000000000 = 0.25 AITBC, ") {
		t.Errorf("said as %q", text)
	}
}

// What was decided before and waits for the next epoch must not be undone.
func TestSetParamsBuildsOnWhatWaits(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	rewards := parsed(t, contracts.RewardsABI)
	now, next := contracts.DefaultRewardsParams(), contracts.DefaultRewardsParams()
	next.StakerFeeBps = 1234
	c.view(t, contracts.RewardsAddress, rewards, "params", nil, now.ABI())
	c.view(t, contracts.RewardsAddress, rewards, "nextParams", nil, next.ABI())
	actions, err := predeploy.SetParams(t.Context(), client, "rewards", map[string]string{"minerFeeBps": "1"}, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	next.MinerFeeBps = 1
	want, err := rewards.Pack("setParams", next.ABI())
	if err != nil || string(actions[0].Data) != string(want) {
		t.Errorf("%s (%v)", actions[0], err)
	}
}

func TestSettersOfTheirOwn(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	governor, timelock := parsed(t, contracts.GovernorABI), parsed(t, contracts.TimelockABI)
	for method, n := range map[string]int64{"votingDelay": 1, "votingPeriod": 2, "quorumNumerator": 3, "proposalThreshold": 5} {
		c.view(t, contracts.GovernorAddress, governor, withoutArguments(t, governor, method), nil, big.NewInt(n))
	}
	c.view(t, contracts.TimelockAddress, timelock, "getMinDelay", nil, big.NewInt(6))
	params, err := predeploy.Params(t.Context(), client, "governor", chainclient.Latest)
	if err != nil || len(params) != 4 || params[3] != (predeploy.Param{Name: "votingPeriod", Type: "uint32", Value: "2"}) {
		t.Errorf("%v, %v", params, err)
	}
	if params, err := predeploy.Params(t.Context(), client, "timelock", chainclient.Latest); err != nil || len(params) != 1 || params[0].Name != "delay" || params[0].Value != "6" {
		t.Errorf("%v, %v", params, err)
	}
	actions, err := predeploy.SetParams(t.Context(), client, "governor", map[string]string{"votingPeriod": "60", "quorumNumerator": "400"}, chainclient.Latest)
	if err != nil || len(actions) != 2 || actions[0].String() != "governor.updateQuorumNumerator(newQuorumNumerator 400)" || actions[1].String() != "governor.setVotingPeriod(newVotingPeriod 60)" {
		t.Errorf("%v, %v", actions, err)
	}
}

func TestJobParamsAreAPartOfTheMarkets(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	c.view(t, contracts.MarketAddress, marketABI(t), "jobParams", nil, contracts.DefaultJobParams().ABI())
	params, err := predeploy.Params(t.Context(), client, "jobs", chainclient.Latest)
	if err != nil || len(params) != 8 || params[2] != (predeploy.Param{Name: "bondBps", Type: "uint16", Value: "2000"}) {
		t.Errorf("%v, %v", params, err)
	}
	actions, err := predeploy.SetParams(t.Context(), client, "jobs", map[string]string{"bondBps": "3000", "minFee": "1 AITBC"}, chainclient.Latest)
	if err != nil || len(actions) != 1 || !strings.HasPrefix(actions[0].String(), "market.setJobParams(minFee 1000000000000000000 = 1 AITBC, minBond 10000000000000000 = 0.01 AITBC, bondBps 3000, ") {
		t.Errorf("%v, %v", actions, err)
	}
}

func TestBadChangesAreRefused(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	c.view(t, contracts.MarketAddress, marketABI(t), "params", nil, contracts.DefaultMarketParams().ABI())
	for _, x := range []struct {
		contract, field, value, want string
	}{
		{"bazaar", "feeBps", "1", "is none of registry, market"},
		{"market", "feeBips", "1", `has no parameter "feeBips": it has feeBps, minDeposit`},
		{"market", "feeBps", "65536", "does not fit into uint16"},
		{"market", "feeBps", "-1", "is not a whole number"},
		{"market", "feeBps", "1 AITBC", "is not a whole number"},
		{"market", "minDeposit", "x AITBC", "not an amount"},
		{"treasury", "x", "1", "treasury has no parameters"},
		{"timelock", "minDelay", "1", "it has delay"},
	} {
		_, err := predeploy.SetParams(t.Context(), client, x.contract, map[string]string{x.field: x.value}, chainclient.Latest)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s.%s=%s: %v, want %q", x.contract, x.field, x.value, err, x.want)
		}
	}
	if _, err := predeploy.SetParams(t.Context(), client, "market", nil, chainclient.Latest); err == nil {
		t.Error("nothing was changed, and no error")
	}
}

func TestActionsAreSaid(t *testing.T) {
	t.Parallel()
	who := common.HexToAddress("0x00000000000000000000000000000000000000aA")
	for want, build := range map[string]func() (predeploy.Action, error){
		"staking.setAuthority(operator " + who.Hex() + ", admitted true)": func() (predeploy.Action, error) { return predeploy.SetAuthority(who, true) },
		"treasury.spend(to " + who.Hex() + ", amount 5)":                  func() (predeploy.Action, error) { return predeploy.Spend(who, market.Units(5)) },
		"market.upgradeToAndCall(newImplementation " + who.Hex() + ", data 0x)": func() (predeploy.Action, error) {
			return predeploy.UpgradeContract("market", who, nil)
		},
		`upgrades.schedule(name "v2", height 9, info "here")`: func() (predeploy.Action, error) {
			return predeploy.UpgradeNode(predeploy.Plan{Name: "v2", Height: 9, Info: "here"})
		},
		"upgrades.cancel()": predeploy.CancelUpgrade,
		who.Hex() + " called with 0x01020304 with 2 AITBC": func() (predeploy.Action, error) {
			return predeploy.Action{Target: who, Value: market.Coins(2), Data: []byte{1, 2, 3, 4}}, nil
		},
		who.Hex() + "()": func() (predeploy.Action, error) { return predeploy.Action{Target: who}, nil },
	} {
		a, err := build()
		if err != nil || a.String() != want {
			t.Errorf("%q, want %q (%v)", a.String(), want, err)
		}
	}
}
