// Package network starts whole networks from the built programs, for benchmarks.
package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// Services are the processes of a network, as their process id files name them.
var Services = []string{"node", "coordinator", "miner"}

// patience bounds every command.
const patience = 2 * time.Minute

// Network is a network on this machine. Use [New].
type Network struct {
	devnet.Network // read when it is up
	bin            string
	home           home.Dir
	offset         int
}

// New prepares a network of the programs in bin with its data in dir. It starts
// nothing.
func New(ctx context.Context, bin, dir string) (*Network, error) {
	for _, name := range []string{"aitbc", "aitbcd", "aitbc-miner"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return nil, fmt.Errorf("programs: %w (make build makes them)", err)
		}
	}
	offset, err := home.FreeOffset(ctx)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(dir, "network")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	return &Network{bin: bin, home: home.Dir(data), offset: offset}, nil
}

// Up starts the network in the background and returns how long that took.
func (n *Network) Up(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	if _, err := n.Run(ctx, "up", "--detach", "--port-offset", strconv.Itoa(n.offset)); err != nil {
		return 0, err
	}
	took := time.Since(start)
	var err error
	n.Network, err = devnet.Load(n.home)
	return took, err
}

// Down stops the network; its data stay.
func (n *Network) Down(ctx context.Context) error {
	_, err := n.Run(context.WithoutCancel(ctx), "down")
	return err
}

// Run runs an aitbc command on this network and returns what it printed.
func (n *Network) Run(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(n.bin, "aitbc"), append(args, "--home", string(n.home))...) //nolint:gosec // our own program
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AITBC_") && !strings.HasPrefix(v, "OPENAI_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("aitbc %s: %w\n%s", args[0], err, problems.String())
	}
	return out.Bytes(), nil
}

// JSON runs an aitbc command with --json and decodes what it printed.
func (n *Network) JSON(ctx context.Context, out any, args ...string) error {
	raw, err := n.Run(ctx, append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("aitbc %s: %w", args[0], err)
	}
	return nil
}

// Resident returns the memory, in bytes, that a service has in RAM now.
func (n *Network) Resident(service string) (int64, error) {
	raw, err := os.ReadFile(n.home.Path("run", service+".pid"))
	if err != nil {
		return 0, fmt.Errorf("process of the %s: %w", service, err)
	}
	status, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(raw)), "status")) //nolint:gosec // our own process
	if err != nil {
		return 0, fmt.Errorf("process of the %s: %w", service, err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the process status names no resident memory")
}

// Chain returns a client of the node.
func (n *Network) Chain() (*chainclient.Client, error) { return chainclient.New(n.EthRPCURL()) }

// API returns a client with the devnet client's key.
func (n *Network) API() (*client.Client, error) {
	key, err := secret.ReadFile(n.ClientKeyFile())
	if err != nil {
		return nil, err
	}
	return client.New(n.APIURL(), key)
}

// ClientKey returns the unlocked key of the devnet's client.
func (n *Network) ClientKey() (*keystore.Key, error) {
	pass, err := secret.ReadFile(n.PassphraseFile())
	if err != nil {
		return nil, err
	}
	store, err := keystore.Open(n.Home.Keystore(), keystore.Light())
	if err != nil {
		return nil, err
	}
	return store.Unlock(n.Client, pass)
}
