package contracts

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
)

// The addresses of the predeploys. Use the proxies; the implementations are
// only what they delegate to.
var (
	RegistryAddress = common.HexToAddress("0x000000000000000000000000000000000000A101")
	MarketAddress   = common.HexToAddress("0x000000000000000000000000000000000000A102")
	TreasuryAddress = common.HexToAddress("0x000000000000000000000000000000000000A103")

	RegistryImplementation = common.HexToAddress("0x000000000000000000000000000000000001A101")
	MarketImplementation   = common.HexToAddress("0x000000000000000000000000000000000001A102")
	TreasuryImplementation = common.HexToAddress("0x000000000000000000000000000000000001A103")

	// SystemAddress is the sender of the node's calls at the end of a block.
	SystemAddress = common.HexToAddress("0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE")
)

// Predeploy is a contract that genesis holds.
type Predeploy struct {
	Name                  string
	Proxy, Implementation common.Address
}

// Predeploys lists the predeploys in the order in which genesis makes them: the
// Market's initializer reads the Registry.
var Predeploys = []Predeploy{
	{NameRegistry, RegistryAddress, RegistryImplementation},
	{NameMarket, MarketAddress, MarketImplementation},
	{NameTreasury, TreasuryAddress, TreasuryImplementation},
}

// Creation is the code that makes a predeploy. Each part runs as a constructor in
// the account that is to hold the contract, and returns the contract's code.
type Creation struct {
	Predeploy
	// Code makes the implementation. It runs first.
	Code []byte
	// ProxyCode makes the proxy, and calls the initializer through it.
	ProxyCode []byte
}

// Genesis is what the predeploys are set up with.
type Genesis struct {
	// Governor sets parameters, spends the treasury and upgrades contracts.
	Governor common.Address `json:"governor"`
	Market   MarketParams   `json:"market"`
	Registry RegistryParams `json:"registry"`
}

// Creations returns the creation code of all predeploys, in the order of
// [Predeploys], in which it must run. An error means that the parameters do not fit their types; that
// they are within bounds is checked by the initializers themselves.
func (g Genesis) Creations() ([]Creation, error) {
	proxy, err := Load(NameProxy)
	if err != nil {
		return nil, err
	}
	out := make([]Creation, 0, len(Predeploys))
	for _, p := range Predeploys {
		a, err := Load(p.Name)
		if err != nil {
			return nil, err
		}
		init, err := g.initializer(p.Name)
		if err != nil {
			return nil, fmt.Errorf("encode initializer of %s: %w", p.Name, err)
		}
		args, err := proxyArguments.Pack(p.Implementation, init)
		if err != nil {
			return nil, fmt.Errorf("encode proxy of %s: %w", p.Name, err)
		}
		out = append(out, Creation{Predeploy: p, Code: a.Bytecode, ProxyCode: slices.Concat(proxy.Bytecode, args)})
	}
	return out, nil
}

// initializer returns the calldata of the initializer of a predeploy.
func (g Genesis) initializer(name string) ([]byte, error) {
	switch name {
	case NameRegistry:
		i, err := RegistryABI()
		if err != nil {
			return nil, err
		}
		return i.Pack("initialize", g.Governor, MarketAddress, g.Registry.ABI())
	case NameMarket:
		i, err := MarketABI()
		if err != nil {
			return nil, err
		}
		return i.Pack("initialize", g.Governor, RegistryAddress, TreasuryAddress, g.Market.ABI())
	case NameTreasury:
		i, err := TreasuryABI()
		if err != nil {
			return nil, err
		}
		return i.Pack("initialize", g.Governor)
	default:
		return nil, fmt.Errorf("no predeploy is called %q", name)
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
