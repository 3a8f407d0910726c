package node

import (
	"fmt"
	"strings"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/home"
)

// parts are what a node reads from its home.
type parts struct {
	opt       Options
	doc       *cmttypes.GenesisDoc
	state     *genesis.State
	keys      home.Keys
	validator common.Address
}

func load(o Options) (*parts, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	doc, state, err := genesis.Load(o.Home.Genesis())
	if err != nil {
		return nil, err
	}
	if err := mode(o.Config, state); err != nil {
		return nil, err
	}
	keys, err := o.Home.Open()
	if err != nil {
		return nil, err
	}
	validator, err := keys.Address()
	if err != nil {
		return nil, err
	}
	if want := o.Config.ValidatorAddress; want != "" && !strings.EqualFold(want, validator.Hex()) {
		return nil, fmt.Errorf("%w: %s is not %s", ErrValidator, want, validator.Hex())
	}
	return &parts{opt: o, doc: doc, state: state, keys: keys, validator: validator}, nil
}

func signer(s *genesis.State) types.Signer { return types.LatestSignerForChainID(s.ChainID()) }
