package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/genesis"
)

func none(string) string { return "" }

func TestTestnetMakesHomesThatKnowEachOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	code, out, stderr := run(nil, "testnet", "--validators", "3", "--output", dir, "--alloc", allocFile(t), "--json", "--port-offset", "100")
	require.Zero(t, code, stderr)
	var made struct {
		ChainID string `json:"chain_id"`
		Nodes   []struct {
			Home, Validator, P2P, RPC string
			NodeID                    string `json:"node_id"`
			Start                     []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	require.Len(t, made.Nodes, 3)
	doors := map[string]bool{}
	for i, n := range made.Nodes {
		doc, _, err := genesis.Load(filepath.Join(n.Home, "genesis.json"))
		require.NoError(t, err)
		require.Len(t, doc.Validators, 3, "one genesis with everyone")
		for _, v := range doc.Validators {
			require.Equal(t, doc.Validators[0].Power, v.Power)
		}
		conf, err := config.Load(n.Home, none)
		require.NoError(t, err)
		l := conf.Listen
		for _, a := range []string{l.P2P, l.RPC, l.WS, l.EthHTTP, l.EthWS, l.Metrics} {
			require.False(t, doors[a], "%s is used twice", a)
			require.True(t, strings.HasPrefix(a, "127.0.0.1:"), a)
			doors[a] = true
		}
		require.Len(t, conf.P2P.Peers, 2)
		require.False(t, conf.Storage.IndexLogs, "validators do not index events")
		for j, peer := range made.Nodes {
			if j != i {
				require.Contains(t, conf.P2P.Peers, peer.NodeID+"@"+peer.P2P)
			}
		}
		require.Equal(t, []string{"aitbcd", "start", "--home", n.Home}, n.Start)
		require.Equal(t, n.RPC, l.RPC)
	}
	require.True(t, doors["127.0.0.1:26756"], "the ports of --port-offset")
	require.True(t, doors["127.0.0.1:26776"])

	code, _, stderr = run(nil, "testnet", "--validators", "4", "--output", dir)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "the folder holds a node already")
	_, err := os.Stat(filepath.Join(dir, "node3"))
	require.ErrorIs(t, err, os.ErrNotExist, "a failed attempt leaves nothing of its own")
	_, _, err = genesis.Load(filepath.Join(dir, "node0", "genesis.json"))
	require.NoError(t, err, "and touches nothing of what was there")
}

func TestTestnetOfSeveralMachines(t *testing.T) {
	dir := t.TempDir()
	code, out, stderr := run(nil, "testnet", "--hosts", "10.1.0.1, 10.1.0.2", "--output", dir, "--starting-port", "4000")
	require.Zero(t, code, stderr)
	require.Contains(t, out, "aitbcd start --home "+filepath.Join(dir, "node1"))
	conf, err := config.Load(filepath.Join(dir, "node1"), none)
	require.NoError(t, err)
	require.Equal(t, config.Listen{
		P2P: "10.1.0.2:4000", RPC: "10.1.0.2:4001", WS: "10.1.0.2:4002", EthHTTP: "10.1.0.2:4003", EthWS: "10.1.0.2:4004", Metrics: "10.1.0.2:4005",
	}, conf.Listen)
	require.Len(t, conf.P2P.Peers, 1)
	require.True(t, strings.HasSuffix(conf.P2P.Peers[0], "@10.1.0.1:4000"), conf.P2P.Peers[0])
	require.Contains(t, conf.RPC.VirtualHosts, "10.1.0.2")
}

func TestTestnetMistakesAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no output":      {nil, "--output"},
		"too many":       {[]string{"--validators", "101"}, "between 1 and 100"},
		"none":           {[]string{"--validators", "-1"}, "between 1 and 100"},
		"hosts and more": {[]string{"--validators", "3", "--hosts", "a,b"}, "3 validators on 2 hosts"},
		"shift":          {[]string{"--shift", "2"}, "six ports"},
		"ports":          {[]string{"--starting-port", "65520"}, "out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "net")
			args := append([]string{"testnet"}, c.args...)
			if c.want != "--output" {
				args = append(args, "--output", dir)
			}
			code, out, stderr := run(nil, args...)
			require.Equal(t, 2, code, stderr)
			require.Contains(t, stderr, c.want)
			require.Empty(t, out)
			_, err := os.Stat(dir)
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
