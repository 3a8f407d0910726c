package genesis

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/aitbc/aitbc/chain/valset"
)

// Predeploy is a contract that exists from the first block.
type Predeploy struct {
	Name string
	// Proxy is the address that everybody uses; Implementation holds the code behind it.
	Proxy, Implementation common.Address
	// Creation is the implementation's creation code with its constructor's arguments.
	Creation []byte
	// ProxyCreation is that of the proxy, whose constructor calls the initializer.
	ProxyCreation []byte
	// Balance is in the proxy's account before its constructor runs; nil is none.
	Balance *big.Int
	// NoMoney marks a contract that owes nobody anything.
	NoMoney bool
}

// View asks a contract of the first block something.
type View func(to common.Address, data []byte) ([]byte, error)

// Spec says what the first block is to hold.
type Spec struct {
	ChainID *big.Int
	Time    time.Time
	Mode    Mode
	// Alloc are the first balances.
	Alloc      map[common.Address]*big.Int
	Predeploys []Predeploy
	EndBlock   []Call
	// Upgrades is the contract whose plan the node follows.
	Upgrades *common.Address
	// Set asks the contracts for the first set of validators; nil if the set never changes.
	Set func(View) ([]valset.Validator, error)
	// GasLimit of every block; 0 is DefaultGasLimit.
	GasLimit uint64
}

// DefaultGasLimit is what a block may use: about 150 ms of work on one core of 2020.
const DefaultGasLimit = 100_000_000

// firstBaseFee is the base fee of the first block in base units: it soon follows demand.
const firstBaseFee = 1_000_000

// silent stands where Ethereum keeps the queues of its own validators, which go-ethereum asks whenever it is asked for
// the pending state. It answers every call with nothing and refuses coins.
//
//	CALLVALUE PUSH1 5 JUMPI STOP JUMPDEST PUSH0 PUSH0 REVERT
var silent = common.FromHex("34600557005b5f5ffd")

// Build executes the predeploys' creation and returns the state of the first block.
func Build(spec Spec) (*State, error) {
	if err := spec.Mode.Check(); err != nil {
		return nil, err
	}
	if spec.ChainID == nil || spec.ChainID.Sign() <= 0 || !spec.ChainID.IsUint64() {
		return nil, errors.New("genesis: chain id must be a positive 64-bit number")
	}
	if spec.Time.Unix() <= 0 {
		return nil, errors.New("genesis: no time")
	}
	limit := spec.GasLimit
	if limit == 0 {
		limit = DefaultGasLimit
	}
	evm := &core.Genesis{
		Config: chainConfig(spec.ChainID), GasLimit: limit, Difficulty: new(big.Int), BaseFee: big.NewInt(firstBaseFee),
		ExtraData: []byte(cometID(spec.ChainID)), // so that no two networks share a first block
		Timestamp: uint64(spec.Time.Unix()),      //nolint:gosec // checked to be after 1970
		Alloc: types.GenesisAlloc{
			params.HistoryStorageAddress:     {Nonce: 1, Code: params.HistoryStorageCode, Balance: new(big.Int)},
			params.WithdrawalQueueAddress:    {Nonce: 1, Code: silent, Balance: new(big.Int)},
			params.ConsolidationQueueAddress: {Nonce: 1, Code: silent, Balance: new(big.Int)},
		},
	}
	for addr, balance := range spec.Alloc {
		if balance == nil || balance.Sign() < 0 || balance.BitLen() > 128 {
			return nil, fmt.Errorf("genesis: balance of %v is not between 0 and 2^128", addr)
		}
		if _, taken := evm.Alloc[addr]; taken {
			return nil, fmt.Errorf("genesis: %v is a system contract and takes no balance", addr)
		}
		evm.Alloc[addr] = types.Account{Balance: new(big.Int).Set(balance)}
	}
	s := &State{Mode: spec.Mode, EndBlock: spec.EndBlock, Upgrades: spec.Upgrades, EVM: evm}
	ask, err := deploy(evm, spec.Predeploys)
	if err != nil {
		return nil, err
	}
	for _, p := range spec.Predeploys {
		s.Predeploys = append(s.Predeploys, Contract{Name: p.Name, Address: p.Proxy, NoMoney: p.NoMoney})
	}
	if spec.Set != nil {
		if err := s.begin(spec.Set, ask); err != nil {
			return nil, err
		}
	}
	for _, c := range s.EndBlock {
		if err := c.check(spec.Set != nil); err != nil {
			return nil, fmt.Errorf("genesis: %w", err)
		}
	}
	return s, nil
}

// begin writes the first set of validators into the node's own account.
func (s *State) begin(ask func(View) ([]valset.Validator, error), view View) error {
	set, err := ask(view)
	if err != nil {
		return fmt.Errorf("genesis: first validators: %w", err)
	}
	if err := valset.Check(set); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	valset.Sort(set)
	if _, taken := s.EVM.Alloc[valset.Account]; taken {
		return fmt.Errorf("genesis: %v is the node's own account", valset.Account)
	}
	s.EVM.Alloc[valset.Account] = types.Account{
		Nonce: 1, Code: valset.Code, Balance: new(big.Int), Storage: valset.Storage(set),
	}
	return nil
}

// chainConfig switches on every rule of Ethereum up to Osaka from the first block.
func chainConfig(chainID *big.Int) *params.ChainConfig {
	c := *params.AllDevChainProtocolChanges
	c.ChainID = new(big.Int).Set(chainID)
	c.BogotaTime = nil
	c.BlobScheduleConfig = &params.BlobScheduleConfig{Cancun: params.DefaultCancunBlobConfig, Prague: params.DefaultPragueBlobConfig}
	return &c
}
