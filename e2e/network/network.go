// Package network starts whole AITBC networks from the real programs, for
// tests: each with its own data directory and ports.
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
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// How long the parts of a network may take on a busy machine.
const (
	startWithin = 90 * time.Second
	stopWithin  = 90 * time.Second
	waitWithin  = 90 * time.Second
	poll        = 50 * time.Millisecond
)

// Options say how a network differs from the usual one.
type Options struct {
	Deposit market.Amount            // of the client's session; zero for the usual
	Genesis func(*contracts.Genesis) // changes the contracts' parameters
	Env     []string                 // added to the environment of all programs
}

// Network is a running network. Its methods fail the test when something does
// not work, unless they return an error.
type Network struct {
	devnet.Network
	t    testing.TB
	bin  string
	opts Options
	up   *process
}

// Start starts a network and stops it when the test ends. If the test has
// failed by then, the programs' logs are shown.
func Start(t testing.TB, opts Options) *Network {
	t.Helper()
	n := Idle(t, opts)
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Errorf("the network did not stop: %v", err)
		}
		if t.Failed() {
			n.showLogs()
		}
	})
	n.Up()
	return n
}

// Idle returns a network that is not started: an empty home and free ports.
func Idle(t testing.TB, opts Options) *Network {
	t.Helper()
	offset := reserve(t)
	return &Network{t: t, bin: Binaries(t), opts: opts, Network: devnet.Network{Home: home.Dir(t.TempDir()), PortOffset: offset}}
}

// reserved holds the offsets of this process's networks: two that start at once
// must not both find the same ports free.
var reserved sync.Map

func reserve(t testing.TB) int {
	t.Helper()
	for {
		offset, err := home.FreeOffset(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, taken := reserved.LoadOrStore(offset, true); !taken {
			return offset
		}
	}
}

// Up starts the network again after [Network.Down].
func (n *Network) Up() {
	n.t.Helper()
	args := []string{"up", "--json", "--home", string(n.Home), "--port-offset", strconv.Itoa(n.PortOffset)}
	if !n.opts.Deposit.IsZero() {
		args = append(args, "--deposit", n.opts.Deposit.Coins())
	}
	if n.opts.Genesis != nil {
		args = append(args, "--params", n.paramsFile())
	}
	n.up = n.start(args...)
	ready := make(chan error, 1)
	n.up.wg.Go(func() {
		var status devnet.Status
		ready <- json.NewDecoder(n.up.stdout).Decode(&status)
	})
	select {
	case err := <-ready:
		if err != nil {
			n.t.Fatalf("the network did not start: %v\n%s", err, n.up.stderr.String())
		}
	case <-time.After(startWithin):
		n.t.Fatalf("the network did not start within %s\n%s", startWithin, n.up.stderr.String())
	}
	loaded, err := devnet.Load(n.Home)
	if err != nil {
		n.t.Fatal(err)
	}
	n.Network = loaded
}

// Down stops the network. Its data stay.
func (n *Network) Down() {
	n.t.Helper()
	if err := n.stop(); err != nil {
		n.t.Fatalf("the network did not stop: %v", err)
	}
}

func (n *Network) stop() error {
	if n.up == nil {
		return nil
	}
	err := n.up.stop()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, n.up.stderr.String())
	}
	n.up = nil
	return err
}

func (n *Network) paramsFile() string {
	n.t.Helper()
	g := devnet.DefaultGenesis()
	n.opts.Genesis(&g)
	// The governor and the faucet are those that aitbc up makes: they are not named here.
	raw, err := json.Marshal(struct {
		Market   contracts.MarketParams   `json:"market"`
		Jobs     contracts.JobParams      `json:"jobs"`
		Registry contracts.RegistryParams `json:"registry"`
		Staking  contracts.StakingParams  `json:"staking"`
		Rewards  contracts.RewardsParams  `json:"rewards"`

		Governance contracts.GovernanceParams `json:"governance"`
	}{g.Market, g.Jobs, g.Registry, g.Staking, g.Rewards, g.Governance})
	if err != nil {
		n.t.Fatal(err)
	}
	path := n.Home.Path("params.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		n.t.Fatal(err)
	}
	return path
}

// showLogs prints the end of each program's log.
func (n *Network) showLogs() {
	for _, name := range []string{"node", "coordinator", "miner", "wallet", "explorer", "marketplace"} {
		raw, err := os.ReadFile(n.Home.Path("logs", name+".log"))
		if err != nil {
			continue
		}
		const most = 6000
		n.t.Logf("log of the %s:\n%s", name, raw[max(0, len(raw)-most):])
	}
}

// Run runs an aitbc command on this network and returns what it printed. The
// error holds what it said on standard error.
func (n *Network) Run(args ...string) (stdout []byte, err error) {
	return n.RunWithInput("", args...)
}

// RunWithInput is [Network.Run] with a standard input.
func (n *Network) RunWithInput(input string, args ...string) (stdout []byte, err error) {
	return n.run(filepath.Join(n.bin, "aitbc"), input, before(args, "--home", string(n.Home))...)
}

// RunAt is [Network.Run] for another coordinator of the network.
func (n *Network) RunAt(coordinator *Replica, args ...string) (stdout []byte, err error) {
	at := *n // --home would stand for the home's own coordinator
	at.opts.Env = append(slices.Clone(n.opts.Env), "AITBC_HOME="+string(n.Home), "AITBC_API_URL=http://"+coordinator.Addr)
	return at.run(filepath.Join(n.bin, "aitbc"), "", args...)
}

