package setup_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/setup"
	"github.com/aitbc/aitbc/chain/valset"
)

// net is a chain with the real predeploys: account 0 to 3 operate a validator each, whose consensus key is their own,
// account 4 governs, and the others have coins.
type net struct {
	*chaintest.Net
	t     *testing.T
	now   time.Time
	abi   map[string]abi.ABI
	nonce map[int]uint64
}

const governs = 4

func stakingNet(t *testing.T, mode genesis.Mode, change func(*contracts.Genesis)) *net {
	t.Helper()
	p := contracts.DefaultGenesis()
	p.Governor = chaintest.Address(governs)
	p.Staking.EpochBlocks, p.Staking.Window, p.Staking.MaxMissed = 5, 20, 10
	p.Staking.MinSelfStake = market.Coins(10)
	for i := range 4 {
		key := crypto.FromECDSAPub(&chaintest.Key(i).PublicKey)[1:]
		p.Validators = append(p.Validators, contracts.GenesisValidator{
			Operator: chaintest.Address(i), X: common.Hash(key[:32]), Y: common.Hash(key[32:]), Stake: market.Coins(uint64(100 * (i + 1))),
		})
	}
	if change != nil {
		change(&p)
	}
	alloc := map[common.Address]*big.Int{}
	for i := range chaintest.Accounts {
		alloc[chaintest.Address(i)] = chaintest.Funds
	}
	s, err := setup.Spec(chaintest.ChainID, chaintest.Begin, mode, alloc, p)
	require.NoError(t, err)
	n := &net{Net: chaintest.Open(t, s), t: t, now: chaintest.Begin, abi: map[string]abi.ABI{}, nonce: map[int]uint64{}}
	for name, get := range map[string]func() (abi.ABI, error){
		"staking": contracts.StakingABI, "rewards": contracts.RewardsABI, "treasury": contracts.TreasuryABI, "upgrades": contracts.UpgradesABI,
	} {
		n.abi[name], err = get()
		require.NoError(t, err)
	}
	return n
}

// tx signs a call of a predeploy.
func (n *net) tx(from int, to common.Address, coins int64, contract, method string, args ...any) *types.Transaction {
	n.t.Helper()
	data, err := n.abi[contract].Pack(method, args...)
	require.NoError(n.t, err)
	return n.raw(from, &to, coins, data)
}

func (n *net) raw(from int, to *common.Address, coins int64, data []byte) *types.Transaction {
	n.t.Helper()
	tx, err := types.SignNewTx(chaintest.Key(from), types.LatestSignerForChainID(chaintest.ChainID), &types.DynamicFeeTx{
		ChainID: chaintest.ChainID, Nonce: n.nonce[from], Gas: 5_000_000, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(1),
		To: to, Value: new(big.Int).Mul(big.NewInt(coins), big.NewInt(1e18)), Data: data,
	})
	require.NoError(n.t, err)
	n.nonce[from]++
	return tx
}

// block runs a block a second after the last one. Every transaction must succeed, and every system call.
func (n *net) block(change func(*exec.Info), txs ...*types.Transaction) *exec.Result {
	n.t.Helper()
	res := n.run(change, txs...)
	for i, r := range res.Receipts {
		require.Equal(n.t, types.ReceiptStatusSuccessful, r.Status, "transaction %d", i)
	}
	for _, c := range res.Calls {
		require.NoError(n.t, c.Err, c.Call.Name)
	}
	return res
}

func (n *net) run(change func(*exec.Info), txs ...*types.Transaction) *exec.Result {
	n.t.Helper()
	n.now = n.now.Add(time.Second)
	info := exec.Info{Height: n.Chain.Head().Number.Uint64() + 1, Time: n.now, Proposer: chaintest.Proposer}
	if change != nil {
		change(&info)
	}
	res, err := n.Exec.Replay(info, txs)
	require.NoError(n.t, err)
	require.NoError(n.t, n.Chain.Commit(evm.Sealed{
		Block: res.Block, Receipts: res.Receipts, State: res.State, Issued: res.Issued, Burned: res.Burned,
	}))
	return res
}

