package setup

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/cometbft/cometbft/crypto"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/valset"
)

// What the calls at the end of a block may use.
const (
	stakingGas = 30_000_000 // a new set out of all candidates, with room: StakingSlashing.sol puts off what does not fit
	rewardsGas = 5_000_000
	marketGas  = 30_000_000 // a full batch of refunds, with room
	jobsGas    = 30_000_000 // a full batch of direct jobs that end, with room
)

// issueSeconds is how many seconds of the default issuance one block may make: Rewards asks for at most 60.
const issueSeconds = 61

// Validators of the first block are named so, and keep what they promise about their commission.
const (
	commissionBps     = 500
	maxDailyChangeBps = 100
)

// validators are the predeploys' word for the nodes with the given keys.
func (o Options) validators(keys []crypto.PubKey, least market.Amount) ([]contracts.GenesisValidator, error) {
	if o.Operators != nil && len(o.Operators) != len(keys) {
		return nil, fmt.Errorf("%d operators for %d validators", len(o.Operators), len(keys))
	}
	stake := o.Stake
	if stake.IsZero() {
		stake = least
	}
	out := make([]contracts.GenesisValidator, len(keys))
	for i, k := range keys {
		v, err := valset.FromCompressed(k.Bytes(), 0)
		if err != nil {
			return nil, err
		}
		out[i] = contracts.GenesisValidator{
			Operator: v.Address(), X: v.X, Y: v.Y, Stake: stake,
			CommissionBps: commissionBps, MaxDailyChangeBps: maxDailyChangeBps, Moniker: fmt.Sprintf("validator %d", i),
		}
		if o.Operators != nil {
			out[i].Operator = o.Operators[i]
		}
	}
	return out, nil
}

// Spec is a genesis with the predeploys, set up with the given parameters and validators.
func Spec(id *big.Int, at time.Time, mode genesis.Mode, alloc map[common.Address]*big.Int, params contracts.Genesis) (genesis.Spec, error) {
	var err error
	if params.Mode, err = contracts.ParseMode(string(mode)); err != nil {
		return genesis.Spec{}, err
	}
	creations, err := params.Creations()
	if err != nil {
		return genesis.Spec{}, fmt.Errorf("predeploys: %w", err)
	}
	end, err := endBlock(params)
	if err != nil {
		return genesis.Spec{}, err
	}
	spec := genesis.Spec{
		ChainID: id, Time: at, Mode: mode, Alloc: alloc, EndBlock: end, Upgrades: &contracts.UpgradesAddress,
		Set: func(view genesis.View) ([]valset.Validator, error) { return firstSet(view, params.Validators) },
	}
	for _, c := range creations {
		spec.Predeploys = append(spec.Predeploys, genesis.Predeploy{
			Name: c.Name, Proxy: c.Proxy, Implementation: c.Implementation(), Creation: c.Code, ProxyCreation: c.ProxyCode,
			Balance: c.Balance.Big(), NoMoney: c.NoMoney,
		})
	}
	return spec, nil
}

// endBlock lists the system calls. Staking comes first: it hands out what earlier blocks brought by the powers they had.
func endBlock(params contracts.Genesis) ([]genesis.Call, error) {
	market, err := contracts.MarketABI()
	if err != nil {
		return nil, fmt.Errorf("predeploys: %w", err)
	}
	refunds, err := market.Pack("endBlock")
	if err != nil {
		return nil, fmt.Errorf("predeploys: %w", err)
	}
	jobs, err := market.Pack("endJobs")
	if err != nil {
		return nil, fmt.Errorf("predeploys: %w", err)
	}
	return []genesis.Call{
		{Name: "Staking.endBlock", Kind: exec.Validators, To: contracts.StakingAddress, Gas: stakingGas},
		{Name: "Rewards.endBlock", Kind: exec.Issuance, To: contracts.RewardsAddress, Gas: rewardsGas, Cap: (*hexutil.Big)(issueCap(params))},
		{Name: "Market.endBlock", To: contracts.MarketAddress, Data: refunds, Gas: marketGas},
		{Name: "Market.endJobs", To: contracts.MarketAddress, Data: jobs, Gas: jobsGas},
	}, nil
}

// issueCap is the most that one block may issue whatever governance sets: ten times what the first parameters allow
// for the stakers of a minute and the miners of an epoch.
func issueCap(params contracts.Genesis) *big.Int {
	stakers := new(big.Int).Mul(params.Rewards.StakersPerSecond.Big(), big.NewInt(issueSeconds))
	miners := new(big.Int).Mul(params.Rewards.MinersPerSecond.Big(), new(big.Int).SetUint64(params.Rewards.Epoch+issueSeconds))
	sum := new(big.Int).Add(stakers, miners)
	return sum.Mul(sum, big.NewInt(10))
}

// firstSet asks Staking for the set that it begins with.
func firstSet(view genesis.View, list []contracts.GenesisValidator) ([]valset.Validator, error) {
	staking, err := contracts.StakingABI()
	if err != nil {
		return nil, err
	}
	data, err := staking.Pack("activeSet")
	if err != nil {
		return nil, fmt.Errorf("encode activeSet: %w", err)
	}
	answer, err := view(contracts.StakingAddress, data)
	if err != nil {
		return nil, fmt.Errorf("activeSet: %w", err)
	}
	var set struct {
		Operators []common.Address
		Powers    []uint64
	}
	if err := staking.UnpackIntoInterface(&set, "activeSet", answer); err != nil {
		return nil, fmt.Errorf("activeSet: %w", err)
	}
	keys := map[common.Address]contracts.GenesisValidator{}
	for _, v := range list {
		keys[v.Operator] = v
	}
	var out []valset.Validator
	for i, op := range set.Operators {
		k, ok := keys[op]
		if !ok {
			return nil, errors.New("activeSet: it names an operator that the genesis does not")
		}
		out = append(out, valset.Validator{X: k.X, Y: k.Y, Power: set.Powers[i]})
	}
	return out, nil
}
