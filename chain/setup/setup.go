// Package setup makes the homes of a new network's validators: keys, configurations, and a genesis with the
// predeploys.
package setup

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/aitbc/aitbc/contracts"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/accounts/abi"
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
	// Params set up the predeploys; nil takes the defaults, with the validator as governor.
	Params *contracts.Genesis
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

// endBlockGas bounds the Market's work at the end of a block: a full batch of refunds, with room.
const endBlockGas = 30_000_000

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
	validators := make([]genesis.Validator, len(keys))
	for i, k := range keys {
		pub, err := k.Consensus.GetPubKey()
		if err != nil {
			return nil, fmt.Errorf("consensus key: %w", err)
		}
		validators[i] = genesis.Validator{Key: pub, Power: genesis.AuthorityPower}
	}
	params := o.Params
	if params == nil {
		params = &contracts.Genesis{
			Governor: common.BytesToAddress(validators[0].Key.Address()),
			Market:   contracts.DefaultMarketParams(), Registry: contracts.DefaultRegistryParams(),
		}
	}
	spec, err := Spec(id, o.Time, o.Config.ConsensusMode, o.Alloc, *params)
	if err != nil {
		return nil, err
	}
	state, err := genesis.Build(spec)
	if err != nil {
		return nil, err
	}
	doc, err := genesis.Document(state, o.Time, validators)
	if err != nil {
		return nil, err
	}
	return &network{id: id, governor: params.Governor, state: state, doc: doc}, nil
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

// Spec is a genesis with the predeploys, set up with the given parameters.
func Spec(id *big.Int, at time.Time, mode genesis.Mode, alloc map[common.Address]*big.Int, params contracts.Genesis) (genesis.Spec, error) {
	creations, err := params.Creations()
	if err != nil {
		return genesis.Spec{}, fmt.Errorf("predeploys: %w", err)
	}
	market, err := contracts.MarketABI()
	if err != nil {
		return genesis.Spec{}, fmt.Errorf("predeploys: %w", err)
	}
	end, err := endBlock(market)
	if err != nil {
		return genesis.Spec{}, err
	}
	spec := genesis.Spec{ChainID: id, Time: at, Mode: mode, Alloc: alloc, EndBlock: []genesis.Call{end}}
	for _, c := range creations {
		spec.Predeploys = append(spec.Predeploys, genesis.Predeploy{
			Name: c.Name, Proxy: c.Proxy, Implementation: c.Implementation, Creation: c.Code, ProxyCreation: c.ProxyCode,
		})
	}
	return spec, nil
}

func endBlock(market abi.ABI) (genesis.Call, error) {
	data, err := market.Pack("endBlock")
	if err != nil {
		return genesis.Call{}, fmt.Errorf("predeploys: %w", err)
	}
	return genesis.Call{Name: "Market.endBlock", To: contracts.MarketAddress, Data: data, Gas: endBlockGas}, nil
}

// maxDigits is the length of 2^128 in decimal.
const maxDigits = 39

// ReadAlloc reads {"0x…": "decimal base units"}.
func ReadAlloc(path string) (map[common.Address]*big.Int, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return ParseAlloc(raw)
}

// ParseAlloc is ReadAlloc for bytes.
func ParseAlloc(raw []byte) (map[common.Address]*big.Int, error) {
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("parse balances: %w", err)
	}
	out := make(map[common.Address]*big.Int, len(m))
	for addr, amount := range m {
		if !common.IsHexAddress(addr) || len(addr) != 42 {
			return nil, fmt.Errorf("parse balances: %q is no address of 0x and 40 hex digits", addr)
		}
		a := common.HexToAddress(addr)
		if _, twice := out[a]; twice {
			return nil, fmt.Errorf("parse balances: %v stands there twice", a)
		}
		v, ok := new(big.Int), len(amount) > 0 && len(amount) <= maxDigits
		if ok {
			v, ok = v.SetString(amount, 10)
		}
		if !ok || v.Sign() < 0 || v.BitLen() > 128 || amount[0] == '+' {
			return nil, fmt.Errorf("parse balances: %q of %v is no amount in base units below 2^128", amount, a)
		}
		out[a] = v
	}
	return out, nil
}

// ReadParams reads the predeploys' parameters over the defaults. Unknown fields are refused.
func ReadParams(path string) (*contracts.Genesis, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read parameters: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	g := &contracts.Genesis{Market: contracts.DefaultMarketParams(), Registry: contracts.DefaultRegistryParams()}
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	if err := dec.Decode(g); err != nil {
		return nil, fmt.Errorf("parse parameters in %s: %w", path, err)
	}
	return g, nil
}
