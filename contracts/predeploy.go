package contracts

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// The addresses of the predeploys. Use the proxies; the implementations are
// only what they delegate to.
var (
	RegistryAddress = common.HexToAddress("0x000000000000000000000000000000000000A101")
	MarketAddress   = common.HexToAddress("0x000000000000000000000000000000000000A102")
	TreasuryAddress = common.HexToAddress("0x000000000000000000000000000000000000A103")
	StakingAddress  = common.HexToAddress("0x000000000000000000000000000000000000A104")
	RewardsAddress  = common.HexToAddress("0x000000000000000000000000000000000000A105")
	GovernorAddress = common.HexToAddress("0x000000000000000000000000000000000000A106")
	TimelockAddress = common.HexToAddress("0x000000000000000000000000000000000000A107")
	UpgradesAddress = common.HexToAddress("0x000000000000000000000000000000000000A108")
	// FaucetAddress has code on test networks only.
	FaucetAddress = common.HexToAddress("0x000000000000000000000000000000000000A109")

	// SystemAddress is the sender of the node's calls at the end of a block.
	SystemAddress = common.HexToAddress("0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE")
)

// Predeploy is a contract that genesis holds.
type Predeploy struct {
	Name  string
	Proxy common.Address
	// NoMoney marks a contract that owes nobody anything, and has no owed().
	NoMoney bool
}

// Implementation is what the proxy delegates to: 0x10000 above it.
func (p Predeploy) Implementation() common.Address {
	a := p.Proxy
	a[len(a)-3] |= 1
	return a
}

// Predeploys lists the predeploys in the order in which genesis makes them: the
// Market's initializer reads the Registry. The Faucet is on test networks only.
var Predeploys = []Predeploy{
	{Name: NameRegistry, Proxy: RegistryAddress},
	{Name: NameMarket, Proxy: MarketAddress},
	{Name: NameTreasury, Proxy: TreasuryAddress},
	{Name: NameStaking, Proxy: StakingAddress},
	{Name: NameRewards, Proxy: RewardsAddress},
	{Name: NameTimelock, Proxy: TimelockAddress, NoMoney: true},
	{Name: NameGovernor, Proxy: GovernorAddress, NoMoney: true},
	{Name: NameUpgrades, Proxy: UpgradesAddress, NoMoney: true},
	{Name: NameFaucet, Proxy: FaucetAddress},
}

// Creation is the code that makes a predeploy. Each part runs as a constructor in
// the account that is to hold the contract, and returns the contract's code.
type Creation struct {
	Predeploy
	// Code makes the implementation. It runs first.
	Code []byte
	// ProxyCode makes the proxy, and calls the initializer through it.
	ProxyCode []byte
	// Balance is in the proxy's account before ProxyCode runs.
	Balance market.Amount
}

// Genesis is what the predeploys are set up with.
type Genesis struct {
	// Governor sets parameters, spends the treasury and upgrades contracts. Zero is the Timelock, which does what the
	// Governor contract's votes decide.
	Governor   common.Address   `json:"governor"`
	Market     MarketParams     `json:"market"`
	Jobs       JobParams        `json:"jobs"` // the Market's direct jobs
	Registry   RegistryParams   `json:"registry"`
	Staking    StakingParams    `json:"staking"`
	Rewards    RewardsParams    `json:"rewards"`
	Governance GovernanceParams `json:"governance"`
	// Faucet is nil on networks whose coins are worth something.
	Faucet *FaucetParams `json:"faucet,omitempty"`

	// Mode and Validators are not parameters: whoever makes the network knows them.
	Mode       Mode               `json:"-"`
	Validators []GenesisValidator `json:"-"`
}

// DefaultGenesis returns the parameters of a new network, which still lacks its validators.
func DefaultGenesis() Genesis {
	return Genesis{
		Market: DefaultMarketParams(), Jobs: DefaultJobParams(), Registry: DefaultRegistryParams(), Staking: DefaultStakingParams(),
		Rewards: DefaultRewardsParams(), Governance: DefaultGovernanceParams(), Mode: ModeHybrid,
	}
}

