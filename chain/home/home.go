// Package home is the folder of one node: configuration, genesis, keys and data.
package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/crypto/secp256k1eth"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/config"
)

// Home is the path of a node's folder.
type Home string

// ErrExists refuses to make a home over another.
var ErrExists = errors.New("the folder holds a node already")

// Config is the path of the configuration.
func (h Home) Config() string { return filepath.Join(string(h), config.FileName) }

// Genesis is the path of the first block.
func (h Home) Genesis() string { return filepath.Join(string(h), "genesis.json") }

// Data is the folder that only the node writes.
func (h Home) Data() string { return filepath.Join(string(h), "data") }

// EVM is the folder of the Ethereum database.
func (h Home) EVM() string { return filepath.Join(h.Data(), "evm") }

// Snapshots is the folder of the snapshots for nodes that join.
func (h Home) Snapshots() string { return filepath.Join(h.Data(), "snapshots") }

// ConsensusKey is the path of the key that signs blocks, readable by its owner only.
func (h Home) ConsensusKey() string { return filepath.Join(h.secrets(), "consensus_key.json") }

// NodeKey is the path of the key that names the node to its peers, readable by its owner only.
func (h Home) NodeKey() string { return filepath.Join(h.secrets(), "node_key.json") }

// SignState is the path of the record that keeps the node from signing twice.
func (h Home) SignState() string { return filepath.Join(h.Data(), "priv_validator_state.json") }

func (h Home) secrets() string { return filepath.Join(string(h), "secrets") }

// Keys are a node's two keys.
type Keys struct {
	Consensus *privval.FilePV
	Node      *p2p.NodeKey
}

// Address is the validator's Ethereum address.
func (k Keys) Address() (common.Address, error) {
	pub, err := k.Consensus.GetPubKey()
	if err != nil {
		return common.Address{}, fmt.Errorf("consensus key: %w", err)
	}
	return common.BytesToAddress(pub.Address()), nil
}

// Create makes the folders and draws the keys. It returns ErrExists if any of a node's files is there.
func (h Home) Create() (Keys, error) {
	for _, path := range []string{h.Genesis(), h.ConsensusKey(), h.NodeKey(), h.Data()} {
		if _, err := os.Lstat(path); err == nil {
			return Keys{}, fmt.Errorf("%w: %s", ErrExists, path)
		} else if !errors.Is(err, os.ErrNotExist) {
			return Keys{}, fmt.Errorf("look at home: %w", err)
		}
	}
	for _, dir := range []string{string(h), h.secrets(), h.Data()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Keys{}, fmt.Errorf("make home: %w", err)
		}
	}
	pv := privval.NewFilePV(secp256k1eth.GenPrivKey(), h.ConsensusKey(), h.SignState())
	pv.Save()
	nk, err := p2p.LoadOrGenNodeKey(h.NodeKey())
	if err != nil {
		return Keys{}, fmt.Errorf("make node key: %w", err)
	}
	for _, path := range []string{h.ConsensusKey(), h.NodeKey(), h.SignState()} {
		if err := os.Chmod(path, 0o600); err != nil {
			return Keys{}, fmt.Errorf("protect key: %w", err)
		}
	}
	return Keys{Consensus: pv, Node: nk}, nil
}

// Open reads the keys. It refuses key files that others can read.
func (h Home) Open() (Keys, error) {
	for _, path := range []string{h.ConsensusKey(), h.NodeKey()} {
		st, err := os.Stat(path)
		if err != nil {
			return Keys{}, fmt.Errorf("open home: %w", err)
		}
		if st.Mode().Perm()&0o077 != 0 {
			return Keys{}, fmt.Errorf("open home: %s can be read by others (mode %04o): chmod 600 it", path, st.Mode().Perm())
		}
	}
	if _, err := os.Stat(h.SignState()); err != nil {
		return Keys{}, fmt.Errorf("open home: the record of what was signed is missing: %w", err)
	}
	nk, err := p2p.LoadNodeKey(h.NodeKey())
	if err != nil {
		return Keys{}, fmt.Errorf("open home: %w", err)
	}
	pv, err := loadFilePV(h.ConsensusKey(), h.SignState())
	if err != nil {
		return Keys{}, err
	}
	return Keys{Consensus: pv, Node: nk}, nil
}

// Remove undoes Create and what was written since, leaving the folder itself and anything else in it alone.
func (h Home) Remove() error {
	var all error
	for _, path := range []string{h.Genesis(), h.Config(), h.secrets(), h.Data()} {
		all = errors.Join(all, os.RemoveAll(path))
	}
	return all
}
