package setup_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// The people of these tests.
const (
	orders = 6 // the client
	works  = 7 // the miner; its signing key is its own
)

// jobTerms and jobReceipt are the contract's tuples, of which these tests need little.
type jobTerms struct {
	Spec, Model, Class, SealTo [32]byte
	Level                      uint8
	AcceptBy, Deadline         uint64
	CallbackGas                uint32
}

type jobReceipt struct {
	Version                                                 uint8
	Order                                                   [32]byte
	Session                                                 uint64
	Client, Coordinator, Miner                              common.Address
	Model, Class, Output                                    [32]byte
	PromptTokens, CompletionTokens, ComputeMillis, Items    uint64
	PromptRate, CompletionRate, SecondRate, ItemRate, Price *big.Int
	TemperatureMilli, TopPMilli, TopK                       uint32
	Seed, StartedAt, FinishedAt                             uint64
	Level                                                   uint8
	Evidence                                                [32]byte
}

// order is a direct job, as far as a test has taken it.
type order struct {
	id    uint64
	terms receipt.DirectJob
}

func jobsNet(t *testing.T) *net {
	t.Helper()
	n := stakingNet(t, genesis.Hybrid, func(p *contracts.Genesis) {
		p.Jobs.ChallengeWindow, p.Jobs.AnswerWindow = 20, 20
		p.Registry.MinMinerStake = p.Staking.MinSelfStake
	})
	for name, get := range map[string]func() (abi.ABI, error){"market": contracts.MarketABI, "registry": contracts.RegistryABI} {
		i, err := get()
		require.NoError(t, err)
		n.abi[name] = i
	}
	n.block(nil, n.tx(works, contracts.RegistryAddress, 10, "registry", "register", uint8(1), chaintest.Address(works), [32]byte{}, "https://example.org"))
	return n
}

func (n *net) call(from int, coins int64, method string, args ...any) {
	n.t.Helper()
	n.block(nil, n.tx(from, contracts.MarketAddress, coins, "market", method, args...))
}

// create orders a job of 5 coins, whose bond is one.
func (n *net) create() order {
	n.t.Helper()
	at := uint64(n.now.Unix())
	count := view(n.t, n.Chain, contracts.MarketAddress, n.abi["market"], "jobCount")[0].(uint64)
	d := receipt.DirectJob{
		Job: count + 1, Client: chaintest.Address(orders), Spec: common.Hash{1}, Model: common.Hash{2}, Fee: market.Coins(5),
		AcceptBy: at + 20, Deadline: at + 40,
	}
	n.call(orders, 5, "createJob", jobTerms{Spec: d.Spec, Model: d.Model, AcceptBy: d.AcceptBy, Deadline: d.Deadline}, []common.Address{}, []byte{})
	return order{d.Job, d}
}

func (n *net) accept(o order) { n.call(works, 1, "acceptJob", o.id) }

func (n *net) submit(o order) {
	n.t.Helper()
	d := receipt.Domain{ChainID: chaintest.ChainID.Uint64(), Market: contracts.MarketAddress}
	ms := uint64(n.now.UnixMilli())
	r := receipt.Receipt{
		Version: receipt.Version, Order: receipt.Digest(d, o.terms), Client: o.terms.Client, Miner: chaintest.Address(works), Model: o.terms.Model,
		Output: receipt.JobOutput(receipt.Salt{}, []byte("done")), Price: o.terms.Fee, StartedAt: ms, FinishedAt: ms,
	}
	digest := receipt.Digest(d, r)
	raw, err := crypto.Sign(digest[:], chaintest.Key(works))
	require.NoError(n.t, err)
	vs := common.Hash(raw[32:64])
	vs[0] |= raw[64] << 7
	zero := new(big.Int)
	n.call(works, 0, "submitResult", o.id, jobReceipt{
		Version: r.Version, Order: r.Order, Client: r.Client, Miner: r.Miner, Model: r.Model, Output: r.Output,
		PromptRate: zero, CompletionRate: zero, SecondRate: zero, ItemRate: zero, Price: r.Price.Big(), StartedAt: ms, FinishedAt: ms,
	}, common.Hash(raw[:32]), vs, crypto.Keccak256Hash([]byte("done")))
}

