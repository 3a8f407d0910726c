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
)

// Mode is how validators are chosen.
type Mode string

// PoA gives each authority of the genesis file the same power. The other modes arrive with staking.
const (
	PoA    Mode = "poa"
	PoS    Mode = "pos"
	Hybrid Mode = "hybrid"
)

// ErrMode refuses a consensus mode that this version cannot run.
var ErrMode = errors.New("consensus mode not available")

// Check returns ErrMode unless this version can run the mode.
func (m Mode) Check() error {
	switch m {
	case PoA:
		return nil
	case PoS, Hybrid:
		return fmt.Errorf("%w: %q arrives with staking; this version runs %q", ErrMode, m, PoA)
	default:
		return fmt.Errorf("%w: %q is none of poa, pos, hybrid", ErrMode, m)
	}
}

// Contract is a predeploy as everyone addresses it: the proxy.
type Contract struct {
	Name    string         `json:"name"`
	Address common.Address `json:"address"`
}

// Call is a call that the node makes at the end of each block.
type Call struct {
	Name string         `json:"name"`
	To   common.Address `json:"to"`
	Data hexutil.Bytes  `json:"data"`
	Gas  uint64         `json:"gas"`
}

// State is the application's part of genesis.json: all that a node needs to know about its chain.
type State struct {
	Mode       Mode          `json:"consensus_mode"`
	Predeploys []Contract    `json:"predeploys"`
	EndBlock   []Call        `json:"end_block"`
	EVM        *core.Genesis `json:"evm"`
}

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
