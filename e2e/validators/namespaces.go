package validators

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// namespaces are networks of their own for each node, joined by a bridge that
// this machine has an address on too.
type namespaces struct {
	t      testing.TB
	bridge string
	names  []string
	subnet string // its first three numbers
}

// HasNamespaces reports whether nodes can have networks of their own here.
func HasNamespaces() bool {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return false
	}
	name := fmt.Sprintf("aitbc-try-%d", os.Getpid())
	if ip("netns", "add", name) != nil {
		return false
	}
	defer ip("netns", "del", name) //nolint:errcheck // it was there a moment ago
	return ip("-n", name, "link", "add", "try0", "type", "veth", "peer", "name", "try1") == nil &&
		ip("-n", name, "link", "add", "try2", "type", "bridge") == nil
}

// newNamespaces makes them and removes them with the test, which is skipped if
// this system does not allow them.
func newNamespaces(t testing.TB, nodes int) *namespaces {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("network namespaces need Linux and root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("network namespaces need the program ip (iproute2)")
	}
	tag := strconv.FormatInt(int64(os.Getpid()%46656), 36)
	s := &namespaces{t: t, bridge: "aitbc" + tag, subnet: fmt.Sprintf("10.213.%d", os.Getpid()%250)}
	for i := range nodes {
		s.names = append(s.names, fmt.Sprintf("aitbc%s-%d", tag, i))
	}
	t.Cleanup(s.remove)
	if err := s.make(); err != nil {
		s.remove()
		t.Skipf("network namespaces cannot be made here: %v", err)
	}
	return s
}

// ip runs the program ip.
func ip(args ...string) error { return tool("ip", args...) }

func tool(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput() //nolint:gosec,noctx // short, of the test
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (s *namespaces) make() error {
	steps := [][]string{
		{"link", "add", s.bridge, "type", "bridge"},
		{"addr", "add", s.subnet + ".254/24", "dev", s.bridge},
		{"link", "set", s.bridge, "up"},
	}
	for i, name := range s.names {
		outer := fmt.Sprintf("%s.%d", s.bridge, i)
		steps = append(steps,
			[]string{"netns", "add", name},
			[]string{"link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name},
			[]string{"link", "set", outer, "master", s.bridge, "up"},
			[]string{"-n", name, "addr", "add", s.address(i) + "/24", "dev", "eth0"},
			[]string{"-n", name, "link", "set", "eth0", "up"},
			[]string{"-n", name, "link", "set", "lo", "up"})
	}
	for _, step := range steps {
		if err := ip(step...); err != nil {
			return err
		}
	}
	return nil
}

// remove takes away what make made, as far as it came.
func (s *namespaces) remove() {
	for _, name := range s.names {
		_ = ip("netns", "del", name) // its end of the cable goes with it
	}
	_ = ip("link", "del", s.bridge)
}

func (s *namespaces) address(i int) string { return fmt.Sprintf("%s.%d", s.subnet, i+1) }

func (s *namespaces) addresses() []string {
	out := make([]string, len(s.names))
	for i := range out {
		out[i] = s.address(i)
	}
	return out
}

// enter is how a program is started in a node's namespace.
func (s *namespaces) enter(i int) []string { return []string{"ip", "netns", "exec", s.names[i]} }

// Partition lets nodes reach only those of their own group. Nodes that are in
// no group reach nobody. Packets vanish, as on a broken line: no connection is
// closed by it.
func (c *Cluster) Partition(groups ...[]int) {
	c.t.Helper()
	group := map[int]int{}
	for g, members := range groups {
		for _, i := range members {
			group[i] = g + 1
		}
	}
	c.Heal()
	for i := range c.Nodes {
		for j := range c.Nodes {
			if i != j && (group[i] != group[j] || group[i] == 0) {
				if err := ip("-n", c.net.names[i], "route", "add", "blackhole", c.net.address(j)+"/32"); err != nil {
					c.t.Fatal(err)
				}
			}
		}
	}
}

// Heal ends a partition.
func (c *Cluster) Heal() {
	c.t.Helper()
	for i := range c.Nodes {
		for j := range c.Nodes {
			_ = ip("-n", c.net.names[i], "route", "del", "blackhole", c.net.address(j)+"/32") // there need not be one
		}
	}
}

// Slow bounds what a node sends: "256kbit" for example, with a queue of latency.
// It returns an error if this system's kernel cannot do that.
func (c *Cluster) Slow(i int, rate, latency string) error {
	return tool("ip", "netns", "exec", c.net.names[i], "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "32kbit", "latency", latency)
}

// Fast ends Slow.
func (c *Cluster) Fast(i int) {
	c.t.Helper()
	if err := tool("ip", "netns", "exec", c.net.names[i], "tc", "qdisc", "del", "dev", "eth0", "root"); err != nil {
		c.t.Fatal(err)
	}
}
