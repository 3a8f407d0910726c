package genesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"

	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/valset"
)

// Mode is how validators are chosen.
type Mode string

const (
	// PoA gives each authority the same power.
	PoA Mode = "poa"
	// PoS gives everyone power by stake.
	PoS Mode = "pos"
	// Hybrid gives authorities, whom governance admits, power by stake.
	Hybrid Mode = "hybrid"
)

// ErrMode refuses a word that names no consensus mode.
var ErrMode = errors.New("unknown consensus mode")

// Check returns ErrMode unless m is a mode.
func (m Mode) Check() error {
	switch m {
	case PoA, PoS, Hybrid:
		return nil
	default:
		return fmt.Errorf("%w: %q is none of poa, pos, hybrid", ErrMode, m)
	}
}

// Contract is a predeploy as everyone addresses it: the proxy.
type Contract struct {
	Name    string         `json:"name"`
	Address common.Address `json:"address"`
	// NoMoney marks a contract that owes nobody anything and is not asked.
	NoMoney bool `json:"no_money,omitempty"`
}

// Call is a call that the node makes at the end of each block.
type Call struct {
	Name string         `json:"name"`
	Kind exec.Kind      `json:"kind,omitempty"`
	To   common.Address `json:"to"`
	Data hexutil.Bytes  `json:"data,omitempty"`
	Gas  uint64         `json:"gas"`
	// Cap is the most base units that one block may issue; only for exec.Issuance.
	Cap *hexutil.Big `json:"cap,omitempty"`
}

func (c Call) check(hasSet bool) error {
	switch c.Kind {
	case exec.Plain:
	case exec.Validators:
		if !hasSet {
			return fmt.Errorf("call %s changes validators, and the first block has none", c.Name)
		}
	case exec.Issuance:
		if c.Cap == nil || c.Cap.ToInt().Sign() < 0 {
			return fmt.Errorf("call %s issues coins without a cap", c.Name)
		}
	default:
		return fmt.Errorf("call %s is of an unknown kind %q", c.Name, c.Kind)
	}
	return nil
}

// State is the application's part of genesis.json: all that a node needs to know about its chain.
type State struct {
	Mode       Mode       `json:"consensus_mode"`
	Predeploys []Contract `json:"predeploys"`
	EndBlock   []Call     `json:"end_block"`
	// Upgrades is the contract whose plan the node follows; nil is none.
	Upgrades *common.Address `json:"upgrades,omitempty"`
	EVM      *core.Genesis   `json:"evm"`
}

// Calls are the system calls at the end of a block, for the executor.
func (s *State) Calls() []exec.SystemCall {
	out := make([]exec.SystemCall, len(s.EndBlock))
	for i, c := range s.EndBlock {
		out[i] = exec.SystemCall{Name: c.Name, Kind: c.Kind, To: c.To, Data: c.Data, Gas: c.Gas, Cap: (*big.Int)(c.Cap)}
	}
	return out
}

// Set is the set of validators as the first block has it. It is empty if the chain's set never changes.
func (s *State) Set() []valset.Validator {
	return valset.Read(storage(s.EVM.Alloc[valset.Account].Storage))
}

type storage map[common.Hash]common.Hash

func (m storage) GetState(_ common.Address, k common.Hash) common.Hash { return m[k] }

// Supply is the number of base units that the chain starts with.
func (s *State) Supply() *big.Int {
	sum := new(big.Int)
	for _, a := range s.EVM.Alloc {
		sum.Add(sum, a.Balance)
	}
	return sum
}

// ChainID is the number in every transaction of the chain.
func (s *State) ChainID() *big.Int { return s.EVM.Config.ChainID }

// Hash is the hash of the first block, the app hash that CometBFT starts with.
func (s *State) Hash() common.Hash { return s.EVM.ToBlock().Hash() }

// Parse reads a State and checks that this version can run it. Unknown fields are refused, except inside the
// Ethereum genesis, whose format is go-ethereum's.
func Parse(raw []byte) (*State, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var s State
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("parse app state: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse app state: something follows it")
	}
	if err := s.Mode.Check(); err != nil {
		return nil, err
	}
	switch {
	case s.EVM == nil || s.EVM.Config == nil:
		return nil, errors.New("parse app state: no evm section with a config")
	case s.EVM.Config.ChainID == nil || s.EVM.Config.ChainID.Sign() <= 0 || !s.EVM.Config.ChainID.IsUint64():
		return nil, errors.New("parse app state: chain id is no positive 64-bit number")
	case string(s.EVM.ExtraData) != s.CometID():
		return nil, errors.New("parse app state: the extra data is not the chain's name")
	case s.EVM.Difficulty == nil || s.EVM.Difficulty.Sign() != 0:
		return nil, errors.New("parse app state: difficulty must be 0")
	case s.EVM.BaseFee == nil || s.EVM.BaseFee.Sign() < 0 || s.EVM.BaseFee.BitLen() > 128:
		return nil, errors.New("parse app state: no base fee")
	case s.EVM.GasLimit < minGasLimit || s.EVM.GasLimit > maxGasLimit:
		return nil, fmt.Errorf("parse app state: gas limit %d is not between %d and %d", s.EVM.GasLimit, uint64(minGasLimit), uint64(maxGasLimit))
	}
	for _, c := range s.EndBlock {
		if err := c.check(len(s.Set()) > 0); err != nil {
			return nil, fmt.Errorf("parse app state: %w", err)
		}
	}
	for addr, a := range s.EVM.Alloc {
		if a.Balance == nil || a.Balance.Sign() < 0 || a.Balance.BitLen() > 128 {
			return nil, fmt.Errorf("parse app state: balance of %v is not below 2^128", addr)
		}
	}
	return &s, nil
}

const (
	minGasLimit = 1_000_000
	maxGasLimit = 1_000_000_000
)