// locked is what a job holds, by its number.
func (n *net) locked(id uint64) string {
	n.t.Helper()
	return view(n.t, n.Chain, contracts.MarketAddress, n.abi["market"], "jobsLockedIn", id, id)[0].(*big.Int).String()
}

// A job that is forgotten in any of its states is ended by the node itself at that state's deadline, to the second, with
// every coin where it belongs, and without a transaction of anybody's.
func TestForgottenJobsAreEndedByTheChain(t *testing.T) {
	const unit = "000000000000000000"
	cases := []struct {
		name           string
		steps          func(n *net, o order)
		holds          string
		after          uint64 // seconds from the last step to the end
		client, worker int64  // what each gains by the end, in thousandths of a coin
	}{
		{"open", func(*net, order) {}, "5" + unit, 19, 5000, 0},
		{"accepted", func(n *net, o order) { n.accept(o) }, "6" + unit, 38, 6000, 0},
		{"submitted", func(n *net, o order) { n.accept(o); n.submit(o) }, "6" + unit, 20, 0, 5875},
		{"challenged", func(n *net, o order) { n.accept(o); n.submit(o); n.call(orders, 1, "challengeJob", o.id) }, "7" + unit, 20, 7000, 0},
	}
	n := jobsNet(t)
	for _, c := range cases {
		o := n.create()
		c.steps(n, o)
		require.Equal(t, c.holds, n.locked(o.id), c.name)
		require.Equal(t, n.audited().Jobs.Sum, c.holds, c.name)
		client, worker := n.balance(orders), n.balance(works)
		n.now = n.now.Add(time.Duration(c.after-2) * time.Second)
		n.block(nil)
		require.Equal(t, c.holds, n.locked(o.id), "%s: not a second early", c.name)
		res := n.block(nil)
		require.Equal(t, "0", n.locked(o.id), "%s: ended", c.name)
		require.NotZero(t, logsOf(res, "Market.endJobs"), c.name)
		require.Equal(t, thousandths(c.client), gain(client, n.balance(orders)), c.name)
		require.Equal(t, thousandths(c.worker), gain(worker, n.balance(works)), c.name)
		require.Equal(t, "0", n.audited().Jobs.Locked, c.name)
	}
	require.Equal(t, "4", n.audited().Jobs.Count)
}

// More jobs than a block may end fall due at once: K a block, oldest first, and the call stays within its gas.
func TestManyDueJobsAreEndedABlockAtATime(t *testing.T) {
	n := jobsNet(t)
	at := uint64(n.now.Unix())
	for range 5 {
		var list []*types.Transaction
		for range 15 {
			data, err := n.abi["market"].Pack("createJob", jobTerms{Spec: common.Hash{1}, AcceptBy: at + 60, Deadline: at + 60}, []common.Address{}, []byte{})
			require.NoError(t, err)
			list = append(list, n.raw(orders, &contracts.MarketAddress, 1, data))
		}
		n.block(nil, list...)
	}
	n.now = n.now.Add(time.Minute)
	for _, left := range []string{"43", "11", "0"} { // 32 a block
		res := n.block(nil)
		if left != "0" {
			left += "000000000000000000"
		}
		require.Equal(t, left, n.audited().Jobs.Sum)
		for _, c := range res.Calls {
			require.Less(t, c.GasUsed, uint64(10_000_000), c.Call.Name)
		}
	}
}

// logsOf are those of one system call.
func logsOf(res *exec.Result, name string) int {
	for _, c := range res.Calls {
		if c.Call.Name == name {
			return len(c.Logs)
		}
	}
	return 0
}

func (n *net) balance(i int) *big.Int {
	n.t.Helper()
	st, err := n.Chain.StateAt(n.Chain.Head())
	require.NoError(n.t, err)
	return st.GetBalance(chaintest.Address(i)).ToBig()
}

func gain(before, after *big.Int) string { return new(big.Int).Sub(after, before).String() }

func thousandths(n int64) string { return new(big.Int).Mul(big.NewInt(n), big.NewInt(1e15)).String() }