// Authority is who governs: Governor, or the Timelock.
func (g Genesis) Authority() common.Address {
	if g.Governor == (common.Address{}) {
		return TimelockAddress
	}
	return g.Governor
}

// Creations returns the creation code of all predeploys, in the order of
// [Predeploys], in which it must run. An error means that the parameters do not fit their types; that
// they are within bounds is checked by the initializers themselves.
func (g Genesis) Creations() ([]Creation, error) {
	proxy, err := Load(NameProxy)
	if err != nil {
		return nil, err
	}
	g.Governor = g.Authority()
	out := make([]Creation, 0, len(Predeploys))
	for _, p := range Predeploys {
		if p.Name == NameFaucet && g.Faucet == nil {
			continue
		}
		a, err := Load(p.Name)
		if err != nil {
			return nil, err
		}
		init, balance, err := g.initializer(p.Name)
		if err != nil {
			return nil, fmt.Errorf("encode initializer of %s: %w", p.Name, err)
		}
		args, err := proxyArguments.Pack(p.Implementation(), init)
		if err != nil {
			return nil, fmt.Errorf("encode proxy of %s: %w", p.Name, err)
		}
		out = append(out, Creation{Predeploy: p, Code: a.Bytecode, ProxyCode: slices.Concat(proxy.Bytecode, args), Balance: balance})
	}
	return out, nil
}

// initializer returns the calldata of the initializer of a predeploy, and the coins that it begins with.
func (g Genesis) initializer(name string) ([]byte, market.Amount, error) {
	var none market.Amount
	find, ok := interfaces[name]
	if !ok {
		return nil, none, fmt.Errorf("no predeploy is called %q", name)
	}
	i, err := find()
	if err != nil {
		return nil, none, err
	}
	pack := func(args ...any) ([]byte, market.Amount, error) {
		data, err := i.Pack("initialize", args...)
		return data, none, err
	}
	switch name {
	case NameRegistry:
		return pack(g.Governor, MarketAddress, g.Registry.ABI())
	case NameMarket:
		return pack(g.Governor, RegistryAddress, TreasuryAddress, RewardsAddress, g.Market.ABI(), g.Jobs.ABI())
	case NameStaking:
		list := make([]GenesisValidatorABI, len(g.Validators))
		sum := new(big.Int)
		for n, v := range g.Validators {
			list[n] = v.ABI()
			sum.Add(sum, v.Stake.Big())
		}
		stake, err := market.AmountFromBig(sum)
		if err != nil {
			return nil, none, err
		}
		data, _, err := pack(g.Governor, TreasuryAddress, uint8(g.Mode), g.Staking.ABI(), list)
		return data, stake, err
	case NameRewards:
		return pack(g.Governor, MarketAddress, StakingAddress, TreasuryAddress, g.Rewards.ABI())
	case NameTimelock:
		delay := new(big.Int).SetUint64(g.Governance.TimelockDelay)
		return pack(delay, []common.Address{GovernorAddress}, []common.Address{{}}, common.Address{})
	case NameGovernor:
		return pack(StakingAddress, TimelockAddress, g.Governance.ABI())
	case NameFaucet:
		data, _, err := pack(g.Governor, TreasuryAddress, g.Faucet.ABI())
		return data, g.Faucet.Balance, err
	default: // Treasury and Upgrades
		return pack(g.Governor)
	}
}

// proxyArguments are those of ERC1967Proxy's constructor.
var proxyArguments = abi.Arguments{{Type: mustType("address")}, {Type: mustType("bytes")}}

func mustType(name string) abi.Type {
	t, err := abi.NewType(name, "", nil)
	if err != nil {
		panic(err)
	}
	return t
}
