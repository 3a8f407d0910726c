// Package setup makes the homes of a new network's validators: keys, configurations, and a genesis with the
// predeploys.
package setup

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/cometbft/cometbft/crypto"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/home"
)

// Options say what network to make.
type Options struct {
	Home home.Home
	// ChainID of the network; nil draws one of a local network.
	ChainID *big.Int
	// Time of the first block.
	Time time.Time
	// Alloc are the first balances.
	Alloc map[common.Address]*big.Int
	// Params set up the predeploys; nil takes the defaults.
	Params *contracts.Genesis
	// Stake is each validator's own, made with the first block; zero is the least that may validate.
	Stake market.Amount
	// Operators are the accounts that the validators belong to, in their order; nil is each validator's consensus
	// address, whose key the node has.
	Operators []common.Address
	// Config is written to the home.
	Config config.Config
}

// Result describes what was made.
type Result struct {
	Home       string                    `json:"home"`
	ChainID    *big.Int                  `json:"chain_id"`
	CometID    string                    `json:"comet_chain_id"`
	Genesis    common.Hash               `json:"genesis_hash"`
	Validator  common.Address            `json:"validator"`
	NodeID     string                    `json:"node_id"`
	Governor   common.Address            `json:"governor"`
	Supply     string                    `json:"supply"`
	Predeploys map[string]common.Address `json:"predeploys"`
}

// Local networks draw their chain id between these, so that nothing signed for one means anything on another.
var (
	minLocalID = new(big.Int).Lsh(big.NewInt(1), 40)
	maxLocalID = new(big.Int).Lsh(big.NewInt(1), 48)
)

// DrawChainID draws the id of a local network.
func DrawChainID() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Sub(maxLocalID, minLocalID))
	if err != nil {
		return nil, fmt.Errorf("draw chain id: %w", err)
	}
	return n.Add(n, minLocalID), nil
}

// Init makes the home. It returns home.ErrExists if there is one.
func Init(o Options) (*Result, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	id, err := o.chainID()
	if err != nil {
		return nil, err
	}
	keys, err := o.Home.Create()
	if err != nil {
		return nil, err
	}
	r, err := o.fill(id, keys)
	if err != nil {
		return nil, errors.Join(err, o.Home.Remove()) // nothing of a failed attempt stays
	}
	return r, nil
}

// chainID checks what every network needs and draws its id if none is given.
func (o Options) chainID() (*big.Int, error) {
	if o.Time.IsZero() {
		return nil, errors.New("init: no genesis time")
	}
	if o.ChainID == nil {
		return DrawChainID()
	}
	if o.ChainID.Sign() <= 0 || !o.ChainID.IsUint64() {
		return nil, fmt.Errorf("chain id %v is no positive 64-bit number", o.ChainID)
	}
	return o.ChainID, nil
}

func (o Options) fill(id *big.Int, keys home.Keys) (*Result, error) {
	n, err := o.network(id, []home.Keys{keys})
	if err != nil {
		return nil, err
	}
	return n.write(o.Home, o.Config, keys)
}

// network is what all nodes of one network share.
type network struct {
	id       *big.Int
	governor common.Address
	state    *genesis.State
	doc      *cmttypes.GenesisDoc
}

// network makes the genesis whose validators have the given keys.
func (o Options) network(id *big.Int, keys []home.Keys) (*network, error) {
	params := contracts.DefaultGenesis()
	if o.Params != nil {
		params = *o.Params
	}
	pubs := make([]crypto.PubKey, len(keys))
	var err error
	for i, k := range keys {
		if pubs[i], err = k.Consensus.GetPubKey(); err != nil {
			return nil, fmt.Errorf("consensus key: %w", err)
		}
	}
	if params.Validators, err = o.validators(pubs, params.Staking.MinSelfStake); err != nil {
		return nil, err
	}
	spec, err := Spec(id, o.Time, o.Config.ConsensusMode, o.Alloc, params)
	if err != nil {
		return nil, err
	}
	state, err := genesis.Build(spec)
	if err != nil {
		return nil, err
	}
	power := map[common.Address]uint64{}
	for _, v := range state.Set() {
		power[v.Address()] = v.Power
	}
	var validators []genesis.Validator
	for i, pub := range pubs {
		if p := power[common.BytesToAddress(pub.Address())]; p > 0 {
			validators = append(validators, genesis.Validator{Key: pub, Power: int64(p), Name: params.Validators[i].Moniker}) //nolint:gosec // at most valset.MaxPower
		}
	}
	doc, err := genesis.Document(state, o.Time, validators)
	if err != nil {
		return nil, err
	}
	return &network{id: id, governor: params.Authority(), state: state, doc: doc}, nil
}

// write gives a node that has its keys the network's genesis and its own configuration.
func (n *network) write(h home.Home, c config.Config, keys home.Keys) (*Result, error) {
	validator, err := keys.Address()
	if err != nil {
		return nil, err
	}
	if err := n.doc.SaveAs(h.Genesis()); err != nil {
		return nil, fmt.Errorf("write genesis: %w", err)
	}
	raw, err := c.Encode()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(h.Config(), raw, 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	path, err := filepath.Abs(string(h))
	if err != nil {
		return nil, fmt.Errorf("home: %w", err)
	}
	r := &Result{
		Home: path, ChainID: n.id, CometID: n.state.CometID(), Genesis: n.state.Hash(), Validator: validator,
		NodeID: string(keys.Node.ID()), Governor: n.governor, Supply: n.state.Supply().String(),
		Predeploys: map[string]common.Address{},
	}
	for _, p := range n.state.Predeploys {
		r.Predeploys[p.Name] = p.Address
	}
	return r, nil
}
