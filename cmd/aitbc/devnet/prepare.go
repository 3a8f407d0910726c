package devnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/daemon/serve"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// Config says how a network is made and run.
type Config struct {
	Network  Network // Home and PortOffset; the rest is read from the home
	Binaries Binaries
	Environ  []string                         // of the programs
	Deposit  market.Amount                    // of the client's session
	Params   string                           // file with the predeploys' parameters; empty for the defaults
	Progress func(format string, args ...any) // tells a person what goes on
}

// Grant is what each account of a new devnet has in its first block.
var Grant = market.Coins(1_000_000)

// stake is the validator's own, in coins, made with the first block.
const stake = "100000"

// Prepare makes what the home lacks: passphrase, keys, genesis, and the miner's
// settings. What is there is kept. It returns the network as the home has it
// from then on.
func Prepare(ctx context.Context, cfg Config) (Network, error) {
	n, err := Load(cfg.Network.Home)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return n, err
	}
	if fresh {
		if there, err := exists(n.Home.Node()); err != nil {
			return n, err
		} else if there {
			return n, fmt.Errorf("%s holds a node that aitbc up did not make", n.Home)
		}
	}
	if err := home.Make(string(n.Home), n.Home.Secrets(), n.Home.Keystore(), n.Home.Logs(), n.Home.Run()); err != nil {
		return n, err
	}
	moved := n.PortOffset != cfg.Network.PortOffset
	n.PortOffset = cfg.Network.PortOffset
	if fresh {
		cfg.Progress("making keys in %s", n.Home.Keystore())
		if err := n.createKeys(); err != nil {
			return n, err
		}
	}
	if fresh || moved {
		if err := n.save(); err != nil {
			return n, err
		}
	}
	if n.ChainID == 0 {
		cfg.Progress("making the first block")
		if err := n.createChain(ctx, cfg); err != nil {
			return n, err
		}
	}
	if _, err := serve.Key(n.Home); err != nil { // aitbc env prints it
		return n, err
	}
	return n, n.createMiner(ctx, cfg)
}

// createKeys makes the passphrase and the accounts of a devnet.
func (n *Network) createKeys() error {
	pass, err := secret.ReadFile(n.PassphraseFile())
	if errors.Is(err, fs.ErrNotExist) {
		pass = secret.New(rand.Text())
		err = secret.WriteFile(n.PassphraseFile(), pass)
	}
	if err != nil {
		return err
	}
	// A light cost is enough: the passphrase has 128 random bits and lies beside.
	store, err := keystore.Open(n.Home.Keystore(), keystore.Light())
	if err != nil {
		return err
	}
	for _, a := range []*common.Address{&n.Client, &n.Coordinator, &n.Miner, &n.Operator, &n.Giver} {
		k, err := store.Create(pass)
		if err != nil {
			return err
		}
		*a = k.Address()
	}
	return nil
}

// DefaultGenesis are a test network's parameters: a faucet, and votes that end while one watches.
func DefaultGenesis() contracts.Genesis {
	g := contracts.DefaultGenesis()
	faucet := contracts.DefaultFaucetParams()
	faucet.Cooldown = 60
	g.Faucet = &faucet
	g.Governance.VotingDelay, g.Governance.VotingPeriod, g.Governance.TimelockDelay = 2, 60, 5
	g.Staking.EpochBlocks = 20
	return g
}

// createChain makes the node's home with a genesis that grants each account its coins.
func (n *Network) createChain(ctx context.Context, cfg Config) error {
	// A network without chain id was interrupted here: what lies there never ran.
	if err := os.RemoveAll(n.Home.Node()); err != nil {
		return fmt.Errorf("clear node: %w", err)
	}
	alloc := map[common.Address]market.Amount{}
	for _, a := range []common.Address{n.Client, n.Coordinator, n.Miner, n.Operator} {
		alloc[a] = Grant
	}
	if n.Giver != (common.Address{}) {
		alloc[n.Giver] = market.Coins(1) // fees of many transactions
	}
	params := DefaultGenesis()
	if cfg.Params != "" {
		raw, err := os.ReadFile(cfg.Params)
		if err != nil {
			return fmt.Errorf("read parameters: %w", err)
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&params); err != nil {
			return fmt.Errorf("read parameters: %s: %w", cfg.Params, err)
		}
	}
	allocFile, paramsFile := n.Home.Path("run", "alloc.json"), n.Home.Path("run", "params.json")
	for path, v := range map[string]any{allocFile: alloc, paramsFile: params} {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("make genesis: %w", err)
		}
		if err := atomicfile.Write(path, raw, 0o600); err != nil {
			return fmt.Errorf("make genesis: %w", err)
		}
	}
	out, err := n.tool(ctx, cfg, cfg.Binaries.Node, "init", "--home", n.Home.Node(), "--alloc", allocFile, "--params", paramsFile,
		"--operators", n.Operator.Hex(), "--stake", stake, "--json")
	if err != nil {
		return fmt.Errorf("make genesis: %w", err)
	}
	var made struct {
		ChainID json.RawMessage `json:"chain_id"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return fmt.Errorf("make genesis: answer of aitbcd: %w", err)
	}
	if n.ChainID, err = strconv.ParseUint(strings.Trim(string(made.ChainID), `"`), 10, 64); err != nil || n.ChainID == 0 {
		return fmt.Errorf("make genesis: aitbcd names no chain id: %q", out)
	}
	return n.save()
}

// tool runs a program of the network to its end and returns what it printed.
func (n *Network) tool(ctx context.Context, cfg Config, path string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // the programs of our own installation
	cmd.Env = n.environ(cfg)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			return nil, fmt.Errorf("%w: %s", err, text)
		}
		return nil, err
	}
	return stdout.Bytes(), nil
}

// clients are the variables of clients, which aitbc env prints. They may be of
// another network and must not reach the services of this one.
var clients = []string{"AITBC_API_URL=", "AITBC_API_KEY=", "AITBC_RPC_URL=", "AITBC_ETH_RPC_URL=", "AITBC_PORT_OFFSET=", "AITBC_WALLET_"}

// environ is the environment of the network's programs.
func (n *Network) environ(cfg Config) []string {
	env := slices.DeleteFunc(slices.Clone(cfg.Environ), func(v string) bool {
		return slices.ContainsFunc(clients, func(c string) bool { return strings.HasPrefix(v, c) })
	})
	return append(env, "AITBC_HOME="+string(n.Home), keystore.PassphraseFileVariable+"="+n.PassphraseFile())
}

// createMiner writes the miner's settings unless they are there.
func (n *Network) createMiner(ctx context.Context, cfg Config) error {
	if there, err := exists(n.Home.Path("miner", "config.toml")); err != nil || there {
		return err
	}
	cfg.Progress("making the miner's settings")
	if _, err := n.tool(ctx, cfg, cfg.Binaries.Miner, "init", "--home", string(n.Home), "--port-offset", strconv.Itoa(n.PortOffset),
		"--address", n.Miner.Hex(), "--coordinator", n.APIURL(), "--rpc", n.EthRPCURL(), "--json", "--yes"); err != nil {
		return fmt.Errorf("make the miner's settings: %w", err)
	}
	return nil
}
