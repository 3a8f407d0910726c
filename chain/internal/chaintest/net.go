// Package chaintest makes chains for tests: a genesis with funded accounts and small contracts, opened in a temporary
// folder, and blocks without consensus.
package chaintest

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/genesis"
)

// Where the test contracts are.
var (
	Ender    = common.HexToAddress("0xB001")
	Vault    = common.HexToAddress("0xB002")
	Proposer = common.HexToAddress("0xFEE")
	// Begin is the time of the first block: recent, since go-ethereum indexes old states only of a chain that is not
	// far behind.
	Begin = time.Now().Add(-time.Hour).Truncate(time.Second).UTC() //nolint:forbidigo // a test's genesis, as in setup
)

// Funds is what each test account starts with.
var Funds = new(big.Int).Mul(big.NewInt(1000), big.NewInt(1e18))

// Accounts is the number of funded accounts.
const Accounts = 16

// Key is the key of a funded account.
func Key(i int) *ecdsa.PrivateKey {
	k, err := crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "chain test account %d", i)))
	if err != nil {
		panic(err) // a keccak hash is a valid scalar
	}
	return k
}

// Address is the address of a funded account.
func Address(i int) common.Address { return crypto.PubkeyToAddress(Key(i).PublicKey) }

// ChainID of every test chain.
var ChainID = big.NewInt(1 << 41)

// Spec is a genesis with a Vault that owes 7 and an end-of-block call to the given runtime code at Ender.
func Spec(ender []byte, gas uint64) genesis.Spec {
	alloc := map[common.Address]*big.Int{}
	for i := range Accounts {
		alloc[Address(i)] = Funds
	}
	return genesis.Spec{
		ChainID: ChainID, Time: Begin, Mode: genesis.PoA, Alloc: alloc,
		Predeploys: []genesis.Predeploy{
			{
				Name: "Ender", Proxy: Ender, Implementation: common.HexToAddress("0x1B001"),
				Creation: Creation(ender), ProxyCreation: Creation(ender),
			},
			{
				Name: "Vault", Proxy: Vault, Implementation: common.HexToAddress("0x1B002"),
				Creation: Creation(Holder), ProxyCreation: CreationWith(7, Holder),
			},
		},
		EndBlock: []genesis.Call{{Name: "Ender.endBlock", To: Ender, Data: []byte{1}, Gas: gas}},
	}
}

// Net is an open chain without consensus.
type Net struct {
	t      testing.TB
	Dir    string
	State  *genesis.State
	Chain  *evm.Chain
	Exec   *exec.Executor
	nonces [Accounts]uint64
	now    time.Time
}

// Open makes a chain from the spec in a temporary folder. It is closed with the test.
func Open(t testing.TB, spec genesis.Spec, change ...func(*evm.Config)) *Net {
	t.Helper()
	state, err := genesis.Build(spec)
	require.NoError(t, err)
	n := &Net{t: t, Dir: t.TempDir(), State: state, now: Begin}
	n.open(change...)
	t.Cleanup(func() { require.NoError(t, n.Chain.Close()) })
	return n
}

func (n *Net) open(change ...func(*evm.Config)) {
	cfg := evm.Config{
		Dir: n.Dir, Genesis: n.State.EVM, VirtualHosts: []string{"localhost"}, Archive: true, FlushEvery: 4,
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	n.Chain, err = evm.Open(cfg)
	require.NoError(n.t, err)
	n.Exec = exec.New(n.Chain.BlockChain(), n.State.Calls())
}

// Reopen closes the chain and opens it again.
func (n *Net) Reopen(change ...func(*evm.Config)) {
	n.t.Helper()
	require.NoError(n.t, n.Chain.Close())
	n.open(change...)
}

// Info is that of the next block.
func (n *Net) Info() exec.Info {
	return exec.Info{Height: n.Chain.Head().Number.Uint64() + 1, Time: n.now.Add(time.Second), Proposer: Proposer}
}

// At makes the next block one of the given time.
func (n *Net) At(seconds uint64) *Net {
	n.now = time.Unix(int64(seconds), 0).UTC().Add(-time.Second) //nolint:gosec // a test's clock
	return n
}

// Block executes and commits a block of the transactions.
func (n *Net) Block(txs ...*types.Transaction) *exec.Result {
	n.t.Helper()
	res, err := n.Exec.Replay(n.Info(), txs)
	require.NoError(n.t, err)
	n.Commit(res)
	return res
}

// Commit commits an executed block.
func (n *Net) Commit(res *exec.Result) {
	n.t.Helper()
	require.NoError(n.t, n.Chain.Commit(evm.Sealed{
		Block: res.Block, Receipts: res.Receipts, State: res.State, Issued: res.Issued, Burned: res.Burned,
	}))
	n.now = n.now.Add(time.Second)
}

// Send signs a transaction of account i with its next nonce. A nil to creates a contract.
func (n *Net) Send(i int, to *common.Address, value int64, data []byte) *types.Transaction {
	n.t.Helper()
	tx := Sign(n.t, i, n.nonces[i], to, value, data)
	n.nonces[i]++
	return tx
}

// Sign signs a transaction of account i.
func Sign(t testing.TB, i int, nonce uint64, to *common.Address, value int64, data []byte) *types.Transaction {
	t.Helper()
	gas := uint64(1_000_000)
	if to != nil && len(data) == 0 && *to != Vault && *to != Ender {
		gas = 21_000
	}
	tx, err := types.SignNewTx(Key(i), types.LatestSignerForChainID(ChainID), &types.DynamicFeeTx{
		ChainID: ChainID, Nonce: nonce, Gas: gas, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(3),
		To: to, Value: big.NewInt(value), Data: data,
	})
	require.NoError(t, err)
	return tx
}