// before puts flags where a command still takes them: before "--", or at the end.
func before(args []string, flags ...string) []string {
	i := slices.Index(args, "--")
	if i < 0 {
		i = len(args)
	}
	return slices.Insert(slices.Clone(args), i, flags...)
}

// Check runs aitbcd check on this network at a height, or at the newest block
// for -1, and returns its JSON.
func (n *Network) Check(height int64) ([]byte, error) {
	args := []string{"check", "--json", "--home", n.Home.Node(), "--port-offset", strconv.Itoa(n.PortOffset)}
	if height >= 0 {
		args = append(args, "--height", strconv.FormatInt(height, 10))
	}
	return n.run(filepath.Join(n.bin, "aitbcd"), "", args...)
}

// Program runs one of the programs with this network's home and ports.
func (n *Network) Program(name string, args ...string) ([]byte, error) {
	args = append(args, "--home", string(n.Home), "--port-offset", strconv.Itoa(n.PortOffset))
	return n.run(filepath.Join(n.bin, name), "", args...)
}

func (n *Network) run(path, input string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), waitWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // the programs under test
	cmd.Env = n.environ()
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(path), strings.Join(args, " "), err, stderr.String())
	}
	return stdout.Bytes(), nil
}

// JSON runs an aitbc command with --json and decodes the value that it prints.
func (n *Network) JSON(out any, args ...string) {
	n.t.Helper()
	raw, err := n.Run(before(args, "--json")...)
	if err != nil {
		n.t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(out); err != nil {
		n.t.Fatalf("aitbc %s: %v in %q", strings.Join(args, " "), err, raw)
	}
	if d.More() {
		n.t.Fatalf("aitbc %s printed more than one value: %q", strings.Join(args, " "), raw)
	}
}

// environ is the environment of this test without what could name another network.
func (n *Network) environ() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AITBC_") && !strings.HasPrefix(v, "OPENAI_") {
			env = append(env, v)
		}
	}
	return append(append(env, keystore.PassphraseFileVariable+"="+n.PassphraseFile()), n.opts.Env...)
}

// Client returns a client with the devnet client's API key.
func (n *Network) Client() *client.Client {
	n.t.Helper()
	c, err := client.New(n.APIURL(), n.APIKey())
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// APIKey returns the devnet client's API key.
func (n *Network) APIKey() secret.Text {
	n.t.Helper()
	key, err := secret.ReadFile(n.ClientKeyFile())
	if err != nil {
		n.t.Fatal(err)
	}
	return key
}

// Chain returns a client of the node.
func (n *Network) Chain() *chainclient.Client {
	n.t.Helper()
	c, err := chainclient.New(n.EthRPCURL())
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// Key returns the unlocked key of one of the devnet's accounts.
func (n *Network) Key(account common.Address) *keystore.Key {
	n.t.Helper()
	pass, err := secret.ReadFile(n.PassphraseFile())
	if err != nil {
		n.t.Fatal(err)
	}
	store, err := keystore.Open(n.Home.Keystore(), keystore.Light())
	if err != nil {
		n.t.Fatal(err)
	}
	k, err := store.Unlock(account, pass)
	if err != nil {
		n.t.Fatal(err)
	}
	return k
}

// PID returns the process id of a service: node, coordinator or miner.
func (n *Network) PID(service string) int {
	n.t.Helper()
	raw, err := os.ReadFile(n.Home.Path("run", service+".pid"))
	if err != nil {
		n.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		n.t.Fatal(err)
	}
	return pid
}

// Kill ends a service with SIGKILL, as a crash would, and returns when its
// supervisor has started another process.
func (n *Network) Kill(service string) {
	n.t.Helper()
	old := n.PID(service)
	n.Signal(service, syscall.SIGKILL)
	n.Wait("another "+service, func() bool { return n.PID(service) != old })
}

// Hold ends a service with SIGKILL and keeps its supervisor from starting another until back is called, which the end
// of the test does too.
func (n *Network) Hold(service string) (back func() error, err error) {
	supervisor := n.up.cmd.Process
	if err := supervisor.Signal(syscall.SIGSTOP); err != nil {
		return nil, fmt.Errorf("stop the supervisor: %w", err)
	}
	back = sync.OnceValue(func() error { return supervisor.Signal(syscall.SIGCONT) })
	n.t.Cleanup(func() { _ = back() }) // it may be done
	if err := syscall.Kill(n.PID(service), syscall.SIGKILL); err != nil {
		return nil, errors.Join(fmt.Errorf("end %s: %w", service, err), back())
	}
	return back, nil
}

// Signal sends a signal to a service.
func (n *Network) Signal(service string, sig syscall.Signal) {
	n.t.Helper()
	if err := syscall.Kill(n.PID(service), sig); err != nil {
		n.t.Fatalf("signal %s: %v", service, err)
	}
}

// Wait asks f until it says true, and fails the test after a long while.
func (n *Network) Wait(what string, f func() bool) {
	n.t.Helper()
	limit := time.NewTimer(waitWithin)
	defer limit.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-limit.C:
			n.t.Fatalf("waited %s in vain for %s", waitWithin, what)
		}
	}
}
