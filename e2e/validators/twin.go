package validators

import (
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
	n := c.Nodes[i]
	home := filepath.Join(c.dir, "twin")
	ports := strconv.Itoa(freePorts(c.t, 1))
	c.run("testnet", "--validators", "1", "--output", home, "--starting-port", ports) // for keys, ports and an empty record of what was signed
	home = filepath.Join(home, "node0")
	conf, err := os.ReadFile(filepath.Join(home, "aitbcd.toml"))
	if err != nil {
		c.t.Fatal(err)
	}
	var peers []string
	for j, o := range c.Nodes {
		if j != i {
			peers = append(peers, fmt.Sprintf("%q", o.ID+"@"+o.P2P))
		}
	}
	text := strings.Replace(string(conf), "peers = []", "peers = ["+strings.Join(peers, ", ")+"]", 1)
	if text == string(conf) {
		c.t.Fatal("the configuration has no empty list of peers")
	}
	if err := os.WriteFile(filepath.Join(home, "aitbcd.toml"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	for _, name := range []string{"genesis.json", "secrets/consensus_key.json"} {
		raw, err := os.ReadFile(filepath.Join(n.Home, name))
		if err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, name), raw, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	p, err := launch(filepath.Join(c.dir, "twin.log"), c.env, c.bin, "start", "--home", home)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.kill)
	return &Twin{p}
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
