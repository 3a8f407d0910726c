package validators

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/contracts"
)

// Standing is what Staking says of a validator.
type Standing struct {
	Consensus  common.Address `json:"consensus"`
	Tokens     *big.Int       `json:"tokens"`
	Jailed     bool           `json:"jailed"`
	Tombstoned bool           `json:"tombstoned"`
	Power      uint64         `json:"power"`
	Missed     uint32         `json:"missed"`
}

// Standing asks a node that runs what Staking says of node i's validator.
func (c *Cluster) Standing(i int) Standing {
	c.t.Helper()
	a, err := contracts.StakingABI()
	if err != nil {
		c.t.Fatal(err)
	}
	data, err := a.Pack("validator", operator(i).address)
	if err != nil {
		c.t.Fatal(err)
	}
	var raw hexutil.Bytes
	c.ask(&raw, "eth_call", map[string]any{"to": contracts.StakingAddress, "input": hexutil.Bytes(data)}, "latest")
	values, err := a.Unpack("validator", raw)
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := json.Marshal(values[0])
	if err != nil {
		c.t.Fatal(err)
	}
	var s Standing
	if err := json.Unmarshal(text, &s); err != nil {
		c.t.Fatalf("standing of node%d: %v in %s", i, err, text)
	}
	return s
}

// Unjail has the operator of node i's validator leave jail, and fails the test unless the transaction succeeds.
func (c *Cluster) Unjail(i int) {
	c.t.Helper()
	c.transact(operator(i), new(big.Int), "unjail")
}

// Register makes node i a validator with that many coins of its operator, who
// proves with the program's own proof that the node's key is its own.
func (c *Cluster) Register(i int, coins int64) {
	c.t.Helper()
	who := operator(i)
	var p struct {
		X, Y   common.Hash
		Digest string
		Proof  hexutil.Bytes
	}
	prove := []string{"keys", "prove", "--home", c.Nodes[i].Home, "--operator", who.address.Hex(), "--json"}
	if err := json.Unmarshal(c.run(prove...), &p); err != nil {
		c.t.Fatal(err)
	}
	value := new(big.Int).Mul(big.NewInt(coins), big.NewInt(1e18))
	c.transact(who, value, "createValidator", [32]byte(p.X), [32]byte(p.Y), []byte(p.Proof), uint16(500), uint16(100), c.Nodes[i].Validator.Hex())
}

// transact calls Staking in a transaction, and fails the test unless it succeeds.
func (c *Cluster) transact(who account, value *big.Int, method string, args ...any) {
	c.t.Helper()
	c.invoke(who, contracts.StakingAddress, contracts.StakingABI, value, method, args...)
}

// invoke calls a contract in a transaction, and fails the test unless it succeeds.
func (c *Cluster) invoke(who account, to common.Address, interfaceOf func() (abi.ABI, error), value *big.Int, method string, args ...any) {
	c.t.Helper()
	a, err := interfaceOf()
	if err != nil {
		c.t.Fatal(err)
	}
	data, err := a.Pack(method, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	var id, nonce hexutil.Uint64
	c.ask(&id, "eth_chainId")
	c.ask(&nonce, "eth_getTransactionCount", who.address, "latest")
	chain := new(big.Int).SetUint64(uint64(id))
	tx, err := types.SignNewTx(who.key, types.LatestSignerForChainID(chain), &types.DynamicFeeTx{
		ChainID: chain, Nonce: uint64(nonce), Gas: 2_000_000, GasFeeCap: big.NewInt(1e11), GasTipCap: big.NewInt(1e6),
		To: &to, Value: value, Data: data,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		c.t.Fatal(err)
	}
	var hash common.Hash
	c.ask(&hash, "eth_sendRawTransaction", hexutil.Bytes(raw))
	c.wait(agreeWithin, method+" in a block", func() bool {
		r, err := c.asked().receipt(c.t.Context(), hash)
		if err == nil && r.Status != types.ReceiptStatusSuccessful {
			c.t.Fatalf("%s of %s reverted", method, who.address)
		}
		return err == nil
	})
}

// asked is a node that runs.
func (c *Cluster) asked() *Node {
	c.t.Helper()
	all := c.chosen(nil)
	if len(all) == 0 {
		c.t.Fatal("no node runs")
	}
	return all[0]
}

// ask makes an Ethereum request to a node that runs.
func (c *Cluster) ask(out any, method string, params ...any) {
	c.t.Helper()
	if params == nil {
		params = []any{}
	}
	if err := c.asked().eth.call(c.t.Context(), out, method, params); err != nil {
		c.t.Fatal(err)
	}
}

// Until waits until something is so.
func (c *Cluster) Until(what string, f func() bool) {
	c.t.Helper()
	c.wait(agreeWithin, what, f)
}
