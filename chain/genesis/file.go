package genesis

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/secp256k1eth"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/aitbc/aitbc/chain/valset"
)

// Validator is an authority of the first block.
type Validator struct {
	Key   crypto.PubKey
	Power int64
	Name  string
}

// Limits of a CometBFT block. Gas bounds the work; bytes bound the gossip.
const (
	MaxBlockBytes     = 4 << 20
	AuthorityPower    = 10
	evidenceBlocks    = 100_000
	evidenceDuration  = 48 * time.Hour
	maxValidatorsInV1 = 100
)

// CometID is the chain's name in CometBFT: nothing signed for one network means anything on another.
func (s *State) CometID() string { return cometID(s.ChainID()) }

func cometID(id *big.Int) string { return "aitbc-" + id.String() }

// Document wraps a state and its validators into the file that CometBFT reads.
func Document(s *State, at time.Time, vals []Validator) (*cmttypes.GenesisDoc, error) {
	if len(vals) == 0 || len(vals) > maxValidatorsInV1 {
		return nil, fmt.Errorf("genesis: between 1 and %d validators, not %d", maxValidatorsInV1, len(vals))
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode app state: %w", err)
	}
	p := cmttypes.DefaultConsensusParams()
	p.Block.MaxBytes = MaxBlockBytes
	p.Validator.PubKeyTypes = []string{secp256k1eth.KeyType}
	p.Evidence.MaxAgeNumBlocks, p.Evidence.MaxAgeDuration = evidenceBlocks, evidenceDuration
	doc := &cmttypes.GenesisDoc{
		ChainID: s.CometID(), GenesisTime: at.UTC(), InitialHeight: 1, ConsensusParams: p,
		AppState: raw, AppHash: s.Hash().Bytes(),
	}
	for _, v := range vals {
		doc.Validators = append(doc.Validators, cmttypes.GenesisValidator{
			Address: v.Key.Address(), PubKey: v.Key, Power: v.Power, Name: v.Name,
		})
	}
	if err := doc.ValidateAndComplete(); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return doc, s.agrees(doc)
}

// agrees checks that CometBFT begins with the set that the state holds.
func (s *State) agrees(doc *cmttypes.GenesisDoc) error {
	set := s.Set()
	if len(set) == 0 {
		return nil
	}
	told := make([]valset.Validator, len(doc.Validators))
	for i, v := range doc.Validators {
		var err error
		if told[i], err = valset.FromCompressed(v.PubKey.Bytes(), uint64(v.Power)); err != nil { //nolint:gosec // not negative: checked by CometBFT
			return fmt.Errorf("genesis: validator %X: %w", v.Address, err)
		}
	}
	if d := valset.Diff(set, told); len(d) > 0 {
		return fmt.Errorf("genesis: validator %v of the state is not the file's", d[0].Address())
	}
	return nil
}

// Load reads a genesis file and everything in it, and checks that its parts agree.
func Load(path string) (*cmttypes.GenesisDoc, *State, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, nil, fmt.Errorf("read genesis: %w", err)
	}
	return Read(raw)
}

// Read is Load for bytes.
func Read(raw []byte) (*cmttypes.GenesisDoc, *State, error) {
	doc, err := cmttypes.GenesisDocFromJSON(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("parse genesis: %w", err)
	}
	s, err := Parse(doc.AppState)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range doc.Validators {
		if v.PubKey.Type() != secp256k1eth.KeyType {
			return nil, nil, fmt.Errorf("genesis: validator %X has a %s key, only %s is allowed", v.Address, v.PubKey.Type(), secp256k1eth.KeyType)
		}
	}
	switch {
	case doc.ChainID != s.CometID():
		return nil, nil, fmt.Errorf("genesis: chain id %q does not fit the EVM's %v", doc.ChainID, s.ChainID())
	case len(doc.Validators) == 0:
		return nil, nil, errors.New("genesis: no validators")
	case string(doc.AppHash) != string(s.Hash().Bytes()):
		return nil, nil, fmt.Errorf("genesis: app state hashes to %v, the file says %X", s.Hash(), doc.AppHash)
	case doc.GenesisTime.Unix() != int64(s.EVM.Timestamp): //nolint:gosec // compared, not used
		return nil, nil, errors.New("genesis: time of the file and of the first block differ")
	}
	if err := s.agrees(doc); err != nil {
		return nil, nil, err
	}
	return doc, s, nil
}
