package validators

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/e2e/network"
)

// How long things may take on a busy machine.
const (
	startWithin   = 60 * time.Second
	agreeWithin   = 2 * time.Minute
	commandWithin = 2 * time.Minute
	poll          = 100 * time.Millisecond
)

// Options say what cluster to start.
type Options struct {
	// Validators is how many; 0 is four.
	Validators int
	// Namespaces gives each node an address and a network of its own. The test
	// is skipped where the system does not allow it.
	Namespaces bool
	// Disks gives each node's data a small file system of its own.
	Disks bool
	// Params are the predeploys', over their defaults, as aitbcd reads them.
	Params map[string]any
	// Env is added to the environment of all nodes.
	Env []string
	// Settings are changed in each node's aitbcd.toml: line by line, old and new.
	Settings map[string]string
}

// Node is one validator.
type Node struct {
	Home      string
	Log       string
	Validator common.Address `json:"validator"`
	ID        string         `json:"node_id"`
	RPC       string         `json:"rpc"`
	Eth       string         `json:"eth_http"`
	P2P       string         `json:"p2p"`

	index    int
	late     bool     // it began with a snapshot and lacks the blocks before
	program  string   // another than the cluster's
	env      []string // added to the cluster's
	pardoned int      // bytes of the log that are not searched for alarms
	process  *process
	disk     *Disk // nil without one of its own
	eth      door
	comet    door
}

// Cluster is a network of validators. Its methods fail the test when something
// does not work.
type Cluster struct {
	Nodes []*Node

	t    testing.TB
	dir  string
	bin  string
	env  []string
	net  *namespaces // nil on loopback
	load *Load
}

// Start makes a network, starts all its nodes, and waits for the first block.
// When the test ends they are stopped; if it has failed by then, it says where
// the logs are and keeps them.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Validators == 0 {
		o.Validators = 4
	}
	c := &Cluster{t: t, dir: t.TempDir(), bin: filepath.Join(network.Binaries(t), "aitbcd"), env: environ(o.Env)}
	args := []string{"testnet", "--json", "--output", filepath.Join(c.dir, "net"), "--alloc", c.alloc(o.Validators), "--validators", strconv.Itoa(o.Validators)}
	var operators []string
	for i := range o.Validators {
		operators = append(operators, operator(i).address.Hex())
	}
	// Above the least by enough that a slashed validator can come back.
	args = append(args, "--operators", strings.Join(operators, ","), "--stake", "20000")
	if o.Params != nil {
		args = append(args, "--params", c.file("params.json", o.Params))
	}
	if o.Namespaces {
		c.net = newNamespaces(t, o.Validators)
		args = append(args, "--hosts", strings.Join(c.net.addresses(), ","))
	} else {
		args = append(args, "--starting-port", strconv.Itoa(freePorts(t, o.Validators)))
	}
	var made struct {
		Nodes []*Node `json:"nodes"`
	}
	if err := json.Unmarshal(c.run(args...), &made); err != nil {
		t.Fatalf("aitbcd testnet: %v", err)
	}
	c.Nodes = made.Nodes
	for i, n := range c.Nodes {
		n.index, n.Log = i, filepath.Join(c.dir, fmt.Sprintf("node%d.log", i))
		n.eth, n.comet = newDoor(n.Eth), newDoor(n.RPC)
	}
	t.Cleanup(c.end)
	for i, n := range c.Nodes {
		for old, line := range o.Settings {
			c.set(n, old, line)
		}
		if o.Disks {
			c.giveDisk(i)
		}
		c.Launch(i)
	}
	c.Reach(1)
	return c
}

func environ(more []string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AITBC") {
			env = append(env, v)
		}
	}
	return append(append(env, "LOG_LEVEL=info"), more...)
}

// freePorts finds ports in a row that nobody uses, below those that the system hands out.
func freePorts(t testing.TB, nodes int) int {
	t.Helper()
next:
	for range 50 {
		first := 10_000 + 100*rand.IntN(60) //nolint:gosec // only so that two clusters rarely meet
		for p := first; p < first+10*nodes; p++ {
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				continue next
			}
			_ = l.Close() // it listened
		}
		return first
	}
	t.Fatal("no ports are free")
	return 0
}