// audited checks all money at the head.
func (n *net) audited() *audit.Report {
	n.t.Helper()
	r, err := audit.Check(context.Background(), n.Chain, n.State, audit.Latest)
	require.NoError(n.t, err)
	require.True(n.t, r.OK, r.Problems)
	return r
}

// powers are those of the four accounts, as the node keeps them.
func (n *net) powers() [4]uint64 {
	n.t.Helper()
	st, err := n.Chain.StateAt(n.Chain.Head())
	require.NoError(n.t, err)
	var out [4]uint64
	for _, v := range valset.Read(st) {
		for i := range out {
			if v.Address() == chaintest.Address(i) {
				out[i] = v.Power
			}
		}
	}
	return out
}

func (n *net) epoch() {
	n.t.Helper()
	for n.block(nil); n.Chain.Head().Number.Uint64()%5 != 0; n.block(nil) {
	}
}

func TestPowerFollowsTheMode(t *testing.T) {
	for mode, want := range map[genesis.Mode][4]uint64{
		genesis.PoA: {1000, 1000, 1000, 1000}, genesis.PoS: {100, 200, 291, 291}, genesis.Hybrid: {100, 200, 291, 291},
	} {
		n := stakingNet(t, mode, nil)
		require.Equal(t, want, n.powers(), mode) // 291 is 33 % of 882
		n.block(nil, n.tx(7, contracts.StakingAddress, 50, "staking", "delegate", chaintest.Address(0)))
		n.epoch()
		if mode == genesis.PoA {
			require.Equal(t, want, n.powers())
		} else {
			require.Equal(t, uint64(150), n.powers()[0])
		}
		n.audited()
	}
}

func TestWhoSignsTwiceIsSlashedAndLeavesAtOnce(t *testing.T) {
	n := stakingNet(t, genesis.Hybrid, nil)
	n.block(nil, n.tx(7, contracts.StakingAddress, 100, "staking", "delegate", chaintest.Address(1)))
	at := uint64(n.now.Unix())
	guilty := func(i *exec.Info) {
		i.Guilty = []exec.Evidence{{Validator: chaintest.Address(1), Height: 1, Time: at}, {Validator: chaintest.Address(9), Height: 1, Time: at}}
	}
	before := n.audited()
	res := n.block(guilty)
	require.Len(t, res.Updates, 1)
	require.Equal(t, chaintest.Address(1), res.Updates[0].Address())
	require.Zero(t, res.Updates[0].Power)
	require.Zero(t, n.powers()[1])
	var treasury string
	for _, p := range n.audited().Predeploys {
		if p.Name == contracts.NameTreasury {
			treasury = p.Balance
		}
	}
	require.Equal(t, "15000000000000000000", treasury, "5 %% of 200 and of the 100 delegated")
	require.Empty(t, n.block(guilty).Updates, "once")
	require.Equal(t, before.Supply.Genesis, n.audited().Supply.Genesis)
	n.block(nil, n.tx(7, contracts.StakingAddress, 0, "staking", "undelegate", chaintest.Address(1), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))))
	n.audited()
}

func TestWhoIsAwayIsJailedAndComesBack(t *testing.T) {
	n := stakingNet(t, genesis.Hybrid, func(g *contracts.Genesis) { g.Staking.DowntimeJail = 30 })
	away := func(i *exec.Info) { i.Missed = []common.Address{chaintest.Address(0)} }
	for range 40 {
		n.block(away)
		if n.powers()[0] == 0 {
			break
		}
	}
	require.Zero(t, n.powers()[0], "jailed")
	require.NotEqual(t, types.ReceiptStatusSuccessful, n.run(nil, n.tx(0, contracts.StakingAddress, 0, "staking", "unjail")).Receipts[0].Status, "too early")
	for range 31 {
		n.block(nil)
	}
	n.block(nil, n.tx(0, contracts.StakingAddress, 0, "staking", "unjail"))
	n.epoch()
	require.Positive(t, n.powers()[0])
	n.audited()
}

