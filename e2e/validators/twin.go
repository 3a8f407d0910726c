package validators

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// Twin is a second node with the key of a validator that runs, as after a
// backup was restored while the machine it came from was still there.
type Twin struct {
	process *process
}

// Kill ends the twin.
func (t *Twin) Kill() { t.process.kill() }

// Twin starts one for a node of a cluster on loopback.
func (c *Cluster) Twin(i int) *Twin {
	c.t.Helper()
	n := c.newHome("twin", func(j int) bool { return j != i })
	c.copyTo(n, c.Nodes[i], "secrets/consensus_key.json")
	p, err := launch(filepath.Join(c.dir, "twin.log"), c.env, c.bin, "start", "--home", n.Home)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.kill)
	return &Twin{p}
}

// Follow adds a node with keys of its own to a cluster on loopback, which
// fetches the chain and is no validator. It returns its number.
func (c *Cluster) Follow() int {
	c.t.Helper()
	i := len(c.Nodes)
	c.add(c.newHome(fmt.Sprintf("follower%d", i), func(int) bool { return true }))
	c.Restart(i)
	return i
}

// Join is Follow for a node that begins with a snapshot of the others', and so
// lacks the blocks before.
func (c *Cluster) Join() int {
	c.t.Helper()
	var commit struct {
		SignedHeader struct {
			Commit struct {
				BlockID struct {
					Hash string `json:"hash"`
				} `json:"block_id"`
			} `json:"commit"`
		} `json:"signed_header"`
	}
	if err := c.asked().comet.call(c.t.Context(), &commit, "commit", map[string]any{"height": "2"}); err != nil {
		c.t.Fatal(err)
	}
	var servers []string
	for _, o := range c.chosen(nil) {
		servers = append(servers, fmt.Sprintf("%q", "http://"+o.RPC))
	}
	i := len(c.Nodes)
	n := c.newHome(fmt.Sprintf("joiner%d", i), func(int) bool { return true })
	c.set(n, "enabled = false", "enabled = true")
	c.set(n, "rpc_servers = []", "rpc_servers = ["+strings.Join(servers, ", ")+"]")
	c.set(n, "trust_height = 0", "trust_height = 2")
	c.set(n, `trust_hash = ""`, fmt.Sprintf("trust_hash = %q", commit.SignedHeader.Commit.BlockID.Hash))
	n.late = true
	c.add(n)
	c.Restart(i)
	return i
}

func (c *Cluster) add(n *Node) {
	i := len(c.Nodes)
	n.index, n.Log, n.eth, n.comet = i, filepath.Join(c.dir, fmt.Sprintf("node%d.log", i)), newDoor(n.Eth), newDoor(n.RPC)
	c.Nodes = append(c.Nodes, n)
}

// newHome makes a home with new keys and ports for the cluster's chain, whose peers are those nodes that know says.
func (c *Cluster) newHome(name string, know func(i int) bool) *Node {
	c.t.Helper()
	var made struct {
		Nodes []*Node `json:"nodes"`
	}
	raw := c.run("testnet", "--json", "--validators", "1", "--output", filepath.Join(c.dir, name), "--starting-port", strconv.Itoa(freePorts(c.t, 1)))
	if err := json.Unmarshal(raw, &made); err != nil {
		c.t.Fatal(err)
	}
	n := made.Nodes[0]
	var peers []string
	for i, o := range c.Nodes {
		if know(i) {
			peers = append(peers, fmt.Sprintf("%q", o.ID+"@"+o.P2P))
		}
	}
	c.set(n, "peers = []", "peers = ["+strings.Join(peers, ", ")+"]")
	c.copyTo(n, c.Nodes[0], "genesis.json")
	return n
}

// set changes a line of a node's configuration.
func (c *Cluster) set(n *Node, old, line string) {
	c.t.Helper()
	path := filepath.Join(n.Home, "aitbcd.toml")
	conf, err := os.ReadFile(path) //nolint:gosec // of the test
	if err != nil {
		c.t.Fatal(err)
	}
	text := strings.Replace(string(conf), old, line, 1)
	if text == string(conf) {
		c.t.Fatalf("the configuration has no %q", old)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil { //nolint:gosec // of the test
		c.t.Fatal(err)
	}
}

// copyTo gives a node a file of another's home.
func (c *Cluster) copyTo(to, from *Node, name string) {
	c.t.Helper()
	raw, err := os.ReadFile(filepath.Join(from.Home, name)) //nolint:gosec // of the test
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to.Home, name), raw, 0o600); err != nil { //nolint:gosec // of the test
		c.t.Fatal(err)
	}
}

// Evidence waits for a block that has evidence, and returns its height and whom it proves guilty.
func (c *Cluster) Evidence(within time.Duration) (height uint64, guilty common.Address) {
	c.t.Helper()
	next := c.Height()
	c.wait(within, "evidence in a block", func() bool {
		for top := c.Height(); next <= top; next++ {
			var b struct {
				Block struct {
					Evidence struct {
						Evidence []struct {
							Value struct {
								VoteA struct {
									ValidatorAddress string `json:"validator_address"`
								} `json:"vote_a"`
							} `json:"value"`
						} `json:"evidence"`
					} `json:"evidence"`
				} `json:"block"`
			}
			if err := c.Nodes[0].comet.call(c.t.Context(), &b, "block", map[string]any{"height": strconv.FormatUint(next, 10)}); err != nil {
				return false // not there yet
			}
			if all := b.Block.Evidence.Evidence; len(all) > 0 {
				height, guilty = next, common.HexToAddress(all[0].Value.VoteA.ValidatorAddress)
				return true
			}
		}
		return false
	})
	return height, guilty
}

// Expelled waits until a node's key is no validator's any more.
func (c *Cluster) Expelled(i int, within time.Duration) {
	c.t.Helper()
	c.wait(within, fmt.Sprintf("a set without node%d", i), func() bool {
		var set struct {
			Validators []struct{ Address string }
		}
		if err := c.asked().comet.call(c.t.Context(), &set, "validators", map[string]any{"per_page": "100"}); err != nil || len(set.Validators) == 0 {
			return false
		}
		for _, v := range set.Validators {
			if common.HexToAddress(v.Address) == c.Nodes[i].Validator {
				return false
			}
		}
		return true
	})
}
