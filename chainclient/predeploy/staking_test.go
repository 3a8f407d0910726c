package predeploy_test

import (
	"errors"
	"math/big"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

func parsed(t *testing.T, load func() (abi.ABI, error)) abi.ABI {
	t.Helper()
	a, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// validatorABI is StakingTypes.sol's Validator.
type validatorABI struct {
	Operator, Consensus           common.Address
	X, Y                          [32]byte
	Tokens, Shares, SelfStake     *big.Int
	CommissionBps                 uint16
	MaxDailyChangeBps             uint16
	CommissionSetAt, JailedUntil  uint64
	Jailed, Tombstoned, Authority bool
	Power                         uint64
	Missed                        uint32
	Moniker                       string
}

func validator(n byte) validatorABI {
	return validatorABI{
		Operator: common.Address{n}, Consensus: common.Address{n, 1}, X: [32]byte{n, 2}, Y: [32]byte{n, 3},
		Tokens: big.NewInt(100), Shares: new(big.Int).Lsh(big.NewInt(1), 200), SelfStake: big.NewInt(10),
		CommissionBps: 5, MaxDailyChangeBps: 6, CommissionSetAt: 7, JailedUntil: 8, Authority: true, Power: 9, Missed: 10, Moniker: "m",
	}
}

// emitted builds the log that a contract would emit.
func emitted(t *testing.T, from common.Address, a abi.ABI, name string, topics []common.Hash, data ...any) *types.Log {
	t.Helper()
	def := a.Events[name]
	b, err := def.Inputs.NonIndexed().Pack(data...)
	if err != nil {
		t.Fatal(err)
	}
	return &types.Log{Address: from, Topics: append([]common.Hash{def.ID}, topics...), Data: b, BlockNumber: 5}
}

func TestValidatorsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	staking := parsed(t, contracts.StakingABI)
	three, page := big.NewInt(3), big.NewInt(200)
	c.view(t, contracts.StakingAddress, staking, "validators", []any{new(big.Int), page}, []common.Address{{1}, {2}}, three)
	c.view(t, contracts.StakingAddress, staking, "validators", []any{big.NewInt(2), page}, []common.Address{{3}}, three)
	for n := byte(1); n <= 3; n++ {
		c.view(t, contracts.StakingAddress, staking, "validator", []any{common.Address{n}}, validator(n))
	}
	got, err := predeploy.NewStaking(client).Validators(t.Context(), chainclient.Latest)
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := predeploy.Validator{
		Operator: common.Address{3}, Consensus: common.Address{3, 1}, X: common.Hash{3, 2}, Y: common.Hash{3, 3},
		Tokens: market.Units(100), Shares: new(big.Int).Lsh(big.NewInt(1), 200), SelfStake: market.Units(10),
		CommissionBps: 5, MaxDailyChangeBps: 6, CommissionSetAt: 7, JailedUntil: 8, Authority: true, Power: 9, Missed: 10, Moniker: "m",
	}
	if !reflect.DeepEqual(got[2], want) {
		t.Errorf("got %+v", got[2])
	}
}

func TestStandings(t *testing.T) {
	t.Parallel()
	least := market.Units(10)
	funded := predeploy.Validator{SelfStake: least}
	for _, c := range []struct {
		name   string
		change func(*predeploy.Validator)
		mode   contracts.Mode
		want   predeploy.Standing
	}{
		{"in the set", func(v *predeploy.Validator) { v.Power = 1 }, contracts.ModeHybrid, predeploy.Active},
		{"open set", func(*predeploy.Validator) {}, contracts.ModePoS, predeploy.Candidate},
		{"no authority", func(*predeploy.Validator) {}, contracts.ModeHybrid, predeploy.Unadmitted},
		{"authority", func(v *predeploy.Validator) { v.Authority = true }, contracts.ModePoA, predeploy.Candidate},
		{"too little", func(v *predeploy.Validator) { v.SelfStake = market.Units(9) }, contracts.ModePoS, predeploy.Underfunded},
		{"jailed with power left", func(v *predeploy.Validator) { v.Jailed, v.Power = true, 1 }, contracts.ModePoS, predeploy.Jailed},
		{"tombstoned", func(v *predeploy.Validator) { v.Jailed, v.Tombstoned = true, true }, contracts.ModePoS, predeploy.Tombstoned},
	} {
		v := funded
		c.change(&v)
		if got := v.Standing(c.mode, least); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestStakeOfAnAccount(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	staking := parsed(t, contracts.StakingABI)
	who, operator := common.Address{7}, common.Address{8}
	c.view(t, contracts.StakingAddress, staking, "delegation", []any{who, operator}, big.NewInt(1), big.NewInt(2), uint64(3))
	type unbondingABI struct {
		Operator common.Address
		Amount   *big.Int
		DueAt    uint64
		DueBlock uint64
	}
	c.view(t, contracts.StakingAddress, staking, "unbondings", []any{who}, []unbondingABI{{operator, big.NewInt(4), 5, 6}})
	c.view(t, contracts.StakingAddress, staking, "accounts", nil, big.NewInt(1), big.NewInt(2), big.NewInt(3))
	c.view(t, contracts.StakingAddress, staking, "params", nil, contracts.DefaultStakingParams().ABI())
	c.view(t, contracts.StakingAddress, staking, "mode", nil, uint8(2))
	st := predeploy.NewStaking(client)
	if d, err := st.Delegation(t.Context(), who, operator, chainclient.Latest); err != nil || d.Amount != market.Units(1) || d.Shares.Int64() != 2 || d.LockedUntil != 3 {
		t.Errorf("delegation %+v, %v", d, err)
	}
	want := []predeploy.Unbonding{{Operator: operator, Amount: market.Units(4), DueAt: 5, DueBlock: 6}}
	if u, err := st.Unbondings(t.Context(), who, chainclient.Latest); err != nil || !reflect.DeepEqual(u, want) {
		t.Errorf("unbondings %+v, %v", u, err)
	}
	if s, err := st.Totals(t.Context(), chainclient.Latest); err != nil || s != (predeploy.StakeTotals{Bonded: market.Units(1), Unbonding: market.Units(2), UnpaidRewards: market.Units(3)}) {
		t.Errorf("totals %+v, %v", s, err)
	}
	if p, err := st.Params(t.Context(), chainclient.Latest); err != nil || p != contracts.DefaultStakingParams() {
		t.Errorf("params %+v, %v", p, err)
	}
	if m, err := st.Mode(t.Context(), chainclient.Latest); err != nil || m != contracts.ModeHybrid {
		t.Errorf("mode %v, %v", m, err)
	}
}

func TestStakeMovesAsItsEventsTell(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	staking := parsed(t, contracts.StakingABI)
	operator := common.Address{8}
	by, st := predeploy.NewSender(client, account{}), predeploy.NewStaking(client)
	topics := []common.Hash{common.BytesToHash(by.Address().Bytes()), common.BytesToHash(operator[:])}
	other := emitted(t, contracts.MarketAddress, staking, "Withdrawn", topics[:1], big.NewInt(99)) // of another contract
	c.logs = []*types.Log{
		other,
		emitted(t, contracts.StakingAddress, staking, "Undelegated", topics, big.NewInt(4), uint64(5), uint64(6)),
		emitted(t, contracts.StakingAddress, staking, "Withdrawn", topics[:1], big.NewInt(7)),
		emitted(t, contracts.StakingAddress, staking, "RewardsPaid", topics, big.NewInt(8)),
	}
	l, _, err := st.Undelegate(t.Context(), by, operator, market.MaxAmount())
	if err != nil || l != (predeploy.Leaving{Amount: market.Units(4), DueAt: 5, DueBlock: 6}) {
		t.Errorf("undelegate %+v, %v", l, err)
	}
	args, err := staking.Methods["undelegate"].Inputs.Unpack(c.sent.Data()[4:])
	if err != nil || args[0] != operator || args[1].(*big.Int).Cmp(market.MaxAmount().Big()) != 0 {
		t.Errorf("sent %v, %v", args, err)
	}
	if a, _, err := st.Withdraw(t.Context(), by); err != nil || a != market.Units(7) {
		t.Errorf("withdraw %s, %v", a, err)
	}
	if a, _, err := st.ClaimRewards(t.Context(), by, operator); err != nil || a != market.Units(8) {
		t.Errorf("claim %s, %v", a, err)
	}
	if _, err := st.Delegate(t.Context(), by, operator, market.Units(11)); err != nil || c.sent.Value().Int64() != 11 || *c.sent.To() != contracts.StakingAddress {
		t.Errorf("delegate %v, %v", c.sent, err)
	}
	// The estimate is 5: what settling rewards costs in the next block comes on top.
	if c.sent.Gas() < 150_000 {
		t.Errorf("gas %d", c.sent.Gas())
	}
	c.logs = []*types.Log{c.logs[1], c.logs[1]}
	if left, err := st.LeftBy(t.Context(), by.Address(), 5); err != nil || !reflect.DeepEqual(left, []common.Address{operator}) {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestMissingContractIsSaid(t *testing.T) {
	t.Parallel()
	_, client := start(t)
	if _, err := predeploy.NewFaucet(client).Available(t.Context(), chainclient.Latest); !errors.Is(err, predeploy.ErrNotDeployed) {
		t.Errorf("a faucet that is not there: %v", err)
	}
}

func TestWorkOfAMiner(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	rewards := parsed(t, contracts.RewardsABI)
	miner := common.Address{9}
	number := func(n int64) common.Hash { return common.BigToHash(big.NewInt(n)) }
	for _, n := range []int64{4, 2, 4} {
		c.logs = append(c.logs, emitted(t, contracts.RewardsAddress, rewards, "Worked", []common.Hash{number(n), common.BytesToHash(miner[:])}, big.NewInt(1)))
	}
	c.view(t, contracts.RewardsAddress, rewards, "epochInfo", []any{uint64(2)}, big.NewInt(1), big.NewInt(2), uint64(3))
	c.view(t, contracts.RewardsAddress, rewards, "work", []any{miner, uint64(2)}, big.NewInt(4), big.NewInt(5))
	r := predeploy.NewRewards(client)
	if epochs, err := r.EpochsOf(t.Context(), miner, 5); err != nil || !reflect.DeepEqual(epochs, []uint64{2, 4}) {
		t.Errorf("epochs %v, %v", epochs, err)
	}
	if e, err := r.EpochInfo(t.Context(), 2, chainclient.Latest); err != nil || e != (predeploy.Epoch{Pool: market.Units(1), Fees: market.Units(2), EndsAt: 3}) {
		t.Errorf("epoch %+v, %v", e, err)
	}
	if w, err := r.Work(t.Context(), miner, 2, chainclient.Latest); err != nil || w != (predeploy.Work{Fees: market.Units(4), Claimable: market.Units(5)}) {
		t.Errorf("work %+v, %v", w, err)
	}
	c.logs = []*types.Log{
		emitted(t, contracts.RewardsAddress, rewards, "Claimed", []common.Hash{number(2), common.BytesToHash(miner[:])}, big.NewInt(3)),
		emitted(t, contracts.RewardsAddress, rewards, "Claimed", []common.Hash{number(4), common.BytesToHash(miner[:])}, big.NewInt(4)),
	}
	if a, _, err := r.Claim(t.Context(), predeploy.NewSender(client, account{}), miner, []uint64{2, 4}); err != nil || a != market.Units(7) {
		t.Errorf("claimed %s, %v", a, err)
	}
}
