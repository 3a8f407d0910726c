package validators

import (
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/contracts"
)

// Governance are parameters with which a vote ends while a test waits.
var Governance = map[string]any{"voting_delay": 1, "voting_period": 15, "timelock_delay": 1}

// Governor's words for a vote and for states of a proposal.
const (
	voteFor   = uint8(1)
	active    = uint8(1)
	succeeded = uint8(4)
	queued    = uint8(5)
)

// Admit has all validators vote to admit the operator of node i as an
// authority, and waits until that is done. Governance must be among Params.
func (c *Cluster) Admit(i int) {
	c.t.Helper()
	staking, err := contracts.StakingABI()
	if err != nil {
		c.t.Fatal(err)
	}
	data, err := staking.Pack("setAuthority", operator(i).address, true)
	if err != nil {
		c.t.Fatal(err)
	}
	c.decide("Admit "+operator(i).address.Hex(), contracts.StakingAddress, data, i)
}

// decide takes one action from the proposal to its execution, with the votes of the first validators.
func (c *Cluster) decide(description string, to common.Address, data []byte, voters int) {
	c.t.Helper()
	targets, values, actions := []common.Address{to}, []*big.Int{new(big.Int)}, [][]byte{data}
	text := crypto.Keccak256Hash([]byte(description))
	governor := func(i int, method string, args ...any) {
		c.t.Helper()
		c.invoke(operator(i), contracts.GovernorAddress, contracts.GovernorABI, new(big.Int), method, args...)
	}
	governor(0, "propose", targets, values, actions, description)
	a, err := contracts.GovernorABI()
	if err != nil {
		c.t.Fatal(err)
	}
	var id *big.Int
	c.view(contracts.GovernorAddress, "hashProposal", func(raw []byte) error { return a.UnpackIntoInterface(&id, "hashProposal", raw) },
		func() ([]byte, error) { return a.Pack("hashProposal", targets, values, actions, [32]byte(text)) })
	becomes := func(want uint8) {
		c.t.Helper()
		c.wait(time.Minute, description, func() bool {
			var got uint8
			c.view(contracts.GovernorAddress, "state", func(raw []byte) error { return a.UnpackIntoInterface(&got, "state", raw) },
				func() ([]byte, error) { return a.Pack("state", id) })
			return got == want
		})
	}
	becomes(active)
	for i := range voters {
		governor(i, "castVote", id, voteFor)
	}
	becomes(succeeded)
	governor(0, "queue", targets, values, actions, [32]byte(text))
	becomes(queued)
	start := c.BlockTime()
	c.wait(time.Minute, "the timelock's delay", func() bool { return c.BlockTime().Sub(start) > 2*time.Second })
	governor(0, "execute", targets, values, actions, [32]byte(text))
}

// view asks a contract in the newest block.
func (c *Cluster) view(to common.Address, method string, unpack func([]byte) error, pack func() ([]byte, error)) {
	c.t.Helper()
	data, err := pack()
	if err != nil {
		c.t.Fatal(err)
	}
	var raw hexutil.Bytes
	c.ask(&raw, "eth_call", map[string]any{"to": to, "input": hexutil.Bytes(data)}, "latest")
	if err := unpack(raw); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
}