func TestNobodyIsBlamedWhenTooManyAreAway(t *testing.T) {
	n := stakingNet(t, genesis.PoA, nil)
	away := func(i *exec.Info) { i.Missed = []common.Address{chaintest.Address(0), chaintest.Address(1)} }
	for range 30 {
		n.block(away)
	}
	require.Equal(t, [4]uint64{1000, 1000, 1000, 1000}, n.powers())
}

func TestTheSetIsNeverEmptied(t *testing.T) {
	n := stakingNet(t, genesis.PoS, nil)
	all := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
	for i := range 4 {
		n.block(nil, n.tx(i, contracts.StakingAddress, 0, "staking", "undelegate", chaintest.Address(i), all))
	}
	for range 6 {
		n.epoch()
	}
	require.NotEqual(t, [4]uint64{}, n.powers())
	at := uint64(n.now.Unix())
	n.block(func(i *exec.Info) {
		for v := range 4 {
			i.Guilty = append(i.Guilty, exec.Evidence{Validator: chaintest.Address(v), Height: 3, Time: at})
		}
	})
	for range 6 {
		n.epoch()
	}
	require.NotEqual(t, [4]uint64{}, n.powers(), "tombstoned validators still make blocks, rather than nobody")
	n.audited()
}

func TestAStakingThatAlwaysRevertsStopsNothing(t *testing.T) {
	n := stakingNet(t, genesis.Hybrid, nil)
	creation := n.raw(5, nil, 0, chaintest.Creation(reverter(t)))
	n.block(nil, creation)
	broken := crypto.CreateAddress(chaintest.Address(5), 0)
	for name, at := range map[string]common.Address{"staking": contracts.StakingAddress, "rewards": contracts.RewardsAddress, "upgrades": contracts.UpgradesAddress} {
		n.run(nil, n.tx(governs, at, 0, name, "upgradeToAndCall", broken, []byte{}))
	}
	set := n.powers()
	for range 10 {
		res := n.run(nil, n.raw(6, &contracts.TreasuryAddress, 1, nil))
		require.Equal(t, types.ReceiptStatusSuccessful, res.Receipts[0].Status)
		require.Error(t, res.Calls[0].Err)
		require.Error(t, res.Calls[1].Err)
		require.Zero(t, res.Issued.Sign())
	}
	require.Equal(t, set, n.powers())
	_, err := n.Exec.Plan(contracts.UpgradesAddress)
	require.Error(t, err)
}

// reverter is an implementation that UUPS accepts, and that reverts whatever it is asked.
//
//	it answers proxiableUUID() with the slot of ERC-1967, and everything else with a revert
func reverter(t *testing.T) []byte {
	t.Helper()
	slot := common.FromHex("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc")
	// PUSH0 CALLDATALOAD PUSH1 e0 SHR PUSH4 52d1902d EQ PUSH1 11 JUMPI PUSH0 PUSH0 REVERT JUMPDEST PUSH32 slot PUSH0 MSTORE PUSH1 20 PUSH0 RETURN
	code := common.FromHex("5f3560e01c6352d1902d146011575f5ffd5b7f")
	code = append(code, slot...)
	return append(code, common.FromHex("5f5260205ff3")...)
}

func TestIssuanceIsPaidToStakersAndAddsUp(t *testing.T) {
	n := stakingNet(t, genesis.Hybrid, nil)
	for range 10 {
		n.block(nil)
	}
	r := n.audited()
	require.Equal(t, "1000000000000000000", r.Supply.Issued, "a tenth of a coin in each of ten seconds")
	res := n.block(nil, n.tx(3, contracts.StakingAddress, 0, "staking", "claimRewards", chaintest.Address(3)))
	require.Len(t, res.Receipts[0].Logs, 1)
	n.audited()
}
