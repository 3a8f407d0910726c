package validators

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Fault is one thing that happens to a cluster and ends again.
type Fault struct {
	// Kind is one of the names in kinds.
	Kind string
	// Nodes are whom it happens to.
	Nodes []int
	// Lasts is how long.
	Lasts time.Duration
	// Calm is the time before it.
	Calm time.Duration
}

// String describes the fault in one line.
func (f Fault) String() string {
	who := make([]string, len(f.Nodes))
	for i, n := range f.Nodes {
		who[i] = fmt.Sprint("node", n)
	}
	return fmt.Sprintf("after %s: %s %s for %s", f.Calm, f.Kind, strings.Join(who, ", "), f.Lasts)
}

// Means are what faults need: networks that can be cut, disks that can be filled.
type Means struct{ Network, Disks bool }

// kinds of faults, how many nodes each happens to, and what it needs.
var kinds = []struct {
	name  string
	nodes int
	needs Means
}{
	{"kill", 1, Means{}},
	{"kill", 2, Means{}},
	{"kill", 4, Means{}},
	{"stop", 1, Means{}},
	{"pause", 1, Means{}},
	{"pause", 2, Means{}},
	{"cut off", 1, Means{Network: true}},
	{"cut off", 2, Means{Network: true}},
	{"slow", 1, Means{Network: true}},
	{"full disk", 1, Means{Disks: true}},
}

// Plan draws a sequence of faults that takes about the given time. The same
// seed, number of nodes and means give the same plan.
func Plan(seed uint64, nodes int, have Means, lasts time.Duration) []Fault {
	draw := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it must be repeatable
	var plan []Fault
	// What each fault costs besides its own time, as nodes take it to come back.
	const recovery = 5 * time.Second
	for total := time.Duration(0); total < lasts; {
		k := kinds[draw.IntN(len(kinds))]
		if k.needs.Network && !have.Network || k.needs.Disks && !have.Disks || k.nodes > nodes {
			continue
		}
		f := Fault{
			Kind: k.name, Nodes: draw.Perm(nodes)[:k.nodes],
			Lasts: time.Duration(1+draw.IntN(100)) * 100 * time.Millisecond, Calm: time.Duration(draw.IntN(30)) * 100 * time.Millisecond,
		}
		total += f.Calm + f.Lasts + recovery
		plan = append(plan, f)
	}
	return plan
}

// Suffer lets a fault happen and end, waits until the chain goes on at every
// node, and fails the test unless all agree and all money is there.
func (c *Cluster) Suffer(f Fault) {
	c.t.Helper()
	c.For(f.Calm)
	end := c.begin(f)
	c.For(f.Lasts)
	end()
	c.Progress(1)
	c.Agree()
}

// begin lets a fault begin and returns how it ends.
func (c *Cluster) begin(f Fault) (end func()) {
	each := func(do func(int)) {
		for _, i := range f.Nodes {
			do(i)
		}
	}
	switch f.Kind {
	case "kill":
		each(c.Kill)
		return func() { each(c.Launch); each(c.Answers) }
	case "stop":
		each(c.Stop)
		return func() { each(c.Launch); each(c.Answers) }
	case "pause":
		each(c.Pause)
		return func() { each(c.Resume) }
	case "cut off":
		var rest []int
		for i := range c.Nodes {
			cut := false
			for _, n := range f.Nodes {
				cut = cut || n == i
			}
			if !cut {
				rest = append(rest, i)
			}
		}
		c.Partition(f.Nodes, rest)
		return c.Heal
	case "slow":
		each(func(i int) {
			if err := c.Slow(i, "64kbit", "2s"); err != nil {
				c.t.Logf("node%d cannot be slowed down: %v", i, err)
			}
		})
		return func() { each(c.Fast) }
	case "full disk":
		each(func(i int) {
			c.Nodes[i].disk.Fill()
			if !c.Ends(i, time.Minute) {
				c.t.Fatalf("node%d runs on with a full disk", i)
			}
		})
		return func() {
			each(func(i int) { c.Nodes[i].disk.Free() })
			each(c.Launch)
			each(c.Answers)
		}
	default:
		c.t.Fatalf("there is no fault %q", f.Kind)
		return nil
	}
}
