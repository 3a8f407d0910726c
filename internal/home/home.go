// Package home knows where each program keeps its files below one data
// directory, and which ports a network uses.
package home

import (
	"fmt"
	"os"
	"path/filepath"
)

// Ports of the services, before an offset.
const (
	PortCoordinator = 18000
	PortMiner       = 18001
	PortWallet      = 18002
	PortChainRPC    = 26657
	PortChainWS     = 26658
	PortChainP2P    = 26656
	PortEthRPC      = 8545
	PortEthWS       = 8546
	PortMetrics     = 26660
	PortExplorer    = 3000
	PortMarketplace = 5173
)

// Dir is the data directory that all programs of one network share.
type Dir string

// Resolve returns the directory that was given, else that of AITBC_HOME, else
// ~/.aitbc, as an absolute path.
func Resolve(given string, env func(string) string) (Dir, error) {
	if given == "" {
		given = env("AITBC_HOME")
	}
	if given == "" {
		user := env("HOME")
		if user == "" {
			return "", fmt.Errorf("find home directory: neither --home nor AITBC_HOME nor HOME is set")
		}
		given = filepath.Join(user, ".aitbc")
	}
	abs, err := filepath.Abs(given)
	if err != nil {
		return "", fmt.Errorf("find home directory: %w", err)
	}
	return Dir(abs), nil
}

// Path returns a path below the directory.
func (d Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// Node is the chain node's directory.
func (d Dir) Node() string { return d.Path("node") }

// Coordinator is the coordinator's directory.
func (d Dir) Coordinator() string { return d.Path("coordinator") }

// Miner is the miner's directory.
func (d Dir) Miner() string { return d.Path("miner") }

// Wallet holds the wallet daemon's wallets.
func (d Dir) Wallet() string { return d.Path("wallet") }

// Explorer is the directory of the explorer.
func (d Dir) Explorer() string { return d.Path("explorer") }

// Marketplace is the directory of the marketplace.
func (d Dir) Marketplace() string { return d.Path("marketplace") }

// Engines returns the directory of what runs models and is not part of the programs.
func (d Dir) Engines() string { return d.Path("engines") }

// Keystore holds encrypted keys.
func (d Dir) Keystore() string { return d.Path("keystore") }

// Secrets holds passphrases and API keys, each in a file of mode 0600.
func (d Dir) Secrets() string { return d.Path("secrets") }

// Passphrase is the file with the passphrase of all keys of a network that aitbc up made.
func (d Dir) Passphrase() string { return d.Path("secrets", "passphrase") }

// Logs holds what supervised programs print.
func (d Dir) Logs() string { return d.Path("logs") }

// Run holds process ids and what else lives as long as the processes.
func (d Dir) Run() string { return d.Path("run") }

// Make creates directories, for their owner only.
func Make(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create directory: %w", err)
		}
	}
	return nil
}

// Loopback returns the loopback address of a port, shifted by offset. It
// returns an error if no such port exists.
func Loopback(port, offset int) (string, error) {
	if p := port + offset; offset < 0 || p > 65535 {
		return "", fmt.Errorf("port offset %d: port %d does not exist", offset, p)
	}
	return fmt.Sprintf("127.0.0.1:%d", port+offset), nil
}