// alloc funds those who send, and the validators' operators.
func (c *Cluster) alloc(nodes int) string {
	c.t.Helper()
	m := map[common.Address]string{}
	for _, k := range accounts() {
		m[k.address] = "1000000000000000000000"
	}
	for i := range nodes {
		m[operator(i).address] = "1000000000000000000000"
	}
	m[operator(nodes).address] = "50000000000000000000000" // one who may join
	return c.file("alloc.json", m)
}

// file writes a value as JSON and returns where.
func (c *Cluster) file(name string, v any) string {
	c.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// run runs a command of aitbcd and returns what it printed.
func (c *Cluster) run(args ...string) []byte {
	c.t.Helper()
	return c.output(append([]string{c.bin}, args...)...)
}

func (c *Cluster) output(argv ...string) []byte {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the program under test
	cmd.Env = c.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("%s: %v\n%s%s", strings.Join(argv, " "), err, stdout.String(), stderr.String())
	}
	return stdout.Bytes()
}

// end stops whatever runs.
func (c *Cluster) end() {
	if c.load != nil {
		c.load.stop()
	}
	for _, n := range c.Nodes {
		if n.process != nil && n.process.running() {
			if err := n.process.stop(); err != nil {
				c.t.Errorf("node%d did not stop well: %v", n.index, err)
			}
		}
	}
	if c.t.Failed() {
		c.keepLogs()
	}
}

// keepLogs copies the logs to where the end of the test does not remove them.
func (c *Cluster) keepLogs() {
	dir, err := os.MkdirTemp("", "aitbc-validators-")
	if err != nil {
		c.t.Logf("keep logs: %v", err)
		return
	}
	for _, n := range c.Nodes {
		raw, err := os.ReadFile(n.Log)
		if err != nil {
			continue
		}
		_ = os.WriteFile(filepath.Join(dir, filepath.Base(n.Log)), raw, 0o600) //nolint:gosec // a log; best effort
		const most = 1500
		c.t.Logf("end of the log of node%d:\n%s", n.index, raw[max(0, len(raw)-most):])
	}
	c.t.Logf("the logs are in %s", dir)
}

// command is how a program runs where a node lives.
func (c *Cluster) command(i int, argv ...string) []string {
	if c.net == nil {
		return argv
	}
	return append(c.net.enter(i), argv...)
}

// Launch starts a node and does not wait for it.
func (c *Cluster) Launch(i int) {
	c.t.Helper()
	n := c.Nodes[i]
	p, err := launch(n.Log, slices.Concat(c.env, n.env), c.command(i, cmp.Or(n.program, c.bin), "start", "--home", n.Home)...)
	if err != nil {
		c.t.Fatalf("start node%d: %v", i, err)
	}
	n.process = p
}

// Restart starts a node again and waits until it answers.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	c.Launch(i)
	c.Answers(i)
}

// Answers waits until a node answers.
func (c *Cluster) Answers(i int) {
	c.t.Helper()
	n := c.Nodes[i]
	c.wait(startWithin, fmt.Sprintf("an answer of node%d", i), func() bool {
		if !n.process.running() {
			c.t.Fatalf("node%d ended: %v", i, n.process.err)
		}
		_, err := n.height(c.t.Context())
		return err == nil
	})
}

// Kill ends a node with SIGKILL.
func (c *Cluster) Kill(i int) { c.Nodes[i].process.kill() }

// Stop has a node end in order.
func (c *Cluster) Stop(i int) {
	c.t.Helper()
	if err := c.Nodes[i].process.stop(); err != nil {
		c.t.Fatalf("stop node%d: %v", i, err)
	}
}

// Pause stops a node's clock, as a machine that hangs does; Resume lets it go on.
func (c *Cluster) Pause(i int) { c.signal(i, syscall.SIGSTOP) }

// Resume ends a Pause.
func (c *Cluster) Resume(i int) { c.signal(i, syscall.SIGCONT) }

func (c *Cluster) signal(i int, s syscall.Signal) {
	c.t.Helper()
	if err := c.Nodes[i].process.signal(s); err != nil {
		c.t.Fatalf("signal node%d: %v", i, err)
	}
}

// wait asks f until it says true, and fails the test after a while.
func (c *Cluster) wait(within time.Duration, what string, f func() bool) {
	c.t.Helper()
	limit := time.NewTimer(within)
	defer limit.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-limit.C:
			c.t.Fatalf("waited %s in vain for %s", within, what)
		}
	}
}

// For lets time pass.
func (c *Cluster) For(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.t.Context().Done():
	}
}
