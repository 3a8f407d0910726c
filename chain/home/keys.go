package home

import (
	"fmt"
	"os"

	"github.com/cometbft/cometbft/crypto/secp256k1eth"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
)

// loadFilePV reads key and record. CometBFT's own loader ends the process when a file is damaged, so both are parsed
// here first.
func loadFilePV(keyPath, statePath string) (*privval.FilePV, error) {
	raw, err := os.ReadFile(keyPath) //nolint:gosec // inside the home
	if err != nil {
		return nil, fmt.Errorf("read consensus key: %w", err)
	}
	var key privval.FilePVKey
	if err := cmtjson.Unmarshal(raw, &key); err != nil {
		return nil, fmt.Errorf("consensus key in %s is damaged", keyPath) // the cause might quote the key
	}
	if key.PrivKey == nil || key.PrivKey.Type() != secp256k1eth.KeyType {
		return nil, fmt.Errorf("consensus key in %s is no %s key", keyPath, secp256k1eth.KeyType)
	}
	if raw, err = os.ReadFile(statePath); err != nil { //nolint:gosec // inside the home
		return nil, fmt.Errorf("read sign state: %w", err)
	}
	var state privval.FilePVLastSignState
	if err := cmtjson.Unmarshal(raw, &state); err != nil {
		return nil, fmt.Errorf("sign state in %s is damaged: %w", statePath, err)
	}
	return privval.LoadFilePV(keyPath, statePath), nil
}
