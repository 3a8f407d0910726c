package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/setup"
)

// maxTestnet is the most validators that a genesis may have.
const maxTestnet = 100

// portsOfNode is how far apart two nodes of one machine are by default.
const portsOfNode = 10

// testnetNode is one line of what testnet prints.
type testnetNode struct {
	*setup.Result
	P2P    string   `json:"p2p"`
	RPC    string   `json:"rpc"`
	WS     string   `json:"ws"`
	Eth    string   `json:"eth_http"`
	EthWS  string   `json:"eth_ws"`
	Gauges string   `json:"metrics"`
	Start  []string `json:"start"`
}

func testnet(_ context.Context, c *call) error {
	network := newNetworkFlags(c)
	count := c.flags.Int("validators", 0, "how many (default: 4, or one for each host)")
	output := c.flags.String("output", "", "the folder in which node0, node1, … are made")
	shift := c.flags.Int("shift", portsOfNode, "how far apart the ports of two nodes on one machine are")
	first := c.flags.Int("starting-port", 0, "give the nodes ports in a row from here (default: the usual ports)")
	hosts := c.flags.String("hosts", "", "addresses of the nodes' machines, separated by commas; all then use the same ports")
	if err := c.parse(); err != nil {
		return err
	}
	if *output == "" {
		return fmt.Errorf("%w: --output DIR says where to make the homes", errUsage)
	}
	where := splitHosts(*hosts)
	n, err := howMany(*count, where)
	if err != nil {
		return err
	}
	if len(where) == 0 && (*shift < 6 || *shift > 1000) {
		return fmt.Errorf("%w: --shift %d: a node has six ports, so between 6 and 1000", errUsage, *shift)
	}
	conf, err := config.Load(*output, c.Getenv)
	if err != nil {
		return err
	}
	conf.ValidatorAddress = "" // the keys are drawn now
	if n > 1 {
		// All of them write a map of the index at the same time, and the network waits: validators keep to their work.
		conf.Storage.IndexLogs = false
	}
	o, err := network.options(conf)
	if err != nil {
		return err
	}
	members := make([]setup.Member, n)
	for i := range members {
		p := place{shift: i * *shift, first: *first, offset: *c.offset}
		if len(where) > 0 {
			p.host, p.shift = where[i], 0
		}
		members[i] = setup.Member{Home: home.Home(filepath.Join(*output, "node"+strconv.Itoa(i))), Config: conf}
		if err := p.apply(&members[i].Config); err != nil {
			return fmt.Errorf("%w: node%d: %w", errUsage, i, err)
		}
	}
	results, err := setup.Testnet(o, members)
	if err != nil {
		removeEmpty(*output, n)
		return err
	}
	return c.showTestnet(members, results)
}

func splitHosts(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(h string) bool { return strings.TrimSpace(h) == "" })
}

func howMany(count int, hosts []string) (int, error) {
	switch {
	case count == 0 && len(hosts) == 0:
		return 4, nil
	case count == 0:
		count = len(hosts)
	case len(hosts) > 0 && count != len(hosts):
		return 0, fmt.Errorf("%w: %d validators on %d hosts", errUsage, count, len(hosts))
	}
	if count < 1 || count > maxTestnet {
		return 0, fmt.Errorf("%w: --validators %d is not between 1 and %d", errUsage, count, maxTestnet)
	}
	return count, nil
}

// place is where a node listens.
type place struct {
	host                 string
	first, shift, offset int
}

func (p place) apply(c *config.Config) error {
	if p.host != "" {
		if err := c.Host(strings.TrimSpace(p.host)); err != nil {
			return err
		}
		c.RPC.VirtualHosts = append(slices.Clone(c.RPC.VirtualHosts), strings.TrimSpace(p.host))
	}
	if p.first != 0 {
		if err := c.Ports(p.first); err != nil {
			return err
		}
	}
	return c.Shift(p.shift + p.offset)
}

// removeEmpty removes the folders of a failed attempt that hold nothing.
func removeEmpty(output string, n int) {
	for i := range n {
		_ = os.Remove(filepath.Join(output, "node"+strconv.Itoa(i))) // what holds something stays
	}
	_ = os.Remove(output)
}

func (c *call) showTestnet(members []setup.Member, results []*setup.Result) error {
	nodes := make([]testnetNode, len(results))
	for i, r := range results {
		l := members[i].Config.Listen
		nodes[i] = testnetNode{
			Result: r, P2P: l.P2P, RPC: l.RPC, WS: l.WS, Eth: l.EthHTTP, EthWS: l.EthWS, Gauges: l.Metrics,
			Start: []string{"aitbcd", "start", "--home", r.Home},
		}
	}
	if *c.json {
		return c.print(struct {
			ChainID string        `json:"chain_id"`
			CometID string        `json:"comet_chain_id"`
			Genesis string        `json:"genesis_hash"`
			Nodes   []testnetNode `json:"nodes"`
		}{results[0].ChainID.String(), results[0].CometID, results[0].Genesis.Hex(), nodes})
	}
	fmt.Fprintf(c.Stdout, "chain %s, genesis %s, supply %s base units, governor %v\n\n", results[0].CometID, results[0].Genesis, results[0].Supply, results[0].Governor)
	w := tabwriter.NewWriter(c.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "node\tvalidator\tp2p\trpc\tws\teth\teth ws\tmetrics")
	for i, n := range nodes {
		fmt.Fprintf(w, "node%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i, n.Validator, n.P2P, n.RPC, n.WS, n.Eth, n.EthWS, n.Gauges)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	fmt.Fprintln(c.Stdout, "\nstart each in a terminal of its own, or on its machine:")
	for _, n := range nodes {
		fmt.Fprintf(c.Stdout, "  %s\n", strings.Join(n.Start, " "))
	}
	return nil
}
