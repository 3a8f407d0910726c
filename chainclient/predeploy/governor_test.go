package predeploy_test

import (
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

func TestProposalsAreReadByTheirNumber(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	governor, staking := parsed(t, contracts.GovernorABI), parsed(t, contracts.StakingABI)
	id := new(big.Int).Lsh(big.NewInt(3), 250)
	view := func(method string, args []any, values ...any) {
		c.view(t, contracts.GovernorAddress, governor, method, args, values...)
	}
	view("proposalCount", nil, big.NewInt(2))
	view("proposalDetailsAt", []any{big.NewInt(1)}, id, []common.Address{{1}}, []*big.Int{big.NewInt(2)}, [][]byte{{3}}, [32]byte{4})
	view("proposalProposer", []any{id}, common.Address{5})
	view("proposalSnapshot", []any{id}, big.NewInt(600))
	view("proposalDeadline", []any{id}, big.NewInt(700))
	view("proposalEta", []any{id}, big.NewInt(800))
	view("state", []any{id}, uint8(5))
	view("proposalVotes", []any{id}, big.NewInt(1), big.NewInt(2), big.NewInt(3))
	for _, snapshot := range []int64{599, 600} {
		view("quorum", []any{big.NewInt(snapshot)}, big.NewInt(snapshot))
		c.view(t, contracts.StakingAddress, staking, "getPastTotalSupply", []any{big.NewInt(snapshot)}, big.NewInt(10*snapshot))
	}
	g := predeploy.NewGovernor(client)
	p, err := g.Proposal(t.Context(), 2, chainclient.Latest)
	want := predeploy.Proposal{
		Number: 2, ID: id, Proposer: common.Address{5}, VoteStart: 600, VoteEnd: 700,
		Actions: []predeploy.Action{{Target: common.Address{1}, Value: market.Units(2), Data: []byte{3}}},
	}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, number := range []uint64{0, 3} {
		if _, err := g.Proposal(t.Context(), number, chainclient.Latest); !errors.Is(err, predeploy.ErrNoProposal) {
			t.Errorf("proposal %d: %v", number, err)
		}
	}
	// During the vote the quorum is that of its beginning; before, that of now.
	for now, quorum := range map[uint64]uint64{650: 600, 600: 599} {
		b, err := g.Ballot(t.Context(), p, now, chainclient.Latest)
		want := predeploy.Ballot{
			State: predeploy.ProposalQueued, Against: market.Units(1), For: market.Units(2), Abstain: market.Units(3),
			Quorum: market.Units(quorum), Supply: market.Units(10 * quorum), ETA: 800,
		}
		if err != nil || b != want {
			t.Errorf("at %d: %+v, %v", now, b, err)
		}
	}
}

func TestProposingAndVoting(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	governor := parsed(t, contracts.GovernorABI)
	g, by := predeploy.NewGovernor(client), predeploy.NewSender(client, account{})
	action, err := predeploy.Spend(common.Address{6}, market.Units(7))
	if err != nil {
		t.Fatal(err)
	}
	id := big.NewInt(77)
	c.logs = []*types.Log{emitted(t, contracts.GovernorAddress, governor, "ProposalCreated", nil, id, by.Address(),
		[]common.Address{action.Target}, []*big.Int{new(big.Int)}, []string{""}, [][]byte{action.Data}, big.NewInt(8), big.NewInt(9), "why")}
	p, _, err := g.Propose(t.Context(), by, []predeploy.Action{action}, "why")
	if err != nil || p.ID.Cmp(id) != 0 || p.VoteStart != 8 || p.VoteEnd != 9 || !reflect.DeepEqual(p.Actions, []predeploy.Action{action}) {
		t.Fatalf("%+v, %v", p, err)
	}
	texts, err := g.Descriptions(t.Context(), 5)
	if err != nil || texts["77"] != "why" {
		t.Errorf("descriptions %v, %v", texts, err)
	}

	voter := common.BytesToHash(by.Address().Bytes())
	operator := common.Address{4}
	c.logs = []*types.Log{emitted(t, contracts.GovernorAddress, governor, "OverrideVoteCast",
		[]common.Hash{voter, common.BytesToHash(operator[:]), common.BigToHash(id)}, uint8(1), big.NewInt(55), "because")}
	if w, _, err := g.VoteFor(t.Context(), by, id, operator, predeploy.VoteFor, "because"); err != nil || w != market.Units(55) {
		t.Errorf("override %s, %v", w, err)
	}
	c.logs = []*types.Log{emitted(t, contracts.GovernorAddress, governor, "VoteCast", []common.Hash{voter}, id, uint8(0), big.NewInt(66), "no")}
	if w, _, err := g.Vote(t.Context(), by, id, predeploy.VoteAgainst, "no"); err != nil || w != market.Units(66) {
		t.Errorf("vote %s, %v", w, err)
	}

	// All votes, of this proposal only.
	c.logs = []*types.Log{
		emitted(t, contracts.GovernorAddress, governor, "VoteCast", []common.Hash{voter}, id, uint8(0), big.NewInt(66), "no"),
		emitted(t, contracts.GovernorAddress, governor, "VoteCast", []common.Hash{voter}, big.NewInt(78), uint8(0), big.NewInt(67), "other"),
		emitted(t, contracts.GovernorAddress, governor, "OverrideVoteCast",
			[]common.Hash{voter, common.BytesToHash(operator[:]), common.BigToHash(id)}, uint8(2), big.NewInt(55), "because"),
	}
	votes, err := g.Votes(t.Context(), id, 5)
	if want := []predeploy.Vote{
		{Voter: by.Address(), Support: predeploy.VoteAgainst, Weight: market.Units(66), Reason: "no", Block: 5},
		{Voter: by.Address(), Operator: operator, Support: predeploy.VoteAbstain, Weight: market.Units(55), Reason: "because", Block: 5},
	}; err != nil || !reflect.DeepEqual(votes, want) {
		t.Errorf("votes %+v, %v", votes, err)
	}

	for name, step := range map[string]func() (*types.Receipt, error){
		"queue":   func() (*types.Receipt, error) { return g.Queue(t.Context(), by, id) },
		"execute": func() (*types.Receipt, error) { return g.Execute(t.Context(), by, id) },
		"cancel":  func() (*types.Receipt, error) { return g.Cancel(t.Context(), by, id) },
	} {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
		m, err := governor.MethodById(c.sent.Data())
		if err != nil || m.Sig != name+"(uint256)" || len(c.sent.Data()) != 36 {
			t.Errorf("%s sent %x, %v", name, c.sent.Data(), err)
		}
	}
}

// withoutArguments is how the ABI calls the form of a method that takes none.
func withoutArguments(t *testing.T, a abi.ABI, method string) string {
	t.Helper()
	for name, m := range a.Methods {
		if m.Sig == method+"()" {
			return name
		}
	}
	t.Fatalf("there is no %s()", method)
	return ""
}

func TestSettingsOfTheGovernor(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	governor, timelock := parsed(t, contracts.GovernorABI), parsed(t, contracts.TimelockABI)
	for method, n := range map[string]int64{"votingDelay": 1, "votingPeriod": 2, "quorumNumerator": 3, "quorumDenominator": 4, "proposalThreshold": 5} {
		c.view(t, contracts.GovernorAddress, governor, withoutArguments(t, governor, method), nil, big.NewInt(n))
	}
	c.view(t, contracts.TimelockAddress, timelock, "getMinDelay", nil, big.NewInt(6))
	got, err := predeploy.NewGovernor(client).Settings(t.Context(), chainclient.Latest)
	want := predeploy.GovernorSettings{VotingDelay: 1, VotingPeriod: 2, QuorumNumerator: 3, QuorumDenom: 4, Threshold: market.Units(5), TimelockDelay: 6}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	staking, governor := parsed(t, contracts.StakingABI), parsed(t, contracts.GovernorABI)
	for _, c := range []struct {
		data []byte
		want string
	}{
		{pack(t, staking.Errors["SelfStakeTooLow"], big.NewInt(1e18), big.NewInt(2e18)), "would be 1 AITBC and must be at least 2 AITBC: bring 1.000001 AITBC more"},
		{pack(t, staking.Errors["SelfStakeTooLow"], big.NewInt(2e18-3e15), big.NewInt(2e18)), "bring 0.003001 AITBC more"},
		{pack(t, staking.Errors["SelfStakeTooLow"], big.NewInt(2e18-1), big.NewInt(2e18)), "bring 0.000001 AITBC more"},
		{pack(t, staking.Errors["NotDue"], uint64(1_800_000_000)), "due at 2027-01-15 08:00:00Z"},
		{pack(t, staking.Errors["NotDue"], uint64(0)), "nothing that could be due"},
		{pack(t, staking.Errors["CannotUnjail"], ^uint64(0)), "tombstoned"},
		{pack(t, governor.Errors["GovernorUnexpectedProposalState"], big.NewInt(1), uint8(3), [32]byte{}), "the proposal is defeated"},
		{pack(t, governor.Errors["OwnStake"], common.Address{1}), "0x0100000000000000000000000000000000000000 is the operator"},
	} {
		raw, err := hexutil.Bytes(c.data).MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		refused := predeploy.Explain(&chainclient.RPCError{Code: 3, Message: "execution reverted", Data: []byte(`"` + string(raw) + `"`)})
		if got := predeploy.Advice(refused); !strings.Contains(got, c.want) {
			t.Errorf("%v: advice %q, want %q in it", refused, got, c.want)
		}
	}
	if got := predeploy.Advice(errors.New("another")); got != "" {
		t.Errorf("advice for another error: %q", got)
	}
}

// pack is what a contract returns that refuses with an error.
func pack(t *testing.T, e abi.Error, values ...any) []byte {
	t.Helper()
	b, err := e.Inputs.Pack(values...)
	if err != nil {
		t.Fatal(err)
	}
	return append(e.ID.Bytes()[:4], b...)
}
