// Package target starts the chains that are measured: networks of our node, and of a peer to compare with.
package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/internal/home"
)

// Chain is a running network. Use [Ours] or [Peer].
type Chain struct {
	Name  string
	URLs  []string // of the Ethereum JSON-RPC of each node
	WS    string   // of the first node's WebSocket
	ID    *big.Int
	nodes []*node
}

// node is a process and where its data are.
type node struct {
	cmd    *exec.Cmd
	dir    string
	stderr *os.File
	done   chan struct{}
	wait   sync.WaitGroup
	err    error // after done
}

// patience bounds the start and the stop of a node.
const patience = 60 * time.Second

// Options say what network to start.
type Options struct {
	Binary     string
	Dir        string // a new folder in it holds the data
	Validators int
	// Accounts have 10^6 coins each; a peer funds its own.
	Accounts []common.Address
	// Pruned lets our node keep no old states and flush seldom.
	Pruned bool
	// PoolWait is how long our pool lets transactions wait before it refuses others; 0 is its default.
	PoolWait time.Duration
}

// Ours starts a network of our node, as aitbcd testnet makes it.
func Ours(ctx context.Context, o Options) (*Chain, error) {
	dir, err := os.MkdirTemp(o.Dir, "ours")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	alloc := map[common.Address]string{}
	for _, a := range o.Accounts {
		alloc[a] = "1000000000000000000000000"
	}
	raw, err := json.Marshal(alloc)
	if err != nil {
		return nil, err
	}
	balances := filepath.Join(dir, "alloc.json")
	if err := os.WriteFile(balances, raw, 0o600); err != nil {
		return nil, fmt.Errorf("write balances: %w", err)
	}
	offset, err := home.FreeOffset(ctx)
	if err != nil {
		return nil, err
	}
	const id = 1 << 41
	var problems bytes.Buffer
	cmd := exec.CommandContext(ctx, o.Binary, "testnet", "--validators", strconv.Itoa(o.Validators), "--output", dir, "--alloc", balances, //nolint:gosec // our own program
		"--chain-id", strconv.Itoa(id), "--port-offset", strconv.Itoa(offset), "--shift", "10", "--json")
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("aitbcd testnet: %w\n%s", err, problems.String())
	}
	var made struct {
		Nodes []struct {
			Home    string `json:"home"`
			EthHTTP string `json:"eth_http"`
			EthWS   string `json:"eth_ws"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return nil, fmt.Errorf("aitbcd testnet: %w", err)
	}
	c := &Chain{Name: "aitbc", ID: big.NewInt(id)}
	for _, n := range made.Nodes {
		if err := o.configure(filepath.Join(n.Home, "aitbcd.toml")); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		cmd := exec.CommandContext(context.WithoutCancel(ctx), o.Binary, "start", "--home", n.Home, "--log-level", "warn") //nolint:gosec // our own program
		if err := c.start(cmd, n.Home); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		c.URLs = append(c.URLs, "http://"+n.EthHTTP)
		if c.WS == "" {
			c.WS = "ws://" + n.EthWS
		}
	}
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// configure changes a node's settings as the options say.
func (o Options) configure(path string) error {
	var change []string
	if o.Pruned {
		change = append(change, "archive = true", "archive = false", "flush_every = 1\n", "flush_every = 256\n")
	}
	if o.PoolWait != 0 {
		change = append(change, `pool_wait = "450ms"`, fmt.Sprintf("pool_wait = %q", o.PoolWait))
	}
	if len(change) == 0 {
		return nil
	}
	raw, err := os.ReadFile(path) //nolint:gosec // in our own folder
	if err != nil {
		return fmt.Errorf("settings of the node: %w", err)
	}
	text := strings.NewReplacer(change...).Replace(string(raw))
	for i := 1; i < len(change); i += 2 {
		if !strings.Contains(text, change[i]) {
			return fmt.Errorf("the settings of the node lack %q", change[i-1])
		}
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil { //nolint:gosec // in our own folder
		return fmt.Errorf("settings of the node: %w", err)
	}
	return nil
}

// start starts a node with its messages in a file of its folder.
func (c *Chain) start(cmd *exec.Cmd, dir string) error {
	f, err := os.Create(filepath.Join(dir, "stderr.log")) //nolint:gosec // in our own folder
	if err != nil {
		return fmt.Errorf("make log: %w", err)
	}
	cmd.Stderr = f
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start node: %w", err), f.Close())
	}
	n := &node{cmd: cmd, dir: dir, stderr: f, done: make(chan struct{})}
	n.wait.Go(func() {
		n.err = cmd.Wait()
		close(n.done)
	})
	c.nodes = append(c.nodes, n)
	return nil
}

// Stop stops all nodes and waits for them. Their data stay.
func (c *Chain) Stop() error {
	var all error
	for _, n := range c.nodes {
		select {
		case <-n.done:
			all = errors.Join(all, fmt.Errorf("a node of %s ended by itself: %w; its last words: %s", c.Name, n.err, n.words()))
		default:
			all = errors.Join(all, n.cmd.Process.Signal(syscall.SIGTERM))
		}
	}
	for _, n := range c.nodes {
		late := time.NewTimer(patience)
		select {
		case <-n.done:
		case <-late.C:
			all = errors.Join(all, fmt.Errorf("a node of %s did not stop", c.Name), n.cmd.Process.Kill())
			<-n.done
		}
		late.Stop()
		n.wait.Wait()
		all = errors.Join(all, n.stderr.Close())
	}
	c.nodes = nil
	return all
}

// Lose kills the last node: one of several validators is dead from now on.
func (c *Chain) Lose() error {
	last := len(c.nodes) - 1
	n := c.nodes[last]
	if err := n.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill a node of %s: %w", c.Name, err)
	}
	<-n.done
	n.wait.Wait()
	c.nodes, c.URLs = c.nodes[:last], c.URLs[:last]
	return n.stderr.Close()
}

// words is the end of what a node printed.
func (n *node) words() string {
	raw, err := os.ReadFile(n.stderr.Name())
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return string(raw[max(0, len(raw)-most):])
}

// Resident is the memory, in bytes, that the first node has in RAM.
func (c *Chain) Resident() (int64, error) {
	raw, err := os.ReadFile(c.proc("status"))
	if err != nil {
		return 0, fmt.Errorf("memory of the node: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the process status names no resident memory")
}

func (c *Chain) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(c.nodes[0].cmd.Process.Pid), name)
}

// tick is the kernel's unit of processor time.
const tick = 10 * time.Millisecond

// CPU is the processor time that all nodes have used.
func (c *Chain) CPU() (time.Duration, error) {
	var sum time.Duration
	for _, n := range c.nodes {
		raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(n.cmd.Process.Pid), "stat"))
		if err != nil {
			return 0, fmt.Errorf("processor time of the node: %w", err)
		}
		// After the name in brackets the 12th and 13th fields are user and system time.
		_, rest, _ := strings.Cut(string(raw), ") ")
		f := strings.Fields(rest)
		if len(f) < 13 {
			return 0, errors.New("the process statistics are too short")
		}
		for _, text := range f[11:13] {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("processor time of the node: %w", err)
			}
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// Disk is how many bytes the first node's files take.
func (c *Chain) Disk() (int64, error) {
	var sum int64
	err := filepath.WalkDir(c.nodes[0].dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // the database has dropped a file meanwhile
			}
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				sum += s.Blocks * 512
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("size of the node's files: %w", err)
	}
	return sum, nil
}
