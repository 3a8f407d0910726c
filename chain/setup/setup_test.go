package setup_test

import (
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/setup"
)

var governor = common.HexToAddress("0x60d")

func spec(t *testing.T, id int64) genesis.Spec {
	t.Helper()
	p := contracts.DefaultGenesis()
	p.Governor = governor
	key := crypto.FromECDSAPub(&chaintest.Key(0).PublicKey)[1:]
	p.Validators = []contracts.GenesisValidator{{
		Operator: chaintest.Address(1), X: common.Hash(key[:32]), Y: common.Hash(key[32:]), Stake: market.Coins(50_000),
	}}
	s, err := setup.Spec(big.NewInt(id), chaintest.Begin, genesis.Hybrid, nil, p)
	require.NoError(t, err)
	return s
}

// view calls a function of a predeploy in the state of the first block.
func view(t *testing.T, c *evm.Chain, at common.Address, i abi.ABI, name string, args ...any) []any {
	t.Helper()
	h := c.Head()
	st, err := c.StateAt(h)
	require.NoError(t, err)
	e := vm.NewEVM(core.NewEVMBlockContext(h, c.BlockChain(), nil), st, c.BlockChain().Config(), vm.Config{NoBaseFee: true})
	defer e.Release()
	e.SetTxContext(vm.TxContext{GasPrice: new(uint256.Int)})
	data, err := i.Pack(name, args...)
	require.NoError(t, err)
	ret, _, err := e.StaticCall(params.SystemAddress, at, data, vm.NewGasBudget(10_000_000, 0))
	require.NoError(t, err, name)
	out, err := i.Unpack(name, ret)
	require.NoError(t, err)
	return out
}

func TestGenesisHoldsThePredeploysSetUpForThisChain(t *testing.T) {
	n := chaintest.Open(t, spec(t, 1<<40+99))
	market, err := contracts.MarketABI()
	require.NoError(t, err)
	domain := view(t, n.Chain, contracts.MarketAddress, market, "eip712Domain")
	require.Equal(t, "AITBC", domain[1])
	require.Equal(t, "1", domain[2])
	require.Equal(t, big.NewInt(1<<40+99), domain[3], "the chain id of this network, not of a compiler")
	require.Equal(t, contracts.MarketAddress, domain[4], "the proxy signs, not the implementation")
	for name, get := range map[string]func() (abi.ABI, error){
		"Market": contracts.MarketABI, "Registry": contracts.RegistryABI, "Treasury": contracts.TreasuryABI,
	} {
		i, err := get()
		require.NoError(t, err)
		for _, p := range contracts.Predeploys {
			if p.Name != name {
				continue
			}
			require.Zero(t, view(t, n.Chain, p.Proxy, i, "owed")[0].(*big.Int).Sign(), name)
			require.Equal(t, governor, view(t, n.Chain, p.Proxy, i, "governor")[0], name)
			require.Equal(t, common.Address{}, view(t, n.Chain, p.Implementation(), i, "governor")[0], "the implementation itself is nobody's")
		}
	}
	for range 3 {
		res := n.Block()
		require.NoError(t, res.Calls[0].Err, "Market.endBlock runs from the first block")
		require.Empty(t, res.Calls[0].Logs)
	}
}

func TestGenesisIsAFunctionOfItsParameters(t *testing.T) {
	one, err := genesis.Build(spec(t, 1<<40))
	require.NoError(t, err)
	same, err := genesis.Build(spec(t, 1<<40))
	require.NoError(t, err)
	other, err := genesis.Build(spec(t, 1<<40+1))
	require.NoError(t, err)
	require.Equal(t, one.Hash(), same.Hash())
	require.NotEqual(t, one.Hash(), other.Hash())
}

func TestChainIDsOfLocalNetworksAreDrawn(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		id, err := setup.DrawChainID()
		require.NoError(t, err)
		require.True(t, id.BitLen() > 40 && id.BitLen() <= 48, id)
		require.False(t, seen[id.String()])
		seen[id.String()] = true
	}
}

func TestFilesThatAreNotThereAreNamed(t *testing.T) {
	_, err := setup.ReadAlloc(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "none")
	_, err = setup.ReadParams(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "none")
	_, err = setup.Init(setup.Options{Time: time.Time{}})
	require.Error(t, err)
}

func FuzzParseAlloc(f *testing.F) {
	f.Add([]byte(`{"0x00000000000000000000000000000000000000aa":"1000"}`))
	f.Add([]byte(`{"0xAA":"-1"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := setup.ParseAlloc(raw)
		if err != nil {
			return
		}
		for a, v := range m {
			if v.Sign() < 0 || v.BitLen() > 128 {
				t.Fatalf("%v has %v", a, v)
			}
		}
	})
}
