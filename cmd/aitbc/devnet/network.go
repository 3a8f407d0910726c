// Package devnet makes and runs a whole network on one machine: keys, genesis,
// node, coordinator, miner, and a client with a deposit.
package devnet

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/home"
)

// Network is what a home remembers of its network. It holds nothing secret.
type Network struct {
	Home        home.Dir       `json:"-"`
	PortOffset  int            `json:"port_offset"`
	ChainID     uint64         `json:"chain_id,string"` // 0 until the first block is made
	Client      common.Address `json:"client"`
	Coordinator common.Address `json:"coordinator"`
	Miner       common.Address `json:"miner"`
	Operator    common.Address `json:"operator"`       // of the validator
	Giver       common.Address `json:"giver,omitzero"` // asks the faucet for who is new; zero in homes from before
	Session     uint64         `json:"session,string"` // the client's; 0 for none yet

	// At says where services are that are not on this machine's usual ports.
	At URLs `json:"-"`
}

// URLs are addresses of services; an empty one is the usual.
type URLs struct{ API, RPC, EthRPC string }

// Load reads the network of a home. It returns [fs.ErrNotExist], wrapped, if no
// network was ever started there.
func Load(dir home.Dir) (Network, error) {
	n := Network{Home: dir}
	raw, err := os.ReadFile(n.file())
	if err != nil {
		return n, fmt.Errorf("read network: %w", err)
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return n, fmt.Errorf("read network: %s: %w", n.file(), err)
	}
	return n, nil
}

func (n Network) file() string { return n.Home.Path("network.json") }

func (n Network) save() error {
	raw, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return fmt.Errorf("save network: %w", err)
	}
	if err := atomicfile.Write(n.file(), append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("save network: %w", err)
	}
	return nil
}

// ClientKeyFile holds the client's API key.
func (n Network) ClientKeyFile() string { return n.Home.Path("secrets", "client.key") }

// PassphraseFile holds the passphrase of a devnet's keys.
func (n Network) PassphraseFile() string { return n.Home.Passphrase() }

// LockFile is locked by the process that runs the network.
func (n Network) LockFile() string { return n.Home.Path("run", "up.lock") }

// PIDFile holds the id of the process that runs the network, for people.
func (n Network) PIDFile() string { return n.Home.Path("run", "up.pid") }

// GenesisFile is the node's genesis.
func (n Network) GenesisFile() string { return n.Home.Path("node", "genesis.json") }

// APIURL is the coordinator's address.
func (n Network) APIURL() string { return cmp.Or(n.At.API, n.http(home.PortCoordinator)) }

// ExplorerURL is the explorer's address.
func (n Network) ExplorerURL() string { return n.http(home.PortExplorer) }

// MarketplaceURL is the marketplace's address.
func (n Network) MarketplaceURL() string { return n.http(home.PortMarketplace) }

// MinerURL is the miner's local address.
func (n Network) MinerURL() string { return n.http(home.PortMiner) }

// WalletURL is the wallet daemon's address.
func (n Network) WalletURL() string { return n.http(home.PortWallet) }

// RPCURL is the node's own RPC.
func (n Network) RPCURL() string { return cmp.Or(n.At.RPC, n.http(home.PortChainRPC)) }

// EthRPCURL is the node's Ethereum RPC.
func (n Network) EthRPCURL() string { return cmp.Or(n.At.EthRPC, n.http(home.PortEthRPC)) }

// EventsURL is the node's WebSocket.
func (n Network) EventsURL() string {
	return "ws://127.0.0.1:" + strconv.Itoa(home.PortChainWS+n.PortOffset)
}

func (n Network) http(port int) string {
	return "http://127.0.0.1:" + strconv.Itoa(port+n.PortOffset)
}

// exists reports whether a path is there.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for file: %w", err)
	}
	return true, nil
}
