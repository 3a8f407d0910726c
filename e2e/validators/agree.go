package validators

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Height is the greatest height that any running node has.
func (c *Cluster) Height() uint64 {
	var top uint64
	for _, n := range c.Nodes {
		if n.process != nil && n.process.running() {
			if h, err := n.height(c.t.Context()); err == nil {
				top = max(top, h)
			}
		}
	}
	return top
}

// Reach waits until the given nodes, or all that run, have a height.
func (c *Cluster) Reach(height uint64, nodes ...int) {
	c.t.Helper()
	for _, n := range c.chosen(nodes) {
		c.wait(agreeWithin, fmt.Sprintf("height %d at node%d", height, n.index), func() bool {
			if !n.process.running() {
				c.t.Fatalf("node%d ended: %v", n.index, n.process.err)
			}
			h, err := n.height(c.t.Context())
			return err == nil && h >= height
		})
	}
}

// Progress waits until the given nodes, or all that run, have more blocks than any has now.
func (c *Cluster) Progress(blocks uint64, nodes ...int) {
	c.t.Helper()
	c.Reach(c.Height()+blocks, nodes...)
}

func (c *Cluster) chosen(nodes []int) []*Node {
	var out []*Node
	for i, n := range c.Nodes {
		if len(nodes) == 0 && n.process != nil && n.process.running() || slices.Contains(nodes, i) {
			out = append(out, n)
		}
	}
	return out
}

// Agree waits until all nodes that run have what the furthest has, and fails
// the test unless their app hashes are the same there and in the blocks before,
// their logs are free of alarms, and the money adds up at each.
func (c *Cluster) Agree() {
	c.t.Helper()
	top := c.Height()
	c.Reach(top)
	const back = 20
	for h := top; h > 0 && h+back > top; h-- {
		var want common.Hash
		for _, n := range c.chosen(nil) {
			header, err := n.header(c.t.Context(), h)
			if err != nil {
				c.t.Fatalf("block %d of node%d: %v", h, n.index, err)
			}
			if got := header.Hash(); want == (common.Hash{}) {
				want = got
			} else if got != want {
				c.t.Fatalf("block %d is %s at node%d and %s at others", h, got, n.index, want)
			}
		}
	}
	for _, n := range c.chosen(nil) {
		c.healthy(n)
		c.audit(n)
	}
}

// alarms are words that no node's log may have.
var alarms = []string{"panic", "mismatch", "consensus failure", "cannot be executed", "bad block", "wrong block.header", "money"}

// pardon overlooks what a node has logged until now.
func (c *Cluster) pardon(i int) {
	c.t.Helper()
	st, err := os.Stat(c.Nodes[i].Log)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Nodes[i].pardoned = int(st.Size())
}

func (c *Cluster) healthy(n *Node) {
	c.t.Helper()
	raw, err := os.ReadFile(n.Log)
	if err != nil {
		c.t.Fatal(err)
	}
	raw = raw[min(n.pardoned, len(raw)):]
	for line := range strings.Lines(string(raw)) {
		low := strings.ToLower(line)
		for _, word := range alarms {
			if strings.Contains(low, word) && (word != "money" || strings.Contains(low, "level=error")) {
				c.t.Fatalf("node%d logs: %s", n.index, line)
			}
		}
	}
}

// audit has aitbcd check add up a node's money.
func (c *Cluster) audit(n *Node) {
	c.t.Helper()
	var r struct {
		OK       bool
		Problems []string
	}
	raw := c.output(c.command(n.index, c.bin, "check", "--json", "--home", n.Home)...)
	if err := json.Unmarshal(raw, &r); err != nil || !r.OK {
		c.t.Fatalf("aitbcd check of node%d: %v %v", n.index, err, r.Problems)
	}
}

// HeightOf is the height of one node.
func (c *Cluster) HeightOf(i int) uint64 {
	c.t.Helper()
	h, err := c.Nodes[i].height(c.t.Context())
	if err != nil {
		c.t.Fatalf("height of node%d: %v", i, err)
	}
	return h
}
